//! A host with an agent to talk to: the calls that change nothing.
#![expect(
    clippy::disallowed_methods,
    reason = "heartbeats are sent by the clock, and clocks are compared"
)]

use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::interval;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Response, Status};
use tracing::debug;

use super::channel::{Broken, Channel, broken};
use super::connect::{ConnectError, Stream};
use super::messages::{
    DialRequest, Dialled, FactsReply, FactsRequest, GetRecordsRequest, HeartbeatRequest,
    HelloRequest, JournalEntry, ListenReply, ListenRequest, LogsRequest, ReadJournalRequest,
    ReadReply, ReadRequest, Record,
};
use super::{HostError, HostName};
use crate::proto::agent::agent_client::AgentClient;

/// The agent ends 30 s after the last one.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Of the messages that this provider speaks.
const FORMAT: u32 = 1;
/// The largest file in one message, and room for what is around it.
const MESSAGE_LIMIT: usize = (16 << 20) + (64 << 10);

/// What a host says of itself, and how its clock stands to ours.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    reply: FactsReply,
    /// Nanoseconds by which the clock of the host is ahead of ours, or behind, that the round trip does not explain.
    pub ahead: i128,
}

impl Facts {
    /// For tests of what is made of facts.
    pub fn new(reply: FactsReply, ahead: i128) -> Self {
        Self { reply, ahead }
    }
}

impl Deref for Facts {
    type Target = FactsReply;

    fn deref(&self) -> &FactsReply {
        &self.reply
    }
}

/// The host answered somewhen between the two, so a time between them is no difference.
fn ahead(clock: i64, asked: SystemTime, answered: SystemTime) -> i128 {
    let nanoseconds = |it: SystemTime| match it.duration_since(UNIX_EPOCH) {
        Ok(since) => i128::try_from(since.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
    };
    let (clock, asked, answered) = (i128::from(clock), nanoseconds(asked), nanoseconds(answered));
    clock.saturating_sub(clock.clamp(asked, answered.max(asked)))
}

/// A connection to the agent of one host. Clones share it; it ends with the last of them.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    name: HostName,
    key: Option<String>,
    user: u32,
    channel: Channel,
    client: AgentClient<Channel>,
    _end: DropGuard,
}

impl Host {
    /// Speaks to the agent at the other end of a stream, which has said its first line. `caller` is told to whoever
    /// finds a lock taken. `key` is what the host has proven to be, where the way there has such a thing.
    ///
    /// # Errors
    /// Nobody answers there, or an agent that speaks otherwise.
    pub async fn open(
        name: HostName,
        stream: impl Stream,
        caller: &str,
        key: Option<String>,
    ) -> Result<Self, ConnectError> {
        let (channel, connection) =
            Channel::open(stream).await.map_err(|it| ConnectError::Silent(it.into()))?;
        let end = CancellationToken::new();
        let ended = end.clone();
        let of = name.clone();
        tokio::spawn(async move {
            let over = ended.run_until_cancelled(connection).await;
            debug!(host = %of, reason = ?over.map(Result::err), "the connection ended");
        });
        let origin = http::Uri::from_static("http://agent");
        let client = AgentClient::with_origin(channel.clone(), origin)
            .max_decoding_message_size(MESSAGE_LIMIT)
            .max_encoding_message_size(MESSAGE_LIMIT);
        let hello = HelloRequest { caller: caller.to_owned() };
        let said = client
            .clone()
            .hello(hello)
            .await
            .map_err(|it| ConnectError::Silent(it.into()))?
            .into_inner();
        if said.format != FORMAT {
            let (theirs, version) = (said.format, said.version);
            let text =
                format!("the agent {version} speaks format {theirs}, and this provider {FORMAT}");
            return Err(ConnectError::Refused(text.into()));
        }
        tokio::spawn(beat(client.clone(), end.clone()));
        let inner = Inner { name, key, user: said.user, channel, client, _end: end.drop_guard() };
        Ok(Self(Arc::new(inner)))
    }

    /// How the user calls it.
    pub fn name(&self) -> &HostName {
        &self.0.name
    }

    /// The key that it proved to have, as in known_hosts: "ssh-ed25519 AAAA…". None for a local one.
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// Whether the agent runs as root.
    pub fn is_root(&self) -> bool {
        self.0.user == 0
    }

    /// Whether a call has a chance. A connection that was lost without a word still counts as open for some seconds.
    pub fn is_open(&self) -> bool {
        self.0.channel.is_open()
    }

    /// Whether both speak over one connection: a lock of one is then a lock of the other.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Everything that is asked, in one message.
    ///
    /// # Errors
    /// As every call, see [`HostError`].
    pub async fn facts(&self, request: FactsRequest) -> Result<Facts, HostError> {
        let asked = SystemTime::now();
        let call = self.call("tell its facts", async |mut it| it.facts(request).await);
        let reply = call.await?;
        let ahead = ahead(reply.clock, asked, SystemTime::now());
        Ok(Facts { reply, ahead })
    }

    /// A regular file of at most `limit` bytes (0: 16 MiB), or that there is none.
    ///
    /// # Errors
    /// It is larger, or no file, or cannot be read.
    pub async fn read(&self, path: &str, limit: u64) -> Result<ReadReply, HostError> {
        let request = ReadRequest { path: path.to_owned().into(), limit };
        self.call(format!("read {path}"), async |mut it| it.read(request).await).await
    }

    /// The records with these names; those that are not there are left out. No names: all of them.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub async fn records(&self, names: &[&str]) -> Result<Vec<Record>, HostError> {
        let request = GetRecordsRequest { names: names.iter().map(|&it| it.to_owned()).collect() };
        let read = self.call("tell its records", async |mut it| it.get_records(request).await);
        Ok(read.await?.records)
    }

    /// The newest lines of what a service wrote, at most 64 KiB.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn logs(&self, unit: &str, lines: u32) -> Result<String, HostError> {
        let request = LogsRequest { unit: unit.to_owned(), lines };
        let call = format!("tell the log of {unit}");
        let text = self.call(call, async |mut it| it.logs(request).await).await?.text;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The newest entries of the journal under a lock, oldest first.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn journal(&self, lock: &str, last: u32) -> Result<Vec<JournalEntry>, HostError> {
        let request = ReadJournalRequest { last, lock: lock.to_owned() };
        let read = self.call("read its journal", async |mut it| it.read_journal(request).await);
        Ok(read.await?.entries)
    }

    /// Whether its packets reach these addresses with ports, in their order. Takes 10 s at most.
    ///
    /// # Errors
    /// As every call.
    pub async fn dial(&self, targets: &[SocketAddr]) -> Result<Vec<Dialled>, HostError> {
        let targets = targets.iter().map(ToString::to_string).collect();
        self.dials(DialRequest { targets, ..DialRequest::default() }).await
    }

    /// Whether members of etcd are at these addresses that the host knows and that know it, in their order. The files are
    /// paths on the host: authority, certificate and key.
    ///
    /// # Errors
    /// As every call; also where there are no such files.
    pub async fn meet(
        &self,
        targets: &[SocketAddr],
        files: [String; 3],
    ) -> Result<Vec<Dialled>, HostError> {
        let targets = targets.iter().map(ToString::to_string).collect();
        let [authority, certificate, key] = files.map(Into::into);
        self.dials(DialRequest { targets, authority, certificate, key }).await
    }

    async fn dials(&self, request: DialRequest) -> Result<Vec<Dialled>, HostError> {
        let dialled = self.call("reach other hosts", async |mut it| it.dial(request).await);
        Ok(dialled.await?.dialled)
    }

    /// Who else is on the network of an interface.
    ///
    /// # Errors
    /// As every call.
    pub async fn listen(&self, request: ListenRequest) -> Result<ListenReply, HostError> {
        self.call("listen on its network", async |mut it| it.listen(request).await).await
    }

    pub(super) fn client(&self) -> AgentClient<Channel> {
        self.0.client.clone()
    }

    /// One call, and what its failure means.
    pub(super) async fn call<T>(
        &self,
        what: impl Into<String>,
        call: impl AsyncFnOnce(AgentClient<Channel>) -> Result<Response<T>, Status>,
    ) -> Result<T, HostError> {
        if !self.is_open() {
            let source = "the connection had ended before".into();
            return Err(HostError::Unreachable { host: self.0.name.clone(), source });
        }
        let what = what.into();
        let answer = call(self.client()).await;
        answer.map(Response::into_inner).map_err(|it| self.explain(&what, it))
    }

    /// Which of the three kinds a failure is of. The code of a status alone cannot tell: tonic gives the same ones to
    /// what an agent said and to what became of the connection. Only the latter has a source.
    pub(super) fn explain(&self, call: &str, status: Status) -> HostError {
        let (host, call) = (self.0.name.clone(), call.to_owned());
        match (broken(&status), status.code()) {
            (Some(Broken::Before(_)), _) => {
                HostError::Unreachable { host, source: Box::new(status) }
            }
            (Some(Broken::Midway(_)), _) => {
                HostError::Interrupted { host, call, source: Box::new(status) }
            }
            // The agent is ending and has not begun; or tonic found the connection closed before it sent anything.
            (None, Code::Aborted | Code::Unknown) => {
                HostError::Unreachable { host, source: status.message().into() }
            }
            (None, Code::InvalidArgument | Code::FailedPrecondition | Code::Internal)
                if std::error::Error::source(&status).is_none() =>
            {
                HostError::Failed { host, call, reason: status.message().to_owned() }
            }
            _ => HostError::Interrupted { host, call, source: Box::new(status) },
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("name", &self.0.name).finish_non_exhaustive()
    }
}

async fn beat(mut client: AgentClient<Channel>, end: CancellationToken) {
    let mut beats = interval(HEARTBEAT);
    while end.run_until_cancelled(beats.tick()).await.is_some() {
        if client.heartbeat(HeartbeatRequest {}).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_within_the_round_trip_is_right() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let check = |clock: i64, expected: i128| {
            assert_eq!(ahead(clock * 1_000_000_000, at(100), at(102)), expected * 1_000_000_000);
        };
        check(100, 0);
        check(101, 0);
        check(102, 0);
        check(110, 8);
        check(93, -7);
        // Our own clock was put back meanwhile.
        assert_eq!(ahead(101_000_000_000, at(102), at(100)), -1_000_000_000);
    }
}
