//! Control planes: what is seen of their nodes, and how each step of the planner is done.
//!
//! [`ControlPlane`] is the world of one run. A node is looked at by its agent alone (`look`); whether its components serve,
//! and who leads, they are asked through that agent (`health`). The journal that the planner reads is a record of its own
//! (`notes`). What the cluster of etcd has to say and to sign is asked of its hosts (`store`).

mod access;
mod certify;
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a component knows since when it runs")]
pub(crate) mod fake;
mod health;
mod keys;
mod leaving;
mod look;
mod notes;
mod perform;
mod raw;
mod recovery;
mod rehearse;
mod restart;
mod setup;
mod site;
mod status;
mod store;

use std::collections::{BTreeMap, BTreeSet};

pub use self::access::{ADMINISTRATORS, Access, issue};
use self::health::Round;
pub use self::health::{Health, ask_health, concerns};
pub use self::look::Look;
pub use self::recovery::{Recovery, RecoveryFault};
pub use self::setup::Setup;
pub use self::site::Site;
pub(super) use self::site::api_server_unit;
pub use self::status::{NodeReport, Report, status};
use crate::actions::{is_former, parted, seen};
use crate::domain::Next;
use crate::domain::kubernetes::{Data, Node, Observed, Refusal, Step, leave, next};
use crate::domain::name::Name;
use crate::engine::{Fleet, World};
use crate::host::HostError;
use crate::remote::kubernetes::Credentials;

/// What this resource is called in records.
pub const KIND: &str = "control_plane";

/// The world of one run.
#[derive(Debug)]
pub struct ControlPlane<'a> {
    fleet: &'a mut Fleet,
    /// The hosts of the cluster of etcd.
    etcd: &'a mut Fleet,
    setup: Setup,
    /// By the keys of the fleet.
    sites: BTreeMap<String, Site>,
    /// The end of it is wanted.
    leaves: bool,
    looks: BTreeMap<String, Look>,
    credentials: Option<Credentials>,
    round: Round,
    data: Data,
    failed: BTreeSet<Name>,
}

impl<'a> ControlPlane<'a> {
    /// Nothing is looked at yet. `etcd` are the hosts of the cluster that holds the objects; they are locked for no longer
    /// than they sign. `leaves`: no control plane at all is wanted.
    pub fn new(
        fleet: &'a mut Fleet,
        etcd: &'a mut Fleet,
        setup: Setup,
        sites: BTreeMap<String, Site>,
        leaves: bool,
    ) -> Self {
        Self {
            fleet,
            etcd,
            setup,
            sites,
            leaves,
            looks: BTreeMap::new(),
            credentials: None,
            round: Round::default(),
            data: Data::Unknown,
            failed: BTreeSet::new(),
        }
    }

    /// What was seen last of each host that answered, by the keys of the fleet.
    pub fn looks(&self) -> &BTreeMap<String, Look> {
        &self.looks
    }

    /// The id that the control plane has, or gets: that of a creation that stopped midway is kept.
    pub fn id(&self) -> &str {
        &self.setup.own.id
    }

    async fn look(&mut self) {
        self.look_once().await;
        if self.setup.own.goes_on(self.looks.values().filter_map(Look::marker)) {
            self.look_once().await;
        }
    }

    async fn look_once(&mut self) {
        let (sites, setup) = (&self.sites, &self.setup);
        let answers =
            self.fleet.each(async |key, host| look::look(&host, &sites[&key], setup).await);
        self.looks = seen(answers.await);
    }

    fn assemble(&self) -> Observed {
        let node = |key: &str| match self.looks.get(key) {
            Some(look) => {
                let mut facts = look.facts.clone();
                self.round.judge(key, &mut facts);
                Node::Seen(Box::new(facts))
            }
            None => Node::Unseen { last: self.setup.last.get(key).copied() },
        };
        let (mut nodes, mut former) = (BTreeMap::new(), BTreeMap::new());
        for (key, site) in &self.sites {
            let map = if is_former(key) { &mut former } else { &mut nodes };
            map.insert(site.name.clone(), node(key));
        }
        Observed {
            nodes,
            former,
            is_known: self.setup.is_known,
            data: self.data,
            leaders: self.leaders(),
            has_admins: self.round.has_admins,
            recovery: self.setup.recovery.as_ref().map(|it| it.keys().clone()),
            failed: self.failed.clone(),
        }
    }

    /// The keys in the fleet of the wanted hosts of these names.
    fn keys(names: &[Name]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }
}

impl World for ControlPlane<'_> {
    type Observed = Observed;
    type Step = Step;
    type Refusal = Refusal;

    async fn observe(&mut self) -> Result<Observed, HostError> {
        self.look().await;
        if !self.leaves {
            self.ask_components().await?;
            self.ask_data().await;
        }
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

/// What an apply would mend, in sentences.
pub fn drift(
    setup: &Setup,
    sites: &BTreeMap<String, Site>,
    looks: &BTreeMap<String, Look>,
) -> Vec<String> {
    let hosts = sites.iter().filter_map(|(key, site)| Some((site, looks.get(key)?)));
    let mut found: Vec<_> = hosts.flat_map(|(site, look)| look.drift(site, setup)).collect();
    found.extend(certify::drift(setup, sites, looks));
    found
}
