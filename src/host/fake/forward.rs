//! What a connection to a port of a host in memory brings.

use tonic::{Status, Streaming};

use super::FakeHost;
use crate::proto::agent::{
    DialReply, DialRequest, Dialled, ForwardOpen, ForwardOpened, ForwardReply, ForwardRequest,
    dialled, forward_open, forward_reply, forward_request,
};

/// That it is open, and the text that its service says.
pub(super) async fn answers(
    host: &FakeHost,
    mut requests: Streaming<ForwardRequest>,
) -> Result<[Result<ForwardReply, Status>; 2], Status> {
    let first = requests.message().await?.and_then(|it| it.message);
    let Some(forward_request::Message::Open(ForwardOpen {
        target: Some(forward_open::Target::Tcp(address)),
    })) = first
    else {
        return Err(Status::invalid_argument("a host in memory has TCP ports alone"));
    };
    let Some(text) = host.hear(&address) else {
        return Err(Status::internal(format!("cannot connect to {address}: refused")));
    };
    let answers = [
        forward_reply::Message::Opened(ForwardOpened {}),
        forward_reply::Message::Data(text.into()),
    ];
    Ok(answers.map(|it| Ok(ForwardReply { message: Some(it) })))
}

/// Who is reached from there.
pub(super) fn dial(host: &FakeHost, request: DialRequest) -> DialReply {
    let state = host.state();
    let dialled = |target: String| {
        if state.walls.contains(&target) {
            return Dialled { target, error: "timed out".to_owned(), ..Dialled::default() };
        }
        Dialled { target, outcome: dialled::Outcome::Open.into(), ..Dialled::default() }
    };
    DialReply { dialled: request.targets.into_iter().map(dialled).collect() }
}
