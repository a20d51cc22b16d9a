//! Clients that never pause, behind a small balancer that follows `/readyz`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use terraform_provider_ha::engine::chain;
use terraform_provider_ha::remote::kubernetes::{Api, Binding, CallError, Credentials};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::local::Local;

/// Each asks ten times a second; the last connects anew each time.
const CLIENTS: usize = 5;
const PERIOD: Duration = Duration::from_millis(100);
/// Between two looks of the balancer at an API server, and for one of them on a machine that has more to do.
const PAUSE: Duration = Duration::from_millis(250);
const CHECK: Duration = Duration::from_secs(2);
/// A client of Kubernetes tries again what was not begun, a few times.
const TRIES: usize = 3;

/// An API server, as the balancer sees it.
struct Backend {
    at: SocketAddr,
    is_ready: AtomicBool,
}

/// Until it is ended, or dropped.
pub(crate) struct Load {
    ends: CancellationToken,
    /// Clients end first: whom they ask is there until then.
    asks: CancellationToken,
    clients: Vec<JoinHandle<Told>>,
    absence: Arc<Mutex<Absence>>,
    answered: Arc<AtomicUsize>,
}

/// What the balancer has seen.
#[derive(Clone, Copy, Debug, Default)]
struct Absence {
    /// API servers that were away at the same time.
    worst: usize,
    /// The longest time in which all were.
    longest: Duration,
}

/// What clients have seen.
#[derive(Debug, Default)]
pub(crate) struct Told {
    answered: usize,
    /// Asked once more on another connection, since the server that goes away has told so.
    again: usize,
    pub(crate) failed: Vec<String>,
    /// That one request took.
    pub(crate) longest: Duration,
    absence: Absence,
}

impl Load {
    /// 50 requests a second, half of which write.
    pub(crate) async fn begin(at: &Local) -> Self {
        let (ends, absence) = (CancellationToken::new(), Arc::<Mutex<Absence>>::default());
        let (asks, answered) = (ends.child_token(), Arc::<AtomicUsize>::default());
        let access = at.access().await;
        let backend = |at: &SocketAddr| Backend { at: *at, is_ready: AtomicBool::new(true) };
        let backends: Arc<Vec<_>> = Arc::new(access.nodes.values().map(backend).collect());
        let follow = follow(Arc::clone(&backends), Arc::clone(&absence));
        tokio::spawn(ends.clone().run_until_cancelled_owned(follow));
        let listener = TcpListener::bind((Local::place("front").address, 0)).await.unwrap();
        let front = listener.local_addr().unwrap();
        tokio::spawn(ends.clone().run_until_cancelled_owned(balance(listener, backends)));
        let credentials = at.credentials().await;
        let client = |number| {
            let (credentials, answered) = (credentials.clone(), Arc::clone(&answered));
            let client = Client { front, credentials, number, answered };
            tokio::spawn(client.ask_on(asks.clone()))
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { ends, asks, clients, absence, answered }
    }

    /// Goes on until so many requests more were answered: what was changed may have been quick.
    pub(crate) async fn goes_on(&self, more: usize) {
        let until = self.answered.load(Ordering::Relaxed) + more;
        while self.answered.load(Ordering::Relaxed) < until {
            sleep(PAUSE).await;
        }
    }

    /// What all of them have seen.
    pub(crate) async fn end(mut self) -> Told {
        self.asks.cancel();
        let mut all = Told { absence: *self.absence.lock().unwrap(), ..Told::default() };
        for client in self.clients.drain(..) {
            let told = client.await.unwrap();
            all.answered += told.answered;
            all.again += told.again;
            all.failed.extend(told.failed);
            all.longest = all.longest.max(told.longest);
        }
        all
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.ends.cancel();
    }
}

impl Told {
    /// No request failed, and the API servers went away one after the other.
    #[track_caller]
    pub(crate) fn is_flawless(&self, at_least: usize) {
        eprintln!("{} answered, {} again, longest {:?}", self.answered, self.again, self.longest);
        assert!(at_least <= self.answered, "{self:?}");
        assert!(self.failed.is_empty(), "{self:?}");
        assert!(self.absence.worst <= 1 && self.without_any().is_zero(), "{self:?}");
    }

    /// The longest time in which no API server was ready, as far as a look every 250 ms can tell.
    pub(crate) fn without_any(&self) -> Duration {
        self.absence.longest
    }
}

/// All are asked at the same time, so that nobody counts as away who came back before another went.
async fn follow(backends: Arc<Vec<Backend>>, absence: Arc<Mutex<Absence>>) {
    let mut since = None;
    loop {
        let begun = Instant::now();
        let asked = backends.iter().map(async |backend| {
            let is_ready = timeout(CHECK, is_ready(backend.at)).await.unwrap_or(None);
            backend.is_ready.store(is_ready.unwrap_or(false), Ordering::Relaxed);
            usize::from(is_ready != Some(true))
        });
        let away = join_all(asked).await.into_iter().sum();
        since = (away == backends.len()).then(|| since.unwrap_or(begun));
        {
            let mut absence = absence.lock().unwrap();
            absence.worst = absence.worst.max(away);
            absence.longest = absence.longest.max(since.map(|it| it.elapsed()).unwrap_or_default());
        }
        sleep(PAUSE).await;
    }
}

/// As anybody may ask.
async fn is_ready(at: SocketAddr) -> Option<bool> {
    let stream = TcpStream::connect(at).await.ok()?;
    let api = Api::open(stream, at.ip(), &Credentials::none().ok()?).await.ok()?;
    api.is_ready().await.ok()
}

async fn balance(listener: TcpListener, backends: Arc<Vec<Backend>>) {
    let mut next = 0;
    loop {
        let Ok((mut client, _)) = listener.accept().await else { continue };
        next += 1;
        let backends = Arc::clone(&backends);
        tokio::spawn(async move {
            let turn = (0..backends.len()).map(|it| &backends[(next + it) % backends.len()]);
            for backend in turn.filter(|it| it.is_ready.load(Ordering::Relaxed)) {
                // One that refuses has only just gone.
                if let Ok(mut server) = TcpStream::connect(backend.at).await {
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                    return;
                }
            }
        });
    }
}

struct Client {
    front: SocketAddr,
    credentials: Credentials,
    number: usize,
    answered: Arc<AtomicUsize>,
}

impl Client {
    async fn ask_on(self, ends: CancellationToken) -> Told {
        let (mut told, mut connection, mut ticks) = (Told::default(), None, interval(PERIOD));
        let mut count = 0;
        while !ends.is_cancelled() {
            ticks.tick().await;
            let begun = Instant::now();
            count += 1;
            for tried in 1.. {
                match self.ask(&mut connection, count).await {
                    Ok(()) => {
                        told.answered += 1;
                        self.answered.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                    Err(error) if tried < TRIES && was_not_begun(&error) => {
                        told.again += 1;
                        connection = None;
                    }
                    Err(error) => {
                        told.failed.push(format!("{}: {}", self.number, chain(&error)));
                        connection = None;
                        break;
                    }
                }
            }
            told.longest = told.longest.max(begun.elapsed());
            if self.number + 1 == CLIENTS {
                connection = None;
            }
        }
        told
    }

    async fn ask(&self, connection: &mut Option<Api>, count: usize) -> Result<(), CallError> {
        let api = if let Some(api) = connection {
            api
        } else {
            let stream = TcpStream::connect(self.front).await.unwrap();
            let opened = Api::open(stream, self.front.ip(), &self.credentials).await?;
            connection.insert(opened)
        };
        if count.is_multiple_of(2) {
            return api.lease("kube-scheduler").await.map(drop);
        }
        let id = format!("{}-{}-{count}", self.front.port(), self.number);
        api.bind(&Binding::administrators(&format!("load-{id}")).unwrap()).await.map(drop)
    }
}

/// As clients of Kubernetes judge: the server has said that it goes, or has gone before it was asked.
fn was_not_begun(error: &CallError) -> bool {
    match error {
        CallError::Status { status, .. } => status.as_u16() == 429,
        CallError::Broken(_, source) => {
            let is_unsent = |it: &hyper::Error| it.is_canceled() || it.is_closed();
            let is_goodbye = chain(&**source).contains("not a result of an error");
            is_goodbye || source.downcast_ref::<hyper::Error>().is_some_and(is_unsent)
        }
        CallError::Open(_) | CallError::Late(_) => false,
    }
}
