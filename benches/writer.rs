//! Clients that write to etcd all the time, over gRPC and TLS on connections that they keep, and how long they had to wait.

use std::error::Error;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::uri::PathAndQuery;
use terraform_provider_ha::remote::etcd::{Channel, Credentials};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tonic::client::Grpc;
use tonic_prost::ProstCodec;

use crate::report::Result;

/// Without an answer for so long, another member is asked.
const PATIENCE: Duration = Duration::from_millis(200);
/// Between two writes of one client.
const PAUSE: Duration = Duration::from_millis(5);
/// Writes of [`fill`] that are on their way at the same time.
const FILLERS: usize = 32;

/// Clients that write until they are ended.
pub(crate) struct Writers {
    shared: Arc<Mutex<Shared>>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    is_ended: bool,
    /// When each client last had a write acknowledged.
    last: Vec<Instant>,
    longest: Duration,
    writes: u64,
}

impl Writers {
    /// One client for each member, which begins there and goes on elsewhere when that one does not answer. `keys` is a
    /// directory with `ca.crt`, `server.crt` and `server.key`.
    pub(crate) fn start(members: &[IpAddr], keys: &Path) -> Result<Self> {
        let credentials = credentials(keys)?;
        let last = vec![Instant::now(); members.len()];
        let shared = Shared { is_ended: false, last, longest: Duration::ZERO, writes: 0 };
        let shared = Arc::new(Mutex::new(shared));
        let worker = |number: usize| {
            let worker = Worker {
                number,
                members: members.to_vec(),
                credentials: credentials.clone(),
                shared: Arc::clone(&shared),
            };
            thread::spawn(move || worker.run())
        };
        let workers = (0..members.len()).map(worker).collect();
        let writers = Self { shared, workers };
        let began = Instant::now();
        while writers.writes() < 100 {
            if Duration::from_secs(20) < began.elapsed() {
                return Err("nothing can be written".into());
            }
            thread::sleep(PAUSE);
        }
        Ok(writers)
    }

    fn writes(&self) -> u64 {
        self.shared.lock().unwrap().writes
    }

    /// Milliseconds: the longest time, since the last call, in which one of the clients had nothing acknowledged.
    pub(crate) fn longest_wait(&self) -> f64 {
        let mut shared = self.shared.lock().unwrap();
        let open = shared.last.iter().map(Instant::elapsed).max().unwrap_or_default();
        let longest = shared.longest.max(open);
        shared.longest = Duration::ZERO;
        longest.as_secs_f64() * 1e3
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.shared.lock().unwrap().is_ended = true;
        for worker in self.workers.drain(..) {
            // Its panic was told already.
            let _ = worker.join();
        }
    }
}

fn credentials(keys: &Path) -> Result<Credentials> {
    let [authority, certificate, key] =
        ["ca.crt", "server.crt", "server.key"].map(|it| fs::read_to_string(keys.join(it)));
    Ok(Credentials::new(&authority?, &certificate?, &key?)?)
}

struct Worker {
    number: usize,
    members: Vec<IpAddr>,
    credentials: Credentials,
    shared: Arc<Mutex<Shared>>,
}

impl Worker {
    fn run(self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.work());
    }

    fn is_ended_after_a_write(&self) -> bool {
        let mut shared = self.shared.lock().unwrap();
        let now = Instant::now();
        shared.longest = shared.longest.max(now - shared.last[self.number]);
        shared.last[self.number] = now;
        shared.writes += 1;
        shared.is_ended
    }

    async fn work(self) {
        let mut connection = None;
        for turn in self.number.. {
            let member = self.members[turn % self.members.len()];
            while let Ok(Ok(open)) = timeout(PATIENCE, self.write(connection.take(), member)).await
            {
                connection = Some(open);
                if self.is_ended_after_a_write() {
                    return;
                }
                sleep(PAUSE).await;
            }
            if self.shared.lock().unwrap().is_ended {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    async fn write(&self, channel: Option<Channel>, member: IpAddr) -> Result<Channel> {
        let channel = match channel {
            Some(channel) => channel,
            None => open(&self.credentials, member).await?,
        };
        put(&channel, format!("written/{}", self.number), b"x".to_vec()).await?;
        Ok(channel)
    }
}

async fn put(channel: &Channel, key: String, value: Vec<u8>) -> Result<()> {
    let mut grpc = Grpc::with_origin(channel.clone(), http::Uri::from_static("https://etcd"));
    grpc.ready().await?;
    let put = Put { key: key.into(), value };
    let path = PathAndQuery::from_static("/etcdserverpb.KV/Put");
    let codec = ProstCodec::<Put, PutReply>::default();
    grpc.unary(tonic::Request::new(put), path, codec).await?;
    Ok(())
}

/// Puts so many keys below `folder` by a member, each with 8 KiB that nothing can compress.
pub(crate) fn fill(member: IpAddr, keys: &Path, folder: &str, count: usize) -> Result<()> {
    let credentials = credentials(keys)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let filler = async |client: usize| {
        let channel = open(&credentials, member).await?;
        for number in (client..count).step_by(FILLERS) {
            let mut value = vec![0; 8 << 10];
            aws_lc_rs::rand::fill(&mut value)?;
            put(&channel, format!("{folder}/{number:08}"), value).await?;
        }
        Ok::<_, Box<dyn Error>>(())
    };
    let done = runtime.block_on(join_all((0..FILLERS).map(filler)));
    done.into_iter().collect()
}

async fn open(credentials: &Credentials, member: IpAddr) -> Result<Channel> {
    let stream = TcpStream::connect((member, 2379)).await?;
    stream.set_nodelay(true)?;
    Ok(Channel::open(stream, member, credentials).await?)
}

/// `etcdserverpb.PutRequest`, as far as it is used.
#[derive(Clone, PartialEq, prost::Message)]
struct Put {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PutReply {}
