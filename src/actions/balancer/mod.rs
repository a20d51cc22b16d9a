//! Balancers: what is seen of their nodes, and how each step of the planner is done.
//!
//! [`Balancer`] is the world of one run. A node is looked at by its agent, and its proxy by its own socket (`look`): what
//! runs is what the process says, not what we remember to have started.
#![expect(clippy::disallowed_methods, reason = "waits for processes by the clock")]

#[cfg(test)]
pub(crate) mod fake;
mod listen;
mod look;
mod perform;
mod setup;
mod site;
mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

pub use self::listen::needs;
pub use self::look::Look;
pub use self::setup::Setup;
pub use self::site::Site;
pub use self::status::{NodeReport, Report, status};
use crate::actions::{is_former, parted, seen};
use crate::domain::Next;
use crate::domain::balancer::{Node, Observed, Process, Refusal, Step, Strangers, leave, next};
use crate::domain::name::Name;
use crate::engine::{Fleet, World};
use crate::host::HostError;

/// What this resource is called in records.
pub const KIND: &str = "load_balancer";

/// A process that has not answered for so long hangs.
const STUCK: Duration = Duration::from_secs(15);

/// Backends have so long to show that they are healthy: an outage behind a balancer must not block its own repair.
const EARLY: Duration = Duration::from_secs(30);

/// The world of one run.
#[derive(Debug)]
pub struct Balancer<'a> {
    fleet: &'a mut Fleet,
    setup: Setup,
    /// By the keys of the fleet.
    sites: BTreeMap<String, Site>,
    /// The end of it is wanted.
    leaves: bool,
    looks: BTreeMap<String, Look>,
    /// Since when a process has not answered.
    silent: BTreeMap<String, Instant>,
    /// Since when all proxies have served.
    served: Option<Instant>,
    tried: BTreeSet<Name>,
    failed: BTreeMap<Name, String>,
    before: Option<Strangers>,
    after: Option<Strangers>,
}

impl<'a> Balancer<'a> {
    /// Nothing is looked at yet. `leaves`: no balancer at all is wanted.
    pub fn new(
        fleet: &'a mut Fleet,
        setup: Setup,
        sites: BTreeMap<String, Site>,
        leaves: bool,
    ) -> Self {
        Self {
            fleet,
            setup,
            sites,
            leaves,
            looks: BTreeMap::new(),
            silent: BTreeMap::new(),
            served: None,
            tried: BTreeSet::new(),
            failed: BTreeMap::new(),
            before: None,
            after: None,
        }
    }

    /// What was seen last of each host that answered, by the keys of the fleet.
    pub fn looks(&self) -> &BTreeMap<String, Look> {
        &self.looks
    }

    /// The id that the balancer has, or gets: that of a creation that stopped midway is kept.
    pub fn id(&self) -> &str {
        &self.setup.own.id
    }

    /// Nodes whose proxy serves and finds no backend healthy.
    pub fn without_backends(&self) -> Vec<&str> {
        let is_without = |it: &&String| match &self.looks[*it].facts.proxy {
            Process::Running(it) => !it.backends.values().any(|it| it.is_up),
            _ => false,
        };
        self.looks.keys().filter(is_without).map(String::as_str).collect()
    }

    async fn look(&mut self) {
        self.look_once().await;
        if self.setup.own.goes_on(self.looks.values().filter_map(|it| it.marker.as_ref())) {
            self.look_once().await;
        }
        self.judge_silence();
    }

    async fn look_once(&mut self) {
        let (sites, setup) = (&self.sites, &self.setup);
        let answers =
            self.fleet.each(async |key, host| look::look(&host, &sites[&key], setup).await);
        self.looks = seen(answers.await);
    }

    /// A process may need a moment to start; one that never answers is no process that starts.
    fn judge_silence(&mut self) {
        let now = Instant::now();
        for (key, look) in &mut self.looks {
            if look.facts.proxy != Process::Starting {
                self.silent.remove(key);
            } else if STUCK <= now - *self.silent.entry(key.clone()).or_insert(now) {
                look.facts.proxy = Process::Stuck;
            }
        }
        let all_serve = self.looks.values().all(|it| it.facts.serves());
        self.served = if all_serve { self.served.or(Some(now)) } else { None };
    }

    fn assemble(&self) -> Observed {
        let node = |key: &str| {
            if let Some(look) = self.looks.get(key) {
                return Node::Seen(Box::new(look.facts.clone()));
            }
            let is_current = self.setup.last.get(key).copied().unwrap_or_default();
            Node::Unseen { is_current }
        };
        let (mut nodes, mut former) = (BTreeMap::new(), BTreeMap::new());
        for (key, site) in &self.sites {
            let map = if is_former(key) { &mut former } else { &mut nodes };
            map.insert(site.key.clone(), node(key));
        }
        Observed {
            nodes,
            former,
            is_known: self.setup.is_known,
            tried: self.tried.clone(),
            failed: self.failed.clone(),
            before: self.before.clone(),
            after: self.after.clone(),
            is_early: self.served.is_none_or(|it| it.elapsed() < EARLY),
        }
    }
}

impl World for Balancer<'_> {
    type Observed = Observed;
    type Step = Step;
    type Refusal = Refusal;

    async fn observe(&mut self) -> Result<Observed, HostError> {
        self.look().await;
        Ok(self.assemble())
    }

    fn next(&self, observed: &Observed) -> Next<Step, Refusal> {
        if self.leaves {
            return leave(&self.setup.desired, observed);
        }
        next(&self.setup.desired, observed)
    }

    async fn perform(&mut self, step: &Step) -> Result<(), HostError> {
        self.perform_step(step).await
    }
}

/// Looks at every host without a lock, for a read. What did not answer, and why, comes second.
pub async fn look_at_all(
    fleet: &Fleet,
    sites: &BTreeMap<String, Site>,
    setup: &Setup,
) -> (BTreeMap<String, Look>, BTreeMap<String, String>) {
    parted(fleet.look(async |key, host| look::look(&host, &sites[&key], setup).await).await)
}
