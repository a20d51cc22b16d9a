//! Programs of projects, side by side by version: brought here, verified, installed as a whole, switched at once.
//!
//! Reading order: `wanted` is what is asked for; `part` the file that it is brought into; `install` makes a version of
//! it. `project` is the directory of a project, `note` what is remembered of each file.

mod download;
mod install;
mod look;
mod note;
mod part;
mod project;
mod switch;
mod unpack;
mod wanted;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::{Status, Streaming};

use self::download::Source;
use self::wanted::Wanted;
use super::change::{Deed, Host};
use super::fault::Fault;
use super::program::ended;
use crate::proto::agent::fetch_artifact_reply::Message as Answer;
use crate::proto::agent::upload_artifact_request::Message as Upload;
use crate::proto::agent::{
    FetchArtifactReply, FetchArtifactRequest, Fetched, RemoveArtifactRequest,
    SwitchArtifactRequest, UploadArtifactRequest,
};

pub(super) use self::look::look;
pub(super) use self::part::{available, full};

/// Nothing came for so long.
const STALL: Duration = Duration::from_secs(30);
/// Of an upload.
const LARGEST_CHUNK: usize = 256 << 10;
/// Chunks on their way to the disk.
const WAITING: usize = 8;

type Answers = mpsc::Sender<Result<FetchArtifactReply, Status>>;

/// Downloads and installs. The outcome is the last answer.
pub(super) async fn fetch(host: &Arc<Host>, request: FetchArtifactRequest, answers: Answers) {
    let fetched = fetch_to_end(host, request, answers.clone()).await;
    let answer = fetched
        .map(|changed| FetchArtifactReply { message: Some(Answer::Fetched(Fetched { changed })) });
    // A client that is gone needs no answer.
    let _ = answers.send(answer.map_err(Status::from)).await;
}

async fn fetch_to_end(
    host: &Arc<Host>,
    mut request: FetchArtifactRequest,
    answers: Answers,
) -> Result<bool, Fault> {
    let (claim, proxy) = (request.claim.take(), std::mem::take(&mut request.proxy));
    let wanted = Wanted::parse(request.artifact.as_ref())?;
    let source = Source::parse(&request.url, proxy, &request.authorities, STALL)?;
    let (deed, here) = (Deed::new(format!("fetch {wanted}"), &request), Arc::clone(host));
    let work = async move {
        let download = |chunks, size| async move {
            tokio::select! {
                done = source.download(chunks, size, &answers) => done,
                () = answers.closed() => Err(broken_off("nobody waits for it any more")),
            }
        };
        bring(&here, wanted, download).await
    };
    host.change(claim, deed, work).await
}

/// Takes what the client sends and installs it.
pub(super) async fn upload(
    host: &Arc<Host>,
    mut requests: Streaming<UploadArtifactRequest>,
) -> Result<bool, Status> {
    let Some(Upload::Open(mut open)) = requests.message().await?.and_then(|it| it.message) else {
        return Err(Fault::Invalid("the first message opens the upload".to_owned()).into());
    };
    let claim = open.claim.take();
    let wanted = Wanted::parse(open.artifact.as_ref())?;
    let (deed, here) = (Deed::new(format!("take {wanted}"), &open), Arc::clone(host));
    let work = async move {
        bring(&here, wanted, |chunks, size| receive(open.size, requests, chunks, size)).await
    };
    Ok(host.change(claim, deed, work).await?)
}

async fn receive(
    expected: u64,
    mut requests: Streaming<UploadArtifactRequest>,
    chunks: mpsc::Sender<Bytes>,
    size: Size,
) -> Result<(), Fault> {
    size.announce(expected)?;
    let mut done = 0;
    loop {
        let message = timeout(STALL, requests.message()).await;
        let message = message.map_err(|_| broken_off(&format!("nothing came for {STALL:?}")))?;
        let data = match message {
            Ok(None) => break,
            Ok(Some(UploadArtifactRequest { message: Some(Upload::Data(data)) })) => data,
            Ok(Some(_)) => return Err(Fault::Invalid("only data follows".to_owned())),
            Err(status) => return Err(broken_off(status.message())),
        };
        done += data.len() as u64;
        if data.len() > LARGEST_CHUNK || done > expected {
            let text =
                format!("a chunk has more than {LARGEST_CHUNK} bytes, or all more than said");
            return Err(Fault::Invalid(text));
        }
        if chunks.send(data).await.is_err() {
            return Ok(());
        }
    }
    if done == expected {
        return Ok(());
    }
    Err(Fault::Refused(format!("{done} bytes came, of {expected}")))
}

/// Makes sure that a version has what is wanted. `source` sends what it has, and first its size if that is known.
async fn bring<F>(
    host: &Arc<Host>,
    wanted: Wanted,
    source: impl FnOnce(mpsc::Sender<Bytes>, Size) -> F,
) -> Result<bool, Fault>
where
    F: Future<Output = Result<(), Fault>>,
{
    let wanted = Arc::new(wanted);
    let asked = Arc::clone(&wanted);
    if host.blocking(move |it| install::is_there(&it.root, &asked)).await? {
        return Ok(false);
    }
    let asked = Arc::clone(&wanted);
    let part = host.blocking(move |it| part::Part::begin(&it.root, &asked)).await?;
    let (size, announced) = Size::channel();
    let (sender, chunks) = mpsc::channel(WAITING);
    let ending = host.life.ending();
    let sending = async {
        tokio::select! {
            done = source(sender, size) => done,
            () = ended(Some(ending)) => Err(broken_off("the agent ends")),
        }
    };
    let filling = host.blocking(move |_| part.fill(announced, chunks));
    let (sent, filled) = tokio::join!(sending, filling);
    // A source stops without a fault of its own when its chunks are not taken.
    let filled = filled?;
    sent?;
    host.blocking(move |it| install::install(&it.root, &wanted, filled)).await?;
    Ok(true)
}

fn broken_off(why: &str) -> Fault {
    Fault::Refused(format!("the transfer was broken off: {why}"))
}

/// Tells, once, how much is to come.
#[derive(Debug)]
struct Size(tokio::sync::oneshot::Sender<u64>);

impl Size {
    fn channel() -> (Self, tokio::sync::oneshot::Receiver<u64>) {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        (Self(sender), receiver)
    }

    /// # Errors
    /// More than any artifact has.
    fn announce(self, size: u64) -> Result<(), Fault> {
        part::check_size(size)?;
        // The part may have come to its end already; its own fault is the one to tell.
        let _ = self.0.send(size);
        Ok(())
    }
}

/// Points `current` to a version. True when it was another.
pub(super) async fn switch(
    host: &Arc<Host>,
    mut request: SwitchArtifactRequest,
) -> Result<bool, Fault> {
    let claim = request.claim.take();
    let deed =
        Deed::new(format!("switch {:?} to {:?}", request.project, request.version), &request);
    let work = move |root: &_| switch::switch(root, &request.project, &request.version);
    host.change_files(claim, deed, work).await
}

/// Removes a version. True when it was there.
pub(super) async fn remove(
    host: &Arc<Host>,
    mut request: RemoveArtifactRequest,
) -> Result<bool, Fault> {
    let claim = request.claim.take();
    let deed = Deed::new(format!("remove {:?} {:?}", request.project, request.version), &request);
    let work = move |root: &_| switch::remove(root, &request.project, &request.version);
    host.change_files(claim, deed, work).await
}
