//! Backups of etcd: what is seen of them on the hosts, and how each step of the planner is done.
//!
//! [`Backups`] is the world of one run. The snapshots themselves are taken by a service on the hosts; [`stored`] tells
//! what there is.

mod look;
mod perform;
mod site;
mod stored;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

pub use self::look::Look;
pub use self::site::{Setup, Site, Where};
pub(in crate::actions) use self::stored::message;
pub use self::stored::{Stored, stored, stored_in};
use crate::actions::{former_key, is_former, parted, seen};
use crate::domain::Next;
use crate::domain::backup::hosts::{Leave, Observed, Refusal, Step, leave, next};
use crate::domain::name::Name;
use crate::engine::{Fleet, World};
use crate::host::HostError;

/// What this resource is called in records.
pub const KIND: &str = "etcd_backup";

/// The world of one run.
#[derive(Debug)]
pub struct Backups<'a> {
    fleet: &'a mut Fleet,
    setup: Setup,
    /// By the keys of the fleet.
    sites: BTreeMap<String, Site>,
    /// The end of it is wanted.
    leaves: Option<Leave>,
    looks: BTreeMap<String, Look>,
    /// Of the program for each kind of machine.
    digests: BTreeMap<String, Vec<u8>>,
    /// The snapshot that was asked for.
    is_taken: bool,
}

impl<'a> Backups<'a> {
    /// Nothing is looked at yet. `leaves`: no backup at all is wanted.
    pub fn new(
        fleet: &'a mut Fleet,
        setup: Setup,
        sites: BTreeMap<String, Site>,
        leaves: Option<Leave>,
    ) -> Self {
        let (looks, digests) = (BTreeMap::new(), BTreeMap::new());
        Self { fleet, setup, sites, leaves, looks, digests, is_taken: false }
    }

    /// What was seen last of each host that answered, by the keys of the fleet.
    pub fn looks(&self) -> &BTreeMap<String, Look> {
        &self.looks
    }

    /// The id that the backup has, or gets: that of a creation that stopped midway is kept.
    pub fn id(&self) -> &str {
        &self.setup.own.id
    }

    async fn look(&mut self) -> Result<(), HostError> {
        self.look_once().await;
        if self.setup.own.goes_on(self.looks.values().filter_map(|it| it.marker.as_ref())) {
            self.look_once().await;
        }
        for (key, look) in &self.looks {
            if self.digests.contains_key(&look.architecture) {
                continue;
            }
            let program = self.setup.hosts.agent_for(&look.architecture);
            let program = program.map_err(|reason| HostError::Failed {
                host: self.sites[key].host.clone(),
                call: "choose a program for it".to_owned(),
                reason,
            })?;
            let digest = Sha256::digest(&program).to_vec();
            self.digests.insert(look.architecture.clone(), digest);
        }
        Ok(())
    }

    async fn look_once(&mut self) {
        let (sites, setup) = (&self.sites, &self.setup);
        let answers =
            self.fleet.each(async |key, host| look::look(&host, &sites[&key], setup).await);
        self.looks = seen(answers.await);
    }

    fn assemble(&self) -> Observed {
        let facts = |key: &str| {
            let look = self.looks.get(key)?;
            let has_program = self.digests.get(&look.architecture) == look.program.as_ref();
            let mut facts = look.facts.clone();
            facts.is_written &= has_program;
            Some(facts)
        };
        let (mut hosts, mut former) = (BTreeMap::new(), BTreeMap::new());
        for (key, site) in &self.sites {
            let map = if is_former(key) { &mut former } else { &mut hosts };
            map.insert(site.key.clone(), facts(key));
        }
        let needs_snapshot = self.setup.needs_snapshot && !self.is_taken;
        Observed { hosts, former, is_known: self.setup.is_known, needs_snapshot }
    }

    /// The wanted hosts of these keys; the former one where there is no other, or `is_former`.
    fn keys(&self, hosts: &[Name], is_former: bool) -> BTreeSet<String> {
        let key = |it: &Name| {
            let own = it.to_string();
            if is_former || !self.sites.contains_key(&own) { former_key(it) } else { own }
        };
        hosts.iter().map(key).collect()
    }
}

impl World for Backups<'_> {
    type Observed = Observed;
    type Step = Step;
    type Refusal = Refusal;

    async fn observe(&mut self) -> Result<Observed, HostError> {
        self.look().await?;
        Ok(self.assemble())
    }

    fn next(&self, observed: &Observed) -> Next<Step, Refusal> {
        self.leaves.map_or_else(|| next(observed), |it| leave(it, observed))
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
