//! [Hosts in memory](FakeHost) with programs that somebody [plays](Play), for tests: every change is counted, may fail, and
//! is a moment from which everything can go on once more.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::io::DuplexStream;
use tokio::time::Instant;

use crate::host::fake::{Around, Failure, FakeHost};

/// Hosts by the addresses by which the provider reaches them.
pub(crate) type Hosts = BTreeMap<String, FakeHost>;

/// What runs on hosts in memory.
pub(crate) trait Play: Clone + Default + Send + 'static {
    /// Goes on to where everything is by now.
    fn settle(&mut self, hosts: &Hosts, now: Instant);

    /// All but numbers of processes and times, for comparison.
    fn picture(&self) -> String;

    /// What must never happen and did.
    fn breaches(&mut self) -> &mut Vec<String>;

    /// Why processes have ended, oldest first.
    fn ends(&self) -> &[String];

    /// A connection to a port of a host. None: nobody listens there.
    fn connect(machines: &Arc<Machines<Self>>, at: &str, address: &str) -> Option<DuplexStream>;

    /// A change of a host was asked for, in these words, and is done.
    fn done(&mut self, _what: &str) {}
}

/// Hosts, and what runs on them.
pub(crate) struct Machines<P> {
    pub(crate) hosts: Hosts,
    state: Mutex<State<P>>,
    own: Weak<Self>,
}

struct State<P> {
    programs: P,
    /// What was asked to change, of hosts and programs alike, in order.
    changes: Vec<String>,
    failure: Option<(usize, Failure)>,
    moments: Option<Vec<Moment<P>>>,
}

/// Everything as it was at one moment, and what was asked next.
#[derive(Clone)]
pub(crate) struct Moment<P> {
    hosts: Hosts,
    programs: P,
    pub(crate) next: String,
}

/// The programs as they are now.
pub(crate) struct Programs<'a, P>(MutexGuard<'a, State<P>>);

impl<P> Deref for Programs<'_, P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.0.programs
    }
}

impl<P> DerefMut for Programs<'_, P> {
    fn deref_mut(&mut self) -> &mut P {
        &mut self.0.programs
    }
}

impl<P: Play> Machines<P> {
    /// With these addresses, and nothing on them.
    pub(crate) fn new(addresses: &[&str]) -> Arc<Self> {
        let host = |it: &&str| ((*it).to_owned(), FakeHost::new(it));
        Self::with(addresses.iter().map(host).collect(), P::default())
    }

    fn with(hosts: Hosts, programs: P) -> Arc<Self> {
        let state = State { programs, changes: Vec::new(), failure: None, moments: None };
        let machines =
            Arc::new_cyclic(|own| Self { hosts, state: Mutex::new(state), own: own.clone() });
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

    /// The call after `count` more changes fails, on whatever host or program.
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
    pub(crate) fn moments(&self) -> Vec<Moment<P>> {
        let now = self.moment(&mut self.state(), "the end");
        let mut moments = self.state().moments.take().unwrap_or_default();
        moments.push(now);
        moments
    }

    /// What was asked to change, of hosts and programs alike, in order.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.state().changes.clone()
    }

    /// What must never happen and did.
    pub(crate) fn breaches(&self) -> Vec<String> {
        self.programs().breaches().clone()
    }

    /// Why processes have ended, oldest first.
    pub(crate) fn ends(&self) -> Vec<String> {
        self.programs().ends().to_vec()
    }

    /// After something that a test did to hosts: what was broken by it is nobody's fault.
    pub(crate) fn forgive(&self) {
        self.programs().breaches().clear();
    }

    /// The programs, as they are by now.
    pub(crate) fn programs(&self) -> Programs<'_, P> {
        let mut state = self.state();
        state.programs.settle(&self.hosts, Instant::now());
        Programs(state)
    }

    /// A change is asked for. How it fails, if it does.
    pub(crate) fn change(&self, what: String) -> Option<Failure> {
        let mut state = self.programs().0;
        if state.moments.is_some() {
            let moment = self.moment(&mut state, &what);
            state.moments.get_or_insert_default().push(moment);
        }
        let at = state.changes.len();
        let failure = state.failure.take_if(|it| it.0 == at).map(|it| it.1);
        if matches!(failure, None | Some(Failure::LostAfter)) {
            state.programs.done(&what);
        }
        state.changes.push(what);
        failure
    }

    fn state(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moment(&self, state: &mut State<P>, next: &str) -> Moment<P> {
        state.programs.settle(&self.hosts, Instant::now());
        let hosts = self.hosts.iter().map(|(at, it)| (at.clone(), it.fork())).collect();
        Moment { hosts, programs: state.programs.clone(), next: next.to_owned() }
    }

    fn at(&self, host: &FakeHost) -> Option<String> {
        self.hosts.iter().find(|(_, it)| it.is(host)).map(|(at, _)| at.clone())
    }
}

impl<P: Play> Moment<P> {
    /// Everything that makes a difference, for comparison.
    pub(crate) fn picture(&self) -> String {
        let hosts: Vec<_> = self.hosts.values().map(FakeHost::details).collect();
        format!("{hosts:?} {}", self.programs.picture())
    }

    /// Everything goes on from there; whoever was connected is not any more.
    pub(crate) fn resume(&self) -> Arc<Machines<P>> {
        let hosts = self.hosts.iter().map(|(at, it)| (at.clone(), it.fork())).collect();
        Machines::with(hosts, self.programs.clone())
    }
}

impl<P: Play> Around for Machines<P> {
    fn comes(&self, host: &FakeHost, change: Option<&str>) -> Option<Failure> {
        let Some(what) = change else {
            drop(self.programs());
            return None;
        };
        let at = self.at(host)?;
        self.change(format!("{at}: {what}"))
    }

    fn connect(&self, host: &FakeHost, address: &str) -> Option<DuplexStream> {
        P::connect(&self.own.upgrade()?, &self.at(host)?, address)
    }
}
