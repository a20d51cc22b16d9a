//! The API of etcd: one connection to one member, over any stream.
//!
//! Nothing is repeated here. A change of membership whose answer is lost is neither done nor failed: only the next list
//! tells ([`CallError::is_refusal`]).

mod channel;
#[cfg(feature = "agent")]
mod cover;
#[cfg(test)]
pub(crate) mod fake;
#[cfg(feature = "provider")]
mod health;
#[cfg(feature = "provider")]
mod metrics;
#[cfg(feature = "provider")]
mod plain;
mod snapshot;

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::{Code, Status};

pub use self::channel::{Channel, Credentials, OpenError};
#[cfg(feature = "agent")]
pub use self::cover::{Cover, CoverKey};
#[cfg(feature = "provider")]
pub use self::health::{Health, health};
#[cfg(feature = "provider")]
pub use self::metrics::snapshots_saved;
pub use self::snapshot::{Damage, Proof};
#[cfg(feature = "provider")]
use crate::proto::etcd::RangeRequest;
use crate::proto::etcd::alarm_request::Action;
use crate::proto::etcd::cluster_client::ClusterClient;
use crate::proto::etcd::kv_client::KvClient;
use crate::proto::etcd::maintenance_client::MaintenanceClient;
pub use crate::proto::etcd::{AlarmMember, AlarmType, Member, StatusResponse};
use crate::proto::etcd::{
    AlarmRequest, DeleteRangeRequest, MemberAddRequest, MemberListRequest, MemberPromoteRequest,
    MemberRemoveRequest, MemberUpdateRequest, MoveLeaderRequest, SnapshotRequest, StatusRequest,
};

/// etcd itself gives up after 7 s (`ReqTimeout` with the default election timeout).
const LIMIT: Duration = Duration::from_secs(10);
/// For the handshake, on a host that is reached already.
const OPEN_LIMIT: Duration = Duration::from_secs(5);

/// Keys of Kubernetes begin with a slash, and hardly any key with a zero.
const NO_KEY: &[u8] = b"\0terraform-provider-ha/no-such-key";

/// A connection to one member.
#[derive(Clone, Debug)]
pub struct Api {
    cluster: ClusterClient<Channel>,
    kv: KvClient<Channel>,
    maintenance: MaintenanceClient<Channel>,
}

/// Who is in a cluster, by a linearizable list.
#[derive(Clone, Debug, PartialEq)]
pub struct Members {
    /// The cluster.
    pub cluster: u64,
    /// Voters and learners.
    pub members: Vec<Member>,
}

/// Why a member did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is no connection.
    #[error("cannot connect")]
    Open(#[from] OpenError),
    /// It has answered, or the connection broke.
    #[error("cannot {call}: {}", status.message())]
    Status {
        /// In the imperative.
        call: &'static str,
        /// What it said.
        status: Box<Status>,
    },
    /// No answer in time: it may have happened.
    #[error("cannot {0}: no answer in time")]
    Late(&'static str),
}

impl CallError {
    /// Whether asking once more would give the same answer, and nothing has happened.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(
                status.code(),
                Code::FailedPrecondition
                    | Code::InvalidArgument
                    | Code::NotFound
                    | Code::AlreadyExists
                    | Code::PermissionDenied
                    | Code::Unauthenticated
                    | Code::ResourceExhausted
            ),
            Self::Open(OpenError::Credentials(_)) => true,
            Self::Open(_) | Self::Late(_) => false,
        }
    }
}

impl Api {
    /// Speaks to the member that has this address.
    ///
    /// # Errors
    /// It is not there, or not who it should be.
    pub async fn open(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        address: IpAddr,
        credentials: &Credentials,
    ) -> Result<Self, CallError> {
        let opened = timeout(OPEN_LIMIT, Channel::open(stream, address, credentials)).await;
        let channel = opened.map_err(|_| CallError::Late("connect"))??;
        let origin = http::Uri::from_static("https://etcd");
        Ok(Self {
            cluster: ClusterClient::with_origin(channel.clone(), origin.clone()),
            kv: KvClient::with_origin(channel.clone(), origin.clone()),
            maintenance: MaintenanceClient::with_origin(channel, origin),
        })
    }

    /// What the member says of itself. No quorum is needed.
    ///
    /// # Errors
    /// As every call.
    pub async fn status(&self) -> Result<StatusResponse, CallError> {
        let mut client = self.maintenance.clone();
        ask("tell its status", client.status(StatusRequest {})).await
    }

    /// Who is in the cluster, as a quorum knows it: a member that answers serves.
    ///
    /// # Errors
    /// As every call; also without a quorum, and of a learner.
    pub async fn members(&self) -> Result<Members, CallError> {
        let mut client = self.cluster.clone();
        let request = MemberListRequest { linearizable: true };
        let reply = ask("list the members", client.member_list(request)).await?;
        let cluster = reply.header.map(|it| it.cluster).unwrap_or_default();
        Ok(Members { cluster, members: reply.members })
    }

    /// Adds a member without a vote.
    ///
    /// # Errors
    /// As every call.
    pub async fn add_learner(&self, peer_url: &str) -> Result<(), CallError> {
        let mut client = self.cluster.clone();
        let request = MemberAddRequest { peer_urls: vec![peer_url.to_owned()], is_learner: true };
        ask("add a learner", client.member_add(request)).await.map(drop)
    }

    /// Gives a learner its vote.
    ///
    /// # Errors
    /// As every call; it is behind, or no learner.
    pub async fn promote(&self, id: u64) -> Result<(), CallError> {
        let mut client = self.cluster.clone();
        ask("promote a learner", client.member_promote(MemberPromoteRequest { id })).await.map(drop)
    }

    /// Takes a member out for ever.
    ///
    /// # Errors
    /// As every call.
    pub async fn remove(&self, id: u64) -> Result<(), CallError> {
        let mut client = self.cluster.clone();
        ask("remove a member", client.member_remove(MemberRemoveRequest { id })).await.map(drop)
    }

    /// Tells the others where a member is.
    ///
    /// # Errors
    /// As every call.
    pub async fn update(&self, id: u64, peer_url: &str) -> Result<(), CallError> {
        let mut client = self.cluster.clone();
        let request = MemberUpdateRequest { id, peer_urls: vec![peer_url.to_owned()] };
        ask("update a member", client.member_update(request)).await.map(drop)
    }

    /// Lets another member lead; to be asked of the leader.
    ///
    /// # Errors
    /// As every call.
    pub async fn move_leader(&self, target: u64) -> Result<(), CallError> {
        let mut client = self.maintenance.clone();
        ask("move the lead", client.move_leader(MoveLeaderRequest { target })).await.map(drop)
    }

    /// What is wrong with whom.
    ///
    /// # Errors
    /// As every call.
    pub async fn alarms(&self) -> Result<Vec<AlarmMember>, CallError> {
        let mut client = self.maintenance.clone();
        let request = AlarmRequest { action: Action::Get.into(), ..AlarmRequest::default() };
        Ok(ask("list the alarms", client.alarm(request)).await?.alarms)
    }

    /// Clears an alarm of a member.
    ///
    /// # Errors
    /// As every call.
    pub async fn disarm(&self, member: u64, alarm: AlarmType) -> Result<(), CallError> {
        let mut client = self.maintenance.clone();
        let action = Action::Deactivate.into();
        let request = AlarmRequest { action, member, alarm: alarm.into() };
        ask("clear an alarm", client.alarm(request)).await.map(drop)
    }

    /// Puts an entry into the log that changes nothing: a key is deleted that nobody has. The revision stays.
    ///
    /// # Errors
    /// As every call.
    pub async fn pass(&self) -> Result<(), CallError> {
        let mut client = self.kv.clone();
        let request = DeleteRangeRequest { key: NO_KEY.into() };
        ask("pass an entry", client.delete_range(request)).await.map(drop)
    }

    /// Whether any key lies below this path, by a linearizable read.
    ///
    /// # Errors
    /// As every call; also without a quorum.
    #[cfg(feature = "provider")]
    pub async fn has_below(&self, path: &str) -> Result<bool, CallError> {
        let mut client = self.kv.clone();
        // `0` is the next sign after `/`.
        let [key, range_end] = ["/", "0"].map(|it| format!("{path}{it}").into_bytes().into());
        let request = RangeRequest { key, range_end, limit: 1, count_only: true };
        Ok(ask("look for keys", client.range(request)).await?.count != 0)
    }

    /// Sends all data of the member on, with the digest at its end, which is for the receiver to [prove](Proof). Ends
    /// early when nobody receives any more.
    ///
    /// # Errors
    /// As every call; nothing came for a while.
    pub async fn snapshot(&self, to: mpsc::Sender<Bytes>) -> Result<(), CallError> {
        const CALL: &str = "take a snapshot";
        let mut client = self.maintenance.clone();
        let mut parts = ask(CALL, client.snapshot(SnapshotRequest {})).await?;
        loop {
            let part = timeout(LIMIT, parts.message()).await.map_err(|_| CallError::Late(CALL))?;
            let Some(part) = part.map_err(|it| refused(CALL, it))? else { return Ok(()) };
            if to.send(part.blob).await.is_err() {
                return Ok(());
            }
        }
    }
}

async fn ask<T>(
    call: &'static str,
    answer: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, CallError> {
    let answer = timeout(LIMIT, answer).await.map_err(|_| CallError::Late(call))?;
    answer.map(tonic::Response::into_inner).map_err(|it| refused(call, it))
}

fn refused(call: &'static str, status: Status) -> CallError {
    CallError::Status { call, status: Box::new(status) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_happened_is_no_refusal() {
        let check = |code, is_refusal| {
            assert_eq!(refused("x", Status::new(code, "no")).is_refusal(), is_refusal, "{code:?}");
        };
        check(Code::FailedPrecondition, true);
        check(Code::NotFound, true);
        check(Code::Unavailable, false);
        check(Code::DeadlineExceeded, false);
        check(Code::Unknown, false);
        assert!(!CallError::Late("x").is_refusal());
    }
}
