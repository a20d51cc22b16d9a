//! Snapshots on their way to hosts, and what is made of them there.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;

use super::messages::put_snapshot_request::Message;
use super::messages::{
    PrepareMemberRequest, PutSnapshotOpen, PutSnapshotRequest, ReadSnapshotRequest,
    StageSnapshotReply, StageSnapshotRequest, SwitchMemberRequest,
};
use super::{Host, HostError, Locked};

/// The most that one message may hold.
const CHUNK: usize = 256 << 10;
const WAITING: usize = 8;

/// Where a file comes from that is brought to a host.
#[derive(Clone, Debug)]
pub enum Feed {
    /// This machine.
    Here(PathBuf),
    /// A host, and the path there.
    There(Host, String),
}

impl Locked {
    /// Proves a stored snapshot, by its manifest if one is named, and lays its data open; the claim is added.
    ///
    /// # Errors
    /// It is not what it should be. Then nothing was kept.
    pub async fn stage_snapshot(
        &self,
        request: StageSnapshotRequest,
    ) -> Result<StageSnapshotReply, HostError> {
        let path = String::from_utf8_lossy(&request.path).into_owned();
        let request = StageSnapshotRequest { claim: self.claim(), ..request };
        let call = format!("prove the snapshot {path}");
        self.call(call, async |mut it| it.stage_snapshot(request).await).await
    }

    /// Brings a file of this SHA-256 and size to a path of the host. Whether it was not there.
    ///
    /// # Errors
    /// It cannot be read where it comes from, or is another. Then nothing was kept.
    pub async fn put_snapshot(
        &self,
        path: &str,
        (digest, size): (&[u8], u64),
        from: Feed,
    ) -> Result<bool, HostError> {
        let open = PutSnapshotOpen {
            claim: self.claim(),
            path: path.to_owned().into(),
            digest: digest.to_vec().into(),
            size,
        };
        let (sender, requests) = mpsc::channel(WAITING);
        let sends = tokio::spawn(async move {
            let first = PutSnapshotRequest { message: Some(Message::Open(open)) };
            if sender.send(first).await.is_ok() {
                feed(from, sender).await?;
            }
            Ok::<_, HostError>(())
        });
        let requests = ReceiverStream::new(requests);
        let call = format!("take {path}");
        let taken = self.call(call, async |mut it| it.put_snapshot(requests).await).await;
        // What the host says of a file that ended too early tells less than why it did.
        if taken.is_err()
            && sends.is_finished()
            && let Ok(Err(source)) = sends.await
        {
            return Err(source);
        }
        Ok(taken?.changed)
    }

    /// Makes a data directory out of a snapshot beside the one that it is to replace; the claim is added. Whether it was
    /// not there.
    ///
    /// # Errors
    /// The snapshot is another, or etcdutl fails.
    pub async fn prepare_member(&self, request: PrepareMemberRequest) -> Result<bool, HostError> {
        let path = String::from_utf8_lossy(&request.data_dir).into_owned();
        let request = PrepareMemberRequest { claim: self.claim(), ..request };
        let call = format!("prepare what takes the place of {path}");
        Ok(self.call(call, async |mut it| it.prepare_member(request).await).await?.changed)
    }

    /// Puts it there; the claim is added. Where lies now what was there, if anything was.
    ///
    /// # Errors
    /// Nothing was prepared with this mark.
    pub async fn switch_member(
        &self,
        request: SwitchMemberRequest,
    ) -> Result<Option<String>, HostError> {
        let path = String::from_utf8_lossy(&request.data_dir).into_owned();
        let request = SwitchMemberRequest { claim: self.claim(), ..request };
        let call = format!("put what was prepared in the place of {path}");
        let aside = self.call(call, async |mut it| it.switch_member(request).await).await?.aside;
        Ok((!aside.is_empty()).then(|| String::from_utf8_lossy(&aside).into_owned()))
    }
}

/// SHA-256 and size of a file of this machine.
///
/// # Errors
/// It cannot be read.
pub async fn sum_here(path: &Path) -> io::Result<([u8; 32], u64)> {
    let (mut file, mut digest, mut size) = (File::open(path).await?, Sha256::new(), 0);
    let mut part = vec![0; CHUNK];
    loop {
        let read = file.read(&mut part).await?;
        if read == 0 {
            return Ok((digest.finalize().into(), size));
        }
        digest.update(&part[..read]);
        size += read as u64;
    }
}

/// All of a file of this machine that is not large.
///
/// # Errors
/// It is, or cannot be read.
pub async fn read_here(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path).await?.take(most + 1).read_to_end(&mut content).await?;
    if most < content.len() as u64 {
        return Err(io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok(content)
}

/// Sends a file on, until nobody takes it any more.
async fn feed(from: Feed, sender: mpsc::Sender<PutSnapshotRequest>) -> Result<(), HostError> {
    let data = |part: Bytes| PutSnapshotRequest { message: Some(Message::Data(part)) };
    match from {
        Feed::Here(path) => {
            // The host notices what is missing.
            let Ok(mut file) = File::open(&path).await else { return Ok(()) };
            let mut buffer = BytesMut::new();
            loop {
                buffer.reserve(CHUNK);
                let part = (&mut file).take(CHUNK as u64).read_buf(&mut buffer).await;
                if !matches!(part, Ok(1..))
                    || sender.send(data(buffer.split().freeze())).await.is_err()
                {
                    return Ok(());
                }
            }
        }
        Feed::There(host, path) => {
            let call = format!("read {path}");
            let request = ReadSnapshotRequest { path: path.into() };
            let mut parts =
                host.call(call.clone(), async |mut it| it.read_snapshot(request).await).await?;
            while let Some(part) =
                parts.message().await.map_err(|status| host.explain(&call, status))?
            {
                if sender.send(data(part.data)).await.is_err() {
                    break;
                }
            }
            Ok(())
        }
    }
}
