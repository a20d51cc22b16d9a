//! etcd in memory, on [hosts in memory](FakeHost): a process for each unit that is started, with the flags of its unit and
//! the data of its host, and clusters that they form. All that the provider does to it goes through the agent and
//! through etcd's own protocol.
//!
//! It is no optimist: a process that is told the wrong list ends, nothing comes back by itself, and
//! [what must never happen](Machines::breaches) is noted.

mod cluster;
mod flags;
mod log;
mod programs;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, sleep};
use tonic::Status;

use self::programs::{Declined, Hosts, Programs};
use crate::host::fake::{Around, Failure, FakeHost};
use crate::remote::etcd::fake::{Answer, Player, Question, serve};

/// etcd gives up on a quorum after this.
const GIVES_UP: Duration = Duration::from_secs(7);
const PIPE: usize = 64 << 10;
const MANY: usize = 500;

/// Hosts, and etcd on them.
pub(crate) struct Machines {
    hosts: Hosts,
    state: Mutex<State>,
    own: Weak<Self>,
}

#[derive(Default)]
struct State {
    programs: Programs,
    /// What was asked to change, of hosts and members alike, in order.
    changes: Vec<String>,
    failure: Option<(usize, Failure)>,
    /// Entries that were asked for since then.
    entries: usize,
    moments: Option<Vec<Moment>>,
}

/// Everything as it was at one moment, and what was asked next.
#[derive(Clone)]
pub(crate) struct Moment {
    hosts: Hosts,
    programs: Programs,
    pub(crate) next: String,
}

impl Machines {
    /// With these addresses, and nothing on them.
    pub(crate) fn new(addresses: &[&str]) -> Arc<Self> {
        let host = |it: &&str| ((*it).to_owned(), FakeHost::new(it));
        Self::with(addresses.iter().map(host).collect(), Programs::default())
    }

    fn with(hosts: Hosts, programs: Programs) -> Arc<Self> {
        let machines = Arc::new_cyclic(|own| Self {
            hosts,
            state: Mutex::new(State { programs, ..State::default() }),
            own: own.clone(),
        });
        for host in machines.hosts.values() {
            let around: Weak<dyn Around> = Arc::downgrade(&machines) as _;
            host.put_into(around);
        }
        machines
    }

    pub(crate) fn host(&self, address: &str) -> &FakeHost {
        &self.hosts[address]
    }

    /// For a pool of connections.
    pub(crate) fn fakes(&self) -> HashMap<String, FakeHost> {
        self.hosts.iter().map(|(at, it)| (at.clone(), it.clone())).collect()
    }

    /// The call after `count` more changes fails, on whatever host or member.
    pub(crate) fn fails_after(&self, count: usize, failure: Failure) {
        let mut state = self.state();
        let count = state.changes.len() + count;
        state.failure = Some((count, failure));
    }

    /// Everything as it is now, for comparison. None: a change is still to fail, so what comes next is another story.
    pub(crate) fn picture(&self) -> Option<String> {
        let mut state = self.state();
        state.failure.is_none().then(|| self.moment(&mut state, "").picture())
    }

    /// From now on every moment before a change is kept.
    pub(crate) fn keep_moments(&self) {
        self.state().moments = Some(Vec::new());
    }

    /// Those that were kept, and the present one.
    pub(crate) fn moments(&self) -> Vec<Moment> {
        let now = self.moment(&mut self.state(), "the end");
        let mut moments = self.state().moments.take().unwrap_or_default();
        moments.push(now);
        moments
    }

    /// What was asked to change, of hosts and members alike, in order.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.state().changes.clone()
    }

    /// What must never happen and did.
    pub(crate) fn breaches(&self) -> Vec<String> {
        self.settled().programs.breaches.clone()
    }

    /// Why processes have ended, oldest first.
    pub(crate) fn ends(&self) -> Vec<String> {
        self.settled().programs.ends.clone()
    }

    /// After something that a test did to hosts: what was broken by it is nobody's fault.
    pub(crate) fn forgive(&self) {
        self.settled().programs.breaches.clear();
    }

    /// The clusters in words, without their ids: "a 10.0.0.1 leads, b 10.0.0.2, c (learner)".
    pub(crate) fn clusters(&self) -> BTreeMap<u64, Vec<(u64, String, String)>> {
        let state = self.settled();
        let seat = |(id, it): (&u64, &cluster::Seat)| {
            let kind = if it.is_learner { " (learner)" } else { "" };
            (*id, it.name.clone(), format!("{}{kind} {}", it.name, it.peer_url))
        };
        let clusters = state.programs.clusters.iter().filter(|(_, it)| it.has_quorum);
        clusters.map(|(id, it)| (*id, it.members.iter().map(seat).collect())).collect()
    }

    /// A member raises an alarm.
    pub(crate) fn raise(&self, alarm: crate::remote::etcd::AlarmType) {
        for cluster in self.settled().programs.clusters.values_mut() {
            let first = cluster.voters().next().unwrap_or_default();
            cluster.alarms.insert((first, alarm.into()));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.programs.settle(&self.hosts, Instant::now());
        state
    }

    fn moment(&self, state: &mut State, next: &str) -> Moment {
        state.programs.settle(&self.hosts, Instant::now());
        let hosts = self.hosts.iter().map(|(at, it)| (at.clone(), it.fork())).collect();
        Moment { hosts, programs: state.programs.clone(), next: next.to_owned() }
    }

    /// A change is asked for. How it fails, if it does.
    fn change(&self, what: String) -> Option<Failure> {
        let mut state = self.settled();
        if state.moments.is_some() {
            let moment = self.moment(&mut state, &what);
            state.moments.get_or_insert_default().push(moment);
        }
        let at = state.changes.len();
        state.changes.push(what);
        state.failure.take_if(|it| it.0 == at).map(|it| it.1)
    }

    /// Entries that change nothing come by the thousand: one of them stands for so many.
    fn is_first_of_many(&self) -> bool {
        let mut state = self.state();
        state.entries += 1;
        state.entries % MANY == 1
    }

    fn at(&self, host: &FakeHost) -> Option<String> {
        self.hosts.iter().find(|(_, it)| it.is(host)).map(|(at, _)| at.clone())
    }
}

impl Moment {
    /// Everything that makes a difference, for comparison.
    pub(crate) fn picture(&self) -> String {
        let hosts: Vec<_> = self.hosts.values().map(FakeHost::details).collect();
        format!("{hosts:?} {}", self.programs.picture())
    }

    /// Everything goes on from there; whoever was connected is not any more.
    pub(crate) fn resume(&self) -> Arc<Machines> {
        let hosts = self.hosts.iter().map(|(at, it)| (at.clone(), it.fork())).collect();
        Machines::with(hosts, self.programs.clone())
    }
}

impl Around for Machines {
    fn comes(&self, host: &FakeHost, change: Option<&str>) -> Option<Failure> {
        let Some(what) = change else {
            drop(self.settled());
            return None;
        };
        let at = self.at(host)?;
        self.change(format!("{at}: {what}"))
    }

    fn connect(&self, host: &FakeHost, address: &str) -> Option<DuplexStream> {
        let at = self.at(host)?;
        let address: SocketAddr = address.parse().ok()?;
        let mut state = self.settled();
        let own = state.programs.on(&at).map(|it| it.flags.metrics);
        let (near, mut far) = tokio::io::duplex(PIPE);
        if Some(address) == own {
            let health = state.programs.health(&at)?.to_owned();
            let metrics = state.programs.metrics(&at)?;
            tokio::spawn(async move {
                let mut request = [0; 1024];
                if far.read(&mut request).await.is_ok() {
                    let is_health = request.starts_with(b"GET /health ");
                    let text = if is_health { health } else { metrics };
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
                    let _ = far.write_all((head + &text).as_bytes()).await;
                }
            });
            return Some(near);
        }
        // On its own host, or on another one.
        let listens =
            |it: &&String| state.programs.on(it).is_some_and(|it| it.flags.client == address);
        let at = self.hosts.keys().find(listens)?.clone();
        let host = self.hosts.get(&at)?;
        let identity = state.programs.identity(host, &at)?;
        tokio::spawn(serve(far, identity, Seated { machines: self.own.clone(), at }));
        Some(near)
    }
}

/// Plays the member on one host.
#[derive(Clone)]
struct Seated {
    machines: Weak<Machines>,
    at: String,
}

#[tonic::async_trait]
impl Player for Seated {
    async fn answer(&self, question: Question) -> Result<Answer, Status> {
        let lost = || Status::unavailable("the connection is lost");
        let machines = self.machines.upgrade().ok_or_else(lost)?;
        let is_change = match question {
            Question::Status | Question::Members | Question::Alarms => false,
            Question::Pass => machines.is_first_of_many(),
            _ => true,
        };
        let failure = if is_change {
            machines.change(format!("etcd on {}: {question:?}", self.at))
        } else {
            None
        };
        match failure {
            Some(Failure::LostBefore) => return Err(lost()),
            Some(Failure::Refused(text)) => return Err(Status::failed_precondition(text)),
            Some(Failure::LostAfter) | None => {}
        }
        let answer = {
            let mut state = machines.settled();
            state.programs.answer(&machines.hosts, &self.at, question, Instant::now())
        };
        match answer {
            _ if failure.is_some() => Err(lost()),
            Ok(answer) => Ok(answer),
            Err(Declined::Said(status)) => Err(status),
            Err(Declined::Late) => {
                sleep(GIVES_UP).await;
                Err(Status::unavailable("etcdserver: request timed out"))
            }
        }
    }
}
