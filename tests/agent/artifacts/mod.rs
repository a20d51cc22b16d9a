//! Artifacts come to a host by download and by upload, or not at all.

mod disk;
mod fetch;
mod upload;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use terraform_provider_ha::proto::agent::fetch_artifact_reply::Message as Answer;
use terraform_provider_ha::proto::agent::{
    Artifact, FetchArtifactRequest, Member, Progress, Project, RemoveArtifactRequest,
    SwitchArtifactRequest, UploadArtifactOpen, UploadArtifactRequest, upload_artifact_request,
};
use tonic::Status;

use super::{Agent, Claim, Duration, FactsRequest, Instant, LONG, TempDir, iter, root, timeout};

/// A host, the agent on it, and its claim.
struct Host {
    root: TempDir,
    agent: Agent,
    claim: Claim,
}

impl Host {
    async fn start() -> Self {
        let root = root();
        let mut agent = Agent::start(root.path()).await;
        let claim = agent.lock().await;
        Self { root, agent, claim }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join("usr/local/lib/ha").join(path)
    }

    fn request(&self, url: String, artifact: Artifact) -> FetchArtifactRequest {
        let (claim, artifact) = (Some(self.claim.clone()), Some(artifact));
        FetchArtifactRequest { claim, artifact, url, ..FetchArtifactRequest::default() }
    }

    async fn fetch(&mut self, url: String, artifact: Artifact) -> Result<bool, Status> {
        let request = self.request(url, artifact);
        fetched(&mut self.agent, request).await.map(|(changed, _)| changed)
    }

    async fn upload(
        &mut self,
        artifact: Artifact,
        size: usize,
        data: &[u8],
    ) -> Result<bool, Status> {
        let mut messages = vec![self.open(artifact, size)];
        messages.extend(data.chunks(256 << 10).map(chunk));
        Ok(self.agent.client.upload_artifact(iter(messages)).await?.into_inner().changed)
    }

    fn open(&self, artifact: Artifact, size: usize) -> UploadArtifactRequest {
        let open = UploadArtifactOpen {
            claim: Some(self.claim.clone()),
            artifact: Some(artifact),
            size: size as u64,
        };
        let message = Some(upload_artifact_request::Message::Open(open));
        UploadArtifactRequest { message }
    }

    async fn switch(&mut self, version: &str) -> Result<bool, Status> {
        let request = SwitchArtifactRequest {
            claim: Some(self.claim.clone()),
            project: "etcd".to_owned(),
            version: version.to_owned(),
        };
        Ok(self.agent.client.switch_artifact(request).await?.into_inner().changed)
    }

    async fn remove(&mut self, version: &str) -> Result<bool, Status> {
        let request = RemoveArtifactRequest {
            claim: Some(self.claim.clone()),
            project: "etcd".to_owned(),
            version: version.to_owned(),
        };
        Ok(self.agent.client.remove_artifact(request).await?.into_inner().changed)
    }

    async fn seen(&mut self) -> Project {
        let request = FactsRequest { projects: vec!["etcd".to_owned()], ..FactsRequest::default() };
        self.agent.client.facts(request).await.unwrap().into_inner().projects.remove(0)
    }
}

async fn fetched(
    agent: &mut Agent,
    request: FetchArtifactRequest,
) -> Result<(bool, Vec<Progress>), Status> {
    let mut answers = agent.client.fetch_artifact(request).await?.into_inner();
    let mut told = Vec::new();
    while let Some(answer) = timeout(LONG, answers.message()).await.unwrap()? {
        match answer.message.unwrap() {
            Answer::Progress(progress) => told.push(progress),
            Answer::Fetched(fetched) => return Ok((fetched.changed, told)),
        }
    }
    panic!("no outcome");
}

fn chunk(data: &[u8]) -> UploadArtifactRequest {
    let message = Some(upload_artifact_request::Message::Data(data.to_vec().into()));
    UploadArtifactRequest { message }
}

/// A program of a version.
fn program(version: &str, name: &str, content: &[u8]) -> Artifact {
    Artifact {
        project: "etcd".to_owned(),
        version: version.to_owned(),
        file: format!("{name}-linux-amd64"),
        digest: Sha256::digest(content).to_vec().into(),
        members: vec![Member { path: String::new(), name: name.to_owned() }],
    }
}

fn names(folder: &Path) -> Vec<OsString> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    names
}

/// Not to be compressed away. Made before the agent is started: it ends when its client answers no ping for seconds,
/// as a test that computes does not.
fn content(length: usize) -> Vec<u8> {
    let next = |it: &u64| Some(it.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    let noise = std::iter::successors(Some(1_u64), next).map(|it| it.to_be_bytes()[0]);
    noise.take(length).collect()
}

fn packed(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

/// Waits for a state of the host.
async fn until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "it did not come to that");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
