//! A member for tests: its protocol, and TLS with the certificates that lie on its host. What it answers is for whoever
//! plays it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::DuplexStream;
use tokio_rustls::TlsAcceptor;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::tokio_stream::{Iter, iter};
use tonic::{Request, Response, Status};

use super::channel::backend;
use crate::proto::etcd::alarm_request::Action;
use crate::proto::etcd::cluster_server::{Cluster, ClusterServer};
use crate::proto::etcd::kv_server::{Kv, KvServer};
use crate::proto::etcd::maintenance_server::{Maintenance, MaintenanceServer};
#[allow(clippy::wildcard_imports, reason = "every call has a request and a reply")]
use crate::proto::etcd::*;

pub(crate) use crate::proto::etcd::{MemberListResponse, ResponseHeader};

/// What a member is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Status,
    Members,
    Alarms,
    AddLearner(String),
    Promote(u64),
    Remove(u64),
    Update(u64, String),
    MoveLeader(u64),
    Disarm(u64, AlarmType),
    /// An entry that changes nothing.
    Pass,
    /// How many keys there are of those that were asked for.
    Count,
}

/// What it says. A change is done, and no more is said.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Status(StatusResponse),
    Members(MemberListResponse),
    Alarms(Vec<AlarmMember>),
    Count(i64),
    Done,
}

/// Who plays the member.
#[tonic::async_trait]
pub(crate) trait Player: Clone + Send + Sync + 'static {
    async fn answer(&self, question: Question) -> Result<Answer, Status>;
}

/// What a member shows, and whom it believes, all in PEM. None: they are no pair, or cannot be read.
pub(crate) fn identity(authority: &[u8], chain: &[u8], key: &[u8]) -> Option<Arc<ServerConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority).ok()?).ok()?;
    let provider = Arc::new(backend());
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .ok()?;
    let chain = vec![CertificateDer::from_pem_slice(chain).ok()?];
    let key = PrivateKeyDer::from_pem_slice(key).ok()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .ok()?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Some(Arc::new(config))
}

/// Serves one connection until its client goes, or is not believed.
pub(crate) async fn serve(stream: DuplexStream, identity: Arc<ServerConfig>, player: impl Player) {
    let Ok(stream) = TlsAcceptor::from(identity).accept(stream).await else { return };
    let calls = Calls(player);
    let all = All {
        cluster: ClusterServer::new(calls.clone()),
        kv: KvServer::new(calls.clone()),
        maintenance: MaintenanceServer::new(calls),
    };
    let server = http2::Builder::new(TokioExecutor::new());
    // How it ended is for the client to see.
    let _ = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(all)).await;
}

#[derive(Clone)]
struct Calls<P>(P);

/// All services on one connection.
#[derive(Clone)]
struct All<P> {
    cluster: ClusterServer<Calls<P>>,
    kv: KvServer<Calls<P>>,
    maintenance: MaintenanceServer<Calls<P>>,
}

type Served = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

impl<P: Player> Service<http::Request<Incoming>> for All<P> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Served;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Incoming>) -> Served {
        if request.uri().path().starts_with("/etcdserverpb.Cluster/") {
            return self.cluster.call(request);
        }
        if request.uri().path().starts_with("/etcdserverpb.KV/") {
            return self.kv.call(request);
        }
        self.maintenance.call(request)
    }
}

impl<P: Player> Calls<P> {
    async fn done<T: Default>(&self, question: Question) -> Result<Response<T>, Status> {
        self.0.answer(question).await.map(|_| Response::new(T::default()))
    }
}

fn one_of(urls: Vec<String>) -> Result<String, Status> {
    let only = urls.into_iter().next();
    only.ok_or_else(|| Status::invalid_argument("etcdserver: no peer URL is given"))
}

#[tonic::async_trait]
impl<P: Player> Cluster for Calls<P> {
    async fn member_add(
        &self,
        request: Request<MemberAddRequest>,
    ) -> Result<Response<MemberAddResponse>, Status> {
        let MemberAddRequest { peer_urls, is_learner } = request.into_inner();
        if !is_learner {
            return Err(Status::invalid_argument("a voter is never added directly"));
        }
        self.done(Question::AddLearner(one_of(peer_urls)?)).await
    }

    async fn member_remove(
        &self,
        request: Request<MemberRemoveRequest>,
    ) -> Result<Response<MemberRemoveResponse>, Status> {
        self.done(Question::Remove(request.into_inner().id)).await
    }

    async fn member_update(
        &self,
        request: Request<MemberUpdateRequest>,
    ) -> Result<Response<MemberUpdateResponse>, Status> {
        let MemberUpdateRequest { id, peer_urls } = request.into_inner();
        self.done(Question::Update(id, one_of(peer_urls)?)).await
    }

    async fn member_list(
        &self,
        request: Request<MemberListRequest>,
    ) -> Result<Response<MemberListResponse>, Status> {
        if !request.into_inner().linearizable {
            return Err(Status::invalid_argument("a list that may be old decides nothing"));
        }
        match self.0.answer(Question::Members).await? {
            Answer::Members(list) => Ok(Response::new(list)),
            other => Err(Status::internal(format!("{other:?}"))),
        }
    }

    async fn member_promote(
        &self,
        request: Request<MemberPromoteRequest>,
    ) -> Result<Response<MemberPromoteResponse>, Status> {
        self.done(Question::Promote(request.into_inner().id)).await
    }
}

#[tonic::async_trait]
impl<P: Player> Kv for Calls<P> {
    async fn range(&self, _: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        match self.0.answer(Question::Count).await? {
            Answer::Count(count) => {
                Ok(Response::new(RangeResponse { count, ..RangeResponse::default() }))
            }
            other => Err(Status::internal(format!("{other:?}"))),
        }
    }

    async fn txn(&self, _: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        Err(Status::unimplemented("there are no keys here"))
    }

    async fn delete_range(
        &self,
        _: Request<DeleteRangeRequest>,
    ) -> Result<Response<DeleteRangeResponse>, Status> {
        self.done(Question::Pass).await
    }
}

#[tonic::async_trait]
impl<P: Player> Maintenance for Calls<P> {
    async fn alarm(
        &self,
        request: Request<AlarmRequest>,
    ) -> Result<Response<AlarmResponse>, Status> {
        let request = request.into_inner();
        let question = match request.action() {
            Action::Get => Question::Alarms,
            Action::Deactivate => Question::Disarm(request.member, request.alarm()),
            Action::Activate => return Err(Status::invalid_argument("no alarm is made here")),
        };
        match self.0.answer(question).await? {
            Answer::Alarms(alarms) => Ok(Response::new(AlarmResponse { alarms })),
            _ => Ok(Response::new(AlarmResponse::default())),
        }
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        match self.0.answer(Question::Status).await? {
            Answer::Status(status) => Ok(Response::new(status)),
            other => Err(Status::internal(format!("{other:?}"))),
        }
    }

    type SnapshotStream = Iter<std::array::IntoIter<Result<SnapshotResponse, Status>, 1>>;

    /// The agent of a host in memory does not ask for it.
    async fn snapshot(
        &self,
        _: Request<SnapshotRequest>,
    ) -> Result<Response<Self::SnapshotStream>, Status> {
        let part = SnapshotResponse { blob: Bytes::new(), ..SnapshotResponse::default() };
        Ok(Response::new(iter([Ok(part)])))
    }

    async fn move_leader(
        &self,
        request: Request<MoveLeaderRequest>,
    ) -> Result<Response<MoveLeaderResponse>, Status> {
        self.done(Question::MoveLeader(request.into_inner().target)).await
    }
}
