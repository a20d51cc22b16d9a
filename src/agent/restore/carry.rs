//! A snapshot on its way from host to host.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::{Status, Streaming};

use super::draft::{Draft, has_digest};
use crate::agent::change::{Deed, Host};
use crate::agent::fault::Fault;
use crate::agent::files::look;
use crate::agent::place::HostPath;
use crate::proto::agent::put_snapshot_request::Message;
use crate::proto::agent::{
    PutSnapshotOpen, PutSnapshotRequest, ReadSnapshotReply, ReadSnapshotRequest,
};

/// What one message holds.
const CHUNK: usize = 256 << 10;
/// Chunks on their way to the disk.
const WAITING: usize = 8;
/// Nothing came for so long.
const STALL: Duration = Duration::from_secs(30);

type Answers = mpsc::Sender<Result<ReadSnapshotReply, Status>>;

/// Sends a file, part by part.
pub(in crate::agent) async fn read(
    host: &Arc<Host>,
    request: &ReadSnapshotRequest,
    answers: Answers,
) -> Result<(), Fault> {
    let path = HostPath::parse(&request.path)?;
    let at = path.clone();
    let opened = host.blocking(move |it| look::open(&it.root.place(&at)?)).await?;
    let Some((file, _)) = opened else {
        return Err(Fault::Refused(format!("{path} is not there")));
    };
    let here = Arc::clone(host);
    tokio::spawn(async move {
        let sending = move |_: &Host| {
            send(file, &answers, &path);
            Ok(())
        };
        here.blocking(sending).await.is_ok()
    });
    Ok(())
}

/// Until there is no more, or nobody listens. Blocks.
fn send(mut file: File, answers: &Answers, path: &HostPath) {
    loop {
        let mut part = vec![0; CHUNK];
        let answer = match file.read(&mut part) {
            Ok(0) => return,
            Ok(count) => {
                part.truncate(count);
                Ok(ReadSnapshotReply { data: part.into() })
            }
            Err(error) => Err(Fault::failed(format!("read {path}"))(error).into()),
        };
        let is_over = answer.is_err();
        if answers.blocking_send(answer).is_err() || is_over {
            return;
        }
    }
}

/// Takes a file that the client sends. Whether it was not there.
pub(in crate::agent) async fn put(
    host: &Arc<Host>,
    mut requests: Streaming<PutSnapshotRequest>,
) -> Result<bool, Status> {
    let Some(Message::Open(mut open)) = requests.message().await?.and_then(|it| it.message) else {
        return Err(Fault::Invalid("the first message opens the file".to_owned()).into());
    };
    let (claim, path) = (open.claim.take(), HostPath::parse(&open.path)?);
    let (deed, here) = (Deed::new(format!("take {path}"), &open), Arc::clone(host));
    let work = async move {
        let (at, digest) = (path.clone(), open.digest.clone());
        if here.blocking(move |it| has_digest(&it.root, &at, &digest)).await? {
            return Ok(false);
        }
        let (at, size) = (path.clone(), open.size);
        let draft = here.blocking(move |it| Draft::begin(&it.root, &at, size)).await?;
        let (sender, parts) = mpsc::channel(WAITING);
        let filling = here.blocking(move |_| fill(draft, parts, &open, &path));
        let (sent, kept) = tokio::join!(receive(requests, sender), filling);
        sent?;
        kept.map(|()| true)
    };
    Ok(host.change(claim, deed, work).await?)
}

async fn receive(
    mut requests: Streaming<PutSnapshotRequest>,
    parts: mpsc::Sender<Bytes>,
) -> Result<(), Fault> {
    let broken_off = |why: &str| Fault::Refused(format!("it was broken off: {why}"));
    loop {
        let message = timeout(STALL, requests.message()).await;
        let message = message.map_err(|_| broken_off(&format!("nothing came for {STALL:?}")))?;
        let data = match message {
            Ok(None) => return Ok(()),
            Ok(Some(PutSnapshotRequest { message: Some(Message::Data(data)) })) => data,
            Ok(Some(_)) => return Err(Fault::Invalid("only data follows".to_owned())),
            Err(status) => return Err(broken_off(status.message())),
        };
        if parts.send(data).await.is_err() {
            // Why, is told by who does not take them any more.
            return Ok(());
        }
    }
}

/// Writes what comes until there is no more, and keeps it if it is what was said. Blocks.
fn fill(
    draft: Draft,
    pieces: mpsc::Receiver<Bytes>,
    open: &PutSnapshotOpen,
    path: &HostPath,
) -> Result<(), Fault> {
    let (mut digest, mut done) = (Sha256::new(), 0);
    draft.part.fill(pieces, path, |piece| {
        done += piece.len() as u64;
        if open.size < done {
            return Err(Fault::Refused(format!("more than {} bytes came", open.size)));
        }
        digest.update(piece);
        Ok(())
    })?;
    if done != open.size {
        return Err(Fault::Refused(format!("{done} bytes came, of {}", open.size)));
    }
    if digest.finalize()[..] != open.digest[..] {
        return Err(Fault::Refused(format!("what came for {path} has another digest")));
    }
    draft.keep()
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use std::fs;

    use super::*;
    use crate::agent::place::Root;

    #[test]
    fn what_is_not_as_was_said_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let path = HostPath::parse(b"/a/b/it.db").unwrap();
        let bring = |parts: &[&str], size: u64| {
            let open = PutSnapshotOpen {
                digest: Sha256::digest("data").to_vec().into(),
                size,
                ..PutSnapshotOpen::default()
            };
            let (sender, waiting) = mpsc::channel(8);
            for part in parts {
                sender.try_send(Bytes::copy_from_slice(part.as_bytes())).unwrap();
            }
            drop(sender);
            let draft = Draft::begin(&root, &path, size).unwrap();
            let done = fill(draft, waiting, &open, &path);
            done.map_err(|it| Status::from(it).message().to_owned())
        };
        let check = |parts: &[&str], expected: &str| {
            assert_eq!(bring(parts, 4).unwrap_err(), expected);
            assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 0);
        };
        check(&["da", "t"], "3 bytes came, of 4");
        check(&["data", "x"], "more than 4 bytes came");
        check(&["date"], "what came for /a/b/it.db has another digest");
        bring(&["da", "ta"], 4).unwrap();
        assert_eq!(fs::read(folder.path().join("a/b/it.db")).unwrap(), b"data");
        assert!(has_digest(&root, &path, &Sha256::digest("data")).unwrap());
        assert!(!has_digest(&root, &path, b"x").unwrap());
    }
}
