//! A client that writes and reads all the time, as a busy API server does: over gRPC and TLS, on connections that it keeps.
//!
//! Three of them start at different members. One that gets no answer goes on with the next member and the next key, so
//! every acknowledged write has a key of its own, and each must be there in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http::uri::PathAndQuery;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use terraform_provider_ha::remote::etcd::{Channel, Credentials};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic_prost::ProstCodec;

use super::cluster::Cluster;

/// Without an answer for so long, another member is asked.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// Between two writes of one client.
const PAUSE: Duration = Duration::from_millis(10);
const CLIENTS: usize = 3;
/// What all keys begin with.
const PREFIX: &str = "written/";

/// Writes until it is ended.
pub(crate) struct Client {
    credentials: Credentials,
    addresses: Vec<IpAddr>,
    shared: Arc<Mutex<Shared>>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    is_ended: bool,
    acknowledged: BTreeSet<String>,
    /// Reads that did not have what was acknowledged before.
    stale: Vec<String>,
    last: [Instant; CLIENTS],
    longest: Duration,
    unanswered: usize,
}

/// Since the last lap. What of it is not asserted is told.
#[derive(Debug)]
#[expect(dead_code, reason = "the rest is told by its debug output")]
pub(crate) struct Lap {
    /// The longest time in which one of the clients got no write acknowledged.
    pub(crate) gap: Duration,
    /// Acknowledged ones, since the beginning.
    pub(crate) writes: usize,
    /// Attempts that got no answer or a refusal.
    pub(crate) unanswered: usize,
}

impl Client {
    /// Speaks to the members on these hosts, with a certificate of its own.
    pub(crate) fn start(on: &Cluster, hosts: &[usize]) -> Self {
        let credentials = credentials(on, hosts[0]);
        let addresses: Vec<_> =
            hosts.iter().map(|it| on.lab.address(*it).parse().unwrap()).collect();
        let shared = Arc::new(Mutex::new(Shared {
            is_ended: false,
            acknowledged: BTreeSet::new(),
            stale: Vec::new(),
            last: [Instant::now(); CLIENTS],
            longest: Duration::ZERO,
            unanswered: 0,
        }));
        let worker = |number: usize| {
            let worker = Worker {
                number,
                credentials: credentials.clone(),
                addresses: addresses.clone(),
                shared: Arc::clone(&shared),
            };
            thread::spawn(move || runtime().block_on(worker.work()))
        };
        let workers = (0..CLIENTS).map(worker).collect();
        let client = Self { credentials, addresses, shared, workers };
        let bound = Duration::from_secs(20);
        let writes = || CLIENTS <= client.shared.lock().unwrap().acknowledged.len();
        assert!(crate::program::within(bound, writes), "nothing can be written");
        client.lap();
        client
    }

    /// What happened since the last call.
    pub(crate) fn lap(&self) -> Lap {
        let mut shared = self.shared.lock().unwrap();
        let now = Instant::now();
        let open = shared.last.iter().map(|it| now - *it).max().unwrap_or_default();
        let gap = shared.longest.max(open);
        let unanswered = shared.unanswered;
        (shared.longest, shared.unanswered) = (Duration::ZERO, 0);
        Lap { gap, writes: shared.acknowledged.len(), unanswered }
    }

    /// Writes nothing more.
    pub(crate) fn stop(&mut self) {
        self.shared.lock().unwrap().is_ended = true;
        for worker in self.workers.drain(..) {
            worker.join().unwrap();
        }
    }

    /// Ends it; every write that was acknowledged is there. How many they were.
    pub(crate) fn end(mut self) -> usize {
        self.stop();
        let shared = self.shared.lock().unwrap();
        let there = runtime().block_on(all(&self.credentials, &self.addresses));
        let lost: Vec<_> =
            shared.acknowledged.iter().filter(|it| !there.contains_key(*it)).collect();
        assert!(lost.is_empty(), "{} acknowledged writes are lost: {lost:?}", lost.len());
        assert!(shared.stale.is_empty(), "stale reads: {:?}", shared.stale);
        shared.acknowledged.len()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A certificate for a client, of the authority on that host.
fn credentials(on: &Cluster, host: usize) -> Credentials {
    let keys = on.lab.hosts[host].root().join("etc/etcd-prod/ca");
    let read = |name: &str| fs::read_to_string(keys.join(name)).unwrap();
    let authority = read("ca.crt");
    let issuer = KeyPair::from_pem(&read("ca.key")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&authority, issuer).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, &issuer).unwrap();
    Credentials::new(&authority, &certificate.pem(), &key.serialize_pem()).unwrap()
}

struct Worker {
    number: usize,
    credentials: Credentials,
    addresses: Vec<IpAddr>,
    shared: Arc<Mutex<Shared>>,
}

impl Worker {
    async fn work(self) {
        let mut member = self.number;
        let mut connection: Option<Channel> = None;
        let mut sequence = 0;
        loop {
            if self.shared.lock().unwrap().is_ended {
                return;
            }
            let key = format!("{PREFIX}{}/{sequence:06}", self.number);
            sequence += 1;
            let address = self.addresses[member % self.addresses.len()];
            let attempt = async {
                let channel = match connection.take() {
                    Some(channel) => channel,
                    None => open(&self.credentials, address).await?,
                };
                write(&channel, &key).await?;
                Some(channel)
            };
            let Some(channel) = timeout(PATIENCE, attempt).await.ok().flatten() else {
                self.shared.lock().unwrap().unanswered += 1;
                member += 1;
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            self.note(&key);
            // What was acknowledged is seen by the next read.
            let read = timeout(PATIENCE, read(&channel, &key)).await.ok().flatten();
            if read == Some(false) {
                self.shared.lock().unwrap().stale.push(key);
            }
            connection = Some(channel);
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn note(&self, key: &str) {
        let mut shared = self.shared.lock().unwrap();
        let now = Instant::now();
        shared.longest = shared.longest.max(now - shared.last[self.number]);
        shared.last[self.number] = now;
        shared.acknowledged.insert(key.to_owned());
    }
}

/// None: no answer, or a refusal.
async fn write(on: &Channel, key: &str) -> Option<()> {
    let put = Put { key: key.into(), value: key.into() };
    ask::<_, PutReply>(on, "/etcdserverpb.KV/Put", put).await.map(drop)
}

/// Whether the key has its value. None: no answer.
async fn read(on: &Channel, key: &str) -> Option<bool> {
    let range = Range { key: key.into(), ..Range::default() };
    let reply: RangeReply = ask(on, "/etcdserverpb.KV/Range", range).await?;
    Some(reply.pairs.iter().any(|it| it.value == key.as_bytes()))
}

/// Everything that is there, as the first member that answers says.
async fn all(credentials: &Credentials, addresses: &[IpAddr]) -> BTreeMap<String, Vec<u8>> {
    for _ in 0..30 {
        for address in addresses {
            // The sign after the slash ends the range.
            let range = Range { key: PREFIX.into(), end: "written0".into() };
            let asked = async {
                let channel = open(credentials, *address).await?;
                ask::<_, RangeReply>(&channel, "/etcdserverpb.KV/Range", range).await
            };
            if let Ok(Some(reply)) = timeout(Duration::from_secs(10), asked).await {
                let pair = |it: Pair| (String::from_utf8(it.key).unwrap(), it.value);
                return reply.pairs.into_iter().map(pair).collect();
            }
        }
        tokio::time::sleep(PATIENCE).await;
    }
    panic!("nobody tells what was written");
}

async fn open(credentials: &Credentials, address: IpAddr) -> Option<Channel> {
    let stream = TcpStream::connect((address, 2379)).await.ok()?;
    stream.set_nodelay(true).unwrap();
    Channel::open(stream, address, credentials).await.ok()
}

async fn ask<Q, A>(channel: &Channel, path: &'static str, question: Q) -> Option<A>
where
    Q: prost::Message + Send + Sync + 'static,
    A: prost::Message + Default + Send + Sync + 'static,
{
    let origin = http::Uri::from_static("https://etcd");
    let mut grpc = Grpc::with_origin(channel.clone(), origin).max_decoding_message_size(1 << 28);
    grpc.ready().await.ok()?;
    let codec = ProstCodec::<Q, A>::default();
    let path = PathAndQuery::from_static(path);
    let answer = grpc.unary(tonic::Request::new(question), path, codec).await;
    answer.ok().map(tonic::Response::into_inner)
}

/// `etcdserverpb.PutRequest`, as far as it is used; the others likewise.
#[derive(Clone, PartialEq, prost::Message)]
struct Put {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PutReply {}

#[derive(Clone, PartialEq, prost::Message)]
struct Range {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    end: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RangeReply {
    #[prost(message, repeated, tag = "2")]
    pairs: Vec<Pair>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Pair {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    value: Vec<u8>,
}
