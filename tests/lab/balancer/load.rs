//! Clients of a balancer: fifty requests a second, on connections that stay and on new ones, and connections that are
//! silent and must live on.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::backend::{Caller, Client};

/// Whoever waits longer has found the fault by itself: no check did.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clients with a connection that stays. One more has a new one for each request.
const STAYING: usize = 4;

/// Between two requests of one client.
const PAUSE: Duration = Duration::from_millis(100);

/// Asks until it is ended.
pub(crate) struct Load {
    shared: Arc<Mutex<Shared>>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    is_ended: bool,
    answered: usize,
    /// When each failure was noticed, and how long its request had taken by then.
    failed: Vec<(Instant, Duration)>,
    last: Option<Instant>,
    longest: Duration,
}

/// Since the lap before.
#[derive(Debug)]
pub(crate) struct Lap {
    pub(crate) answered: usize,
    pub(crate) failed: usize,
    /// From the beginning of the lap to the last failure.
    pub(crate) until: Duration,
    /// What the slowest failure took to be noticed.
    pub(crate) slowest: Duration,
    /// The longest time without any answer.
    pub(crate) gap: Duration,
}

impl Lap {
    /// Whether a client had to give up by itself.
    pub(crate) fn has_waited(&self) -> bool {
        PATIENCE <= self.slowest
    }
}

/// Where the running lap began.
pub(crate) struct Beginning(Instant);

impl Load {
    pub(crate) fn start(to: SocketAddr, caller: &Caller) -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let worker = |number: usize| {
            let (shared, caller) = (Arc::clone(&shared), caller.clone());
            thread::spawn(move || work(to, &caller, number < STAYING, &shared))
        };
        let workers = (0..=STAYING).map(worker).collect();
        Self { shared, workers }
    }

    /// Forgets what was before.
    pub(crate) fn begin(&self) -> Beginning {
        let mut shared = self.shared.lock().unwrap();
        let now = Instant::now();
        (shared.answered, shared.longest, shared.last) = (0, Duration::ZERO, Some(now));
        shared.failed.clear();
        Beginning(now)
    }

    /// What happened since.
    pub(crate) fn lap(&self, since: &Beginning) -> Lap {
        let shared = self.shared.lock().unwrap();
        let open = shared.last.map(|it| it.elapsed()).unwrap_or_default();
        Lap {
            answered: shared.answered,
            failed: shared.failed.len(),
            until: shared.failed.last().map(|it| it.0 - since.0).unwrap_or_default(),
            slowest: shared.failed.iter().map(|it| it.1).max().unwrap_or_default(),
            gap: shared.longest.max(open),
        }
    }

    /// Until so many more were answered: whatever had begun before has ended.
    pub(crate) fn runs_on(&self) {
        let now = || self.shared.lock().unwrap().answered;
        let before = now();
        crate::processes::until("answers", || (before + 50 <= now()).then_some(()));
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Ok(mut shared) = self.shared.lock() {
            shared.is_ended = true;
        }
        for worker in self.workers.drain(..) {
            let ended = worker.join();
            assert!(ended.is_ok() || thread::panicking(), "a client panicked");
        }
    }
}

fn work(to: SocketAddr, caller: &Caller, stays: bool, shared: &Mutex<Shared>) {
    let mut kept: Option<Client> = None;
    loop {
        let began = Instant::now();
        kept = kept.filter(|it| !(caller.reconnects && it.is_over()));
        let mut client = kept.take().or_else(|| Client::connect_within(PATIENCE, to, caller));
        let answer = client.as_mut().and_then(Client::ask);
        let now = Instant::now();
        {
            let mut shared = shared.lock().unwrap();
            if shared.is_ended {
                return;
            }
            if answer.is_some() {
                let gap = shared.last.map(|it| now - it).unwrap_or_default();
                (shared.longest, shared.last) = (shared.longest.max(gap), Some(now));
                shared.answered += 1;
            } else {
                shared.failed.push((now, now - began));
            }
        }
        if stays && answer.is_some() {
            kept = client;
        }
        thread::sleep(PAUSE.saturating_sub(began.elapsed()));
    }
}

/// Connections that say nothing, as a watch of Kubernetes may for long.
pub(crate) struct Silent(Vec<Client>);

impl Silent {
    pub(crate) fn open(to: SocketAddr, caller: &Caller, count: usize) -> Self {
        let open = |_| {
            let mut client = Client::connect(to, caller).unwrap();
            assert!(client.ask().is_some());
            client
        };
        Self((0..count).map(open).collect())
    }

    /// How many of them were cut.
    pub(crate) fn cut(&mut self) -> usize {
        let count = self.0.len();
        self.0.retain_mut(|it| it.ask().is_some());
        count - self.0.len()
    }
}
