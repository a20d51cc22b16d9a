//! Programs of a release, brought to a host.
#![expect(clippy::disallowed_methods, reason = "reads what is to be uploaded")]

use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc;
use tonic::Response;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tracing::info;

use super::messages::fetch_artifact_reply::Message as Fetching;
use super::messages::upload_artifact_request::Message as Uploading;
use super::messages::{
    Artifact, FetchArtifactRequest, RemoveArtifactRequest, SwitchArtifactRequest,
    UploadArtifactOpen, UploadArtifactRequest,
};
use super::{HostError, Locked};

/// The most that one message may hold.
const CHUNK: usize = 256 << 10;
const WAITING: usize = 8;
/// How often the log tells how far it is.
const TELLS: Duration = Duration::from_secs(5);

/// Where an artifact comes from.
#[derive(Clone, Debug)]
pub enum Origin<'a> {
    /// The host fetches it.
    Url {
        /// http or https.
        url: &'a str,
        /// Empty: none. May hold a password.
        proxy: &'a str,
        /// PEM. Empty: those that the host trusts.
        authorities: &'a str,
    },
    /// A file of this machine, which is uploaded.
    File(&'a Path),
    /// The same, in memory.
    Memory(&'a Bytes),
}

impl Locked {
    /// Installs an artifact beside the other versions, once its digest is proven. Whether it was not there.
    ///
    /// # Errors
    /// It cannot be had, or is not what it should be. Then nothing was installed.
    pub async fn install(&self, artifact: Artifact, from: Origin<'_>) -> Result<bool, HostError> {
        match from {
            Origin::Url { url, proxy, authorities } => {
                let request = FetchArtifactRequest {
                    claim: self.claim(),
                    artifact: Some(artifact),
                    url: url.to_owned(),
                    proxy: proxy.to_owned(),
                    authorities: authorities.to_owned(),
                };
                self.fetch(request).await
            }
            Origin::File(path) => {
                let unreadable = |err: std::io::Error| HostError::Failed {
                    host: self.name().clone(),
                    call: format!("take {}", artifact.file),
                    reason: format!("{} cannot be read here: {err}", path.display()),
                };
                let file = File::open(path).await.map_err(unreadable)?;
                let size = file.metadata().await.map_err(unreadable)?.len();
                self.upload(artifact, file, size).await
            }
            Origin::Memory(content) => {
                let size = content.len() as u64;
                self.upload(artifact, Cursor::new(content.clone()), size).await
            }
        }
    }

    async fn fetch(&self, request: FetchArtifactRequest) -> Result<bool, HostError> {
        let file = request.artifact.as_ref().map(|it| it.file.clone()).unwrap_or_default();
        let call = format!("fetch {file}");
        let host = self.name().clone();
        let fetched = self.call(call.clone(), async |mut it| {
            let mut replies = it.fetch_artifact(request).await?.into_inner();
            let mut told = tokio::time::Instant::now();
            while let Some(reply) = replies.message().await? {
                match reply.message {
                    Some(Fetching::Fetched(fetched)) => return Ok(Response::new(fetched.changed)),
                    Some(Fetching::Progress(it)) if TELLS <= told.elapsed() => {
                        told = tokio::time::Instant::now();
                        info!(%host, file, done = it.done, total = it.total, "fetches");
                    }
                    _ => {}
                }
            }
            Err(tonic::Status::data_loss("the answer ended too early"))
        });
        fetched.await
    }

    async fn upload(
        &self,
        artifact: Artifact,
        content: impl AsyncRead + Send + Unpin + 'static,
        size: u64,
    ) -> Result<bool, HostError> {
        let call = format!("take {}", artifact.file);
        let open = UploadArtifactOpen { claim: self.claim(), artifact: Some(artifact), size };
        let (sender, requests) = mpsc::channel(WAITING);
        let reads = tokio::spawn(send(content, open, sender));
        let requests = ReceiverStream::new(requests);
        let taken = self.call(call, async |mut it| it.upload_artifact(requests).await).await;
        reads.abort();
        Ok(taken?.changed)
    }

    /// Makes a version that is installed the current one. Whether it was another.
    ///
    /// # Errors
    /// It is not there as it was installed.
    pub async fn switch(&self, project: &str, version: &str) -> Result<bool, HostError> {
        let call = format!("switch {project} to {version}");
        let request = SwitchArtifactRequest {
            claim: self.claim(),
            project: project.to_owned(),
            version: version.to_owned(),
        };
        Ok(self.call(call, async |mut it| it.switch_artifact(request).await).await?.changed)
    }

    /// Removes a version. Whether there was one.
    ///
    /// # Errors
    /// It is the current one.
    pub async fn uninstall(&self, project: &str, version: &str) -> Result<bool, HostError> {
        let call = format!("remove {project} {version}");
        let request = RemoveArtifactRequest {
            claim: self.claim(),
            project: project.to_owned(),
            version: version.to_owned(),
        };
        Ok(self.call(call, async |mut it| it.remove_artifact(request).await).await?.changed)
    }
}

/// A file that ends too early is noticed by the host, which knows how long it must be.
async fn send(
    mut file: impl AsyncRead + Unpin,
    open: UploadArtifactOpen,
    sender: mpsc::Sender<UploadArtifactRequest>,
) {
    let mut message = Uploading::Open(open);
    let mut buffer = BytesMut::new();
    while sender.send(UploadArtifactRequest { message: Some(message) }).await.is_ok() {
        buffer.reserve(CHUNK);
        let room = buffer.capacity().min(CHUNK);
        let read = (&mut file).take(room as u64).read_buf(&mut buffer).await;
        if !matches!(read, Ok(1..)) {
            return;
        }
        let data: Bytes = buffer.split().freeze();
        message = Uploading::Data(data);
    }
}
