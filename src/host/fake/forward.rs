//! What a connection to a port of a host in memory brings.

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, split};
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::files::text;
use super::{FakeHost, PIPE};
use crate::proto::agent::{
    DialReply, DialRequest, Dialled, ForwardEnded, ForwardOpen, ForwardOpened, ForwardReply,
    ForwardRequest, dialled, forward_open, forward_reply, forward_request,
};

/// What waits on the way before its sender waits.
const WAITING: usize = 4;

type Replies = mpsc::Sender<Result<ForwardReply, Status>>;

/// That it is open, and what its service says.
pub(super) async fn answers(
    host: &FakeHost,
    mut requests: Streaming<ForwardRequest>,
) -> Result<ReceiverStream<Result<ForwardReply, Status>>, Status> {
    let first = requests.message().await?.and_then(|it| it.message);
    let Some(forward_request::Message::Open(ForwardOpen { target: Some(target) })) = first else {
        return Err(Status::invalid_argument("the first message opens the stream"));
    };
    let address = match target {
        forward_open::Target::Tcp(address) => address,
        forward_open::Target::Unix(path) => text(&path),
    };
    let Some(stream) = open(host, &address).await else {
        return Err(Status::internal(format!("cannot connect to {address}: refused")));
    };
    let (replies, answers) = mpsc::channel(WAITING);
    let (reader, writer) = split(stream);
    tokio::spawn(receive(requests, writer));
    tokio::spawn(send(reader, replies));
    Ok(ReceiverStream::new(answers))
}

/// To a service that says one text, or to a program around the host.
async fn open(host: &FakeHost, address: &str) -> Option<DuplexStream> {
    if let Some(text) = host.hear(address) {
        let (near, mut far) = tokio::io::duplex(PIPE.max(text.len()));
        far.write_all(text.as_bytes()).await.ok()?;
        return Some(near);
    }
    host.comes(None);
    host.connect(address)
}

/// To the service.
async fn receive(mut requests: Streaming<ForwardRequest>, mut writer: WriteHalf<DuplexStream>) {
    while let Ok(Some(ForwardRequest { message })) = requests.message().await {
        let Some(forward_request::Message::Data(data)) = message else { continue };
        if writer.write_all(&data).await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}

/// From the service.
async fn send(mut reader: ReadHalf<DuplexStream>, replies: Replies) {
    let reply = |message| Ok(ForwardReply { message: Some(message) });
    let opened = forward_reply::Message::Opened(ForwardOpened {});
    if replies.send(reply(opened)).await.is_err() {
        return;
    }
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(64 << 10);
        let message = match reader.read_buf(&mut buffer).await {
            Ok(1..) => forward_reply::Message::Data(buffer.split().freeze()),
            _ => forward_reply::Message::Ended(ForwardEnded {}),
        };
        let is_last = matches!(message, forward_reply::Message::Ended(_));
        if replies.send(reply(message)).await.is_err() || is_last {
            return;
        }
    }
}

/// Who is reached from there.
pub(super) fn dial(host: &FakeHost, request: DialRequest) -> DialReply {
    let state = host.state();
    let dialled = |target: String| {
        if state.walls.contains(&target) {
            return Dialled { target, error: "timed out".to_owned(), ..Dialled::default() };
        }
        let outcome = match state.between.get(&target) {
            Some(_) if !request.authority.is_empty() => dialled::Outcome::Unproven,
            _ => dialled::Outcome::Open,
        };
        let error = state.between.get(&target).cloned().unwrap_or_default();
        Dialled { target, outcome: outcome.into(), error }
    };
    DialReply { dialled: request.targets.into_iter().map(dialled).collect() }
}
