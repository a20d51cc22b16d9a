//! etcd clusters: what is seen of their hosts and members, and how each step of the planner is done.
//!
//! [`EtcdCluster`] is the world of one run. A host is looked at by its agent alone (`look`); what members say goes through
//! the agents of their hosts (`members`). The journal that the planner reads is a record of its own (`notes`).

mod access;
mod certify;
mod consumers;
mod cut;
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a member knows since when it runs")]
pub(crate) mod fake;
mod fit;
mod health;
mod leaving;
mod look;
mod members;
mod notes;
mod perform;
mod restore;
mod running;
mod setup;
mod site;
mod snapshot;
mod stage;
mod status;
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test measures time")]
mod tests;
mod ways;

use std::collections::{BTreeMap, BTreeSet};

pub use self::access::{Access, issue};
pub use self::consumers::Consumer;
pub(super) use self::consumers::Consumers;
pub use self::fit::preflight;
pub use self::health::{ask_corrupt, ask_health, concerns};
pub use self::look::Look;
use self::members::Round;
pub use self::restore::{Reach, Restore, Source, Terms};
pub use self::setup::{Certificates, Setup};
pub use self::site::Site;
pub(super) use self::site::{authority, client_files};
pub use self::status::{MemberReport, Report, Told, status};
use crate::actions::{is_former, parted, seen};
use crate::domain::Next;
use crate::domain::etcd::restore::half_done;
use crate::domain::etcd::{
    ClusterId, Done, Former, Host, MemberId, Name, Observed, Refusal, Step, Unit, leave, next,
};
use crate::domain::pki;
use crate::engine::{Fleet, World};
use crate::host::HostError;
use crate::remote::etcd::Credentials;

/// What this resource is called in records.
pub const KIND: &str = "etcd_cluster";

/// The world of one run.
#[derive(Debug)]
pub struct EtcdCluster<'a> {
    fleet: &'a mut Fleet,
    setup: Setup,
    /// By the keys of the fleet.
    sites: BTreeMap<String, Site>,
    /// The end of it is wanted.
    leaves: bool,
    looks: BTreeMap<String, Look>,
    credentials: Option<Credentials>,
    round: Round,
    done: Done,
}

impl<'a> EtcdCluster<'a> {
    /// Nothing is looked at yet. `leaves`: no cluster at all is wanted.
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
            credentials: None,
            round: Round::default(),
            done: Done::default(),
        }
    }

    /// What was seen last of each host that answered, by the keys of the fleet.
    pub fn looks(&self) -> &BTreeMap<String, Look> {
        &self.looks
    }

    /// The id that the cluster has, or gets: that of a creation that stopped midway is kept.
    pub fn id(&self) -> &str {
        &self.setup.own.id
    }

    async fn look(&mut self) {
        self.look_once().await;
        if self.setup.own.goes_on(self.looks.values().filter_map(|it| it.marker.as_ref())) {
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
        let look = |key: &str| match self.looks.get(key) {
            Some(look) => {
                let mut facts = look.facts.clone();
                if !facts.unit.is_down() {
                    facts.unit = self.round.unit(key);
                }
                Host::Seen(Box::new(facts))
            }
            None => Host::Unseen { last: self.setup.last.get(key).copied() },
        };
        let (mut hosts, mut former) = (BTreeMap::new(), BTreeMap::new());
        for (key, site) in &self.sites {
            if is_former(key) {
                let peer_url = site.peer_url.clone();
                former.insert(site.name.clone(), Former { peer_url, host: look(key) });
            } else {
                hosts.insert(site.name.clone(), look(key));
            }
        }
        let ours = || self.looks.values().filter(|it| it.facts.is_ours());
        // A restore makes another cluster of it, which the state learns of when all is done.
        let newest = ours().max_by_key(|it| it.generation());
        let restored = newest.filter(|it| self.setup.generation < it.generation());
        let noted = restored.and_then(Look::cluster);
        let known = noted.map(ClusterId).or(self.setup.known);
        let noted = ours().find_map(Look::cluster).map(ClusterId);
        Observed {
            hosts,
            former,
            known: known.or(noted),
            last_voters: ours().flat_map(|it| &it.notes.voters).map(|it| MemberId(*it)).collect(),
            cluster: self.round.cluster(),
            done: self.done.clone(),
        }
    }

    /// The key in the fleet of the wanted host of this name.
    fn keys(names: &[Name]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }
}

impl World for EtcdCluster<'_> {
    type Observed = Observed;
    type Step = Step;
    type Refusal = Refusal;

    async fn observe(&mut self) -> Result<Observed, HostError> {
        self.look().await;
        if !self.leaves {
            self.ask_members().await?;
            // The data of a member that came up in between was not there yet, and must not be taken for lost.
            if self.looks.iter().any(|(key, it)| it.facts.data.is_none() && self.round.has(key)) {
                self.look().await;
            }
        }
        Ok(self.assemble())
    }

    fn next(&self, observed: &Observed) -> Next<Step, Refusal> {
        if self.leaves {
            return leave(&self.setup.desired, observed);
        }
        let progress: Vec<_> = self.looks.values().map(Look::progress).collect();
        if let Some(generation) = half_done(progress.iter()) {
            return Next::Refuse(Refusal::HalfRestored(generation));
        }
        next(&self.setup.desired, observed)
    }

    async fn perform(&mut self, step: &Step) -> Result<(), HostError> {
        self.perform_step(step).await?;
        self.done.note(step);
        Ok(())
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
    let mut found: Vec<_> = hosts.flat_map(|(site, look)| look.drift(site)).collect();
    if !looks.is_empty()
        && let Ok(desired) = certify::desired(setup, sites, looks)
    {
        found.extend(pki::drift(&desired, &certify::observed(sites, looks)));
    }
    found
}

/// Whether a process is there that may answer.
fn is_alive(look: &Look) -> bool {
    look.facts.unit == Unit::Starting
}
