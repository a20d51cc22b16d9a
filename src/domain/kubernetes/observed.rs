//! What was seen in one look.

use std::collections::{BTreeMap, BTreeSet};

use super::arguments::Component;
use super::version::Version;
use crate::domain::host::{Certificates, MachineId, Owner, Unit};
use crate::domain::name::Name;

/// Everything that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The host of each wanted node, by the key of the node.
    pub nodes: BTreeMap<Name, Node>,
    /// What the state or the records on the hosts name and the wish does not: keys that left the map, and the former
    /// host of a key whose `host.address` was edited. When it proves to be the machine of a wanted node it is ignored.
    pub former: BTreeMap<Name, Node>,
    /// Whether the state has it: its creation came to an end.
    pub is_known: bool,
    /// What lies in etcd below the prefix.
    pub data: Data,
    /// Who leads. None when no API server could be asked.
    pub leaders: Option<Leaders>,
    /// Whether the group of the administrators may administrate. None when no API server could be asked.
    pub has_admins: Option<bool>,
    /// The keys of the recovery bundle that the user gives. None: there is none.
    pub recovery: Option<KeysId>,
    /// Nodes that were put back in this run, since they did not serve with what is wished.
    pub failed: BTreeSet<Name>,
}

/// A host, if it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// It did not answer. That is no absence of anything.
    Unseen {
        /// What its API server ran when it was last seen. None: it never was.
        last: Option<Settings>,
    },
    /// It answered.
    Seen(Box<Facts>),
}

/// What a host says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Which machine it is.
    pub machine: MachineId,
    /// Whose it is, by its record.
    pub owner: Owner,
    /// The keys of the control plane that it has.
    pub keys: Option<KeysId>,
    /// Whether its journal says that an API server was to be started there: written before the first start is asked for.
    pub is_begun: bool,
    /// The releases whose programs are there, verified.
    pub staged: BTreeSet<Version>,
    /// In the order of [`Component::ALL`].
    pub parts: [Part; 3],
    /// What ran there and served before what is on its disk now; kept until that has served too.
    pub previous: Option<Version>,
    /// The leaves of the node, and the copies of the authorities.
    pub certificates: Certificates,
    /// What it keeps for the day on which no node has the keys any more.
    pub bundle: KeptBundle,
}

/// The recovery bundle that a node keeps beside its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptBundle {
    /// None.
    Absent,
    /// Of other keys, or for others than are wished.
    Stale,
    /// Of the keys of the node, for those who are wished: its text.
    Current(String),
}

/// One component of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its service. An API server serves when `/readyz` says so, the others when `/healthz` does.
    pub unit: Unit,
    /// What its files say.
    pub on_disk: Option<Settings>,
    /// What the process was started with. None when none runs.
    pub running: Option<Settings>,
}

/// Stands for the authorities, the key of service accounts and that of Secrets: the same on all nodes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeysId(pub String);

/// Program and settings of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The program.
    pub version: Version,
    /// Whether arguments, environment, unit and files are exactly what the wish renders to for this version and node.
    pub is_current: bool,
}

/// What lies in etcd below the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// Nobody could tell.
    Unknown,
    /// Nothing.
    Absent,
    /// Objects of some control plane.
    Present,
}

/// Who leads, by the leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaders {
    /// Of the controller managers.
    pub controller_manager: Leader,
    /// Of the schedulers.
    pub scheduler: Leader,
}

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leader {
    /// It has run out, or there is none.
    Nobody,
    /// The component on this node.
    Node(Name),
    /// Somebody else, such as a node that has left.
    Other,
}

impl Node {
    /// What it says, if it answered.
    pub fn seen(&self) -> Option<&Facts> {
        match self {
            Self::Seen(facts) => Some(facts),
            Self::Unseen { .. } => None,
        }
    }
}

impl Settings {
    /// Whether it is this version with exactly what is wished.
    pub fn is_wish(self, version: Version) -> bool {
        self.is_current && self.version == version
    }
}

impl Facts {
    /// One component.
    pub fn part(&self, component: Component) -> &Part {
        match (&self.parts, component) {
            ([it, _, _], Component::ApiServer)
            | ([_, it, _], Component::ControllerManager)
            | ([_, _, it], Component::Scheduler) => it,
        }
    }

    /// One component, to change what is believed of it.
    pub fn part_mut(&mut self, component: Component) -> &mut Part {
        match (&mut self.parts, component) {
            ([it, _, _], Component::ApiServer)
            | ([_, it, _], Component::ControllerManager)
            | ([_, _, it], Component::Scheduler) => it,
        }
    }

    /// Whether its API server serves.
    pub fn serves(&self) -> bool {
        self.part(Component::ApiServer).unit == Unit::Running
    }

    /// Whether all three serve.
    pub fn is_whole(&self) -> bool {
        self.parts.iter().all(|it| it.unit == Unit::Running)
    }

    /// Components of which this is true.
    pub fn which(&self, is_it: impl Fn(&Part) -> bool) -> Vec<Component> {
        Component::ALL.iter().copied().filter(|it| is_it(self.part(*it))).collect()
    }
}

impl Part {
    /// Nothing is there.
    pub const ABSENT: Self = Self { unit: Unit::Absent, on_disk: None, running: None };

    /// Whether its files are what is wished for this version.
    pub fn is_on_disk(&self, version: Version) -> bool {
        self.on_disk.is_some_and(|it| it.is_wish(version))
    }

    /// Whether its process was started with something else than what is wished for this version.
    pub fn runs_other(&self, version: Version) -> bool {
        self.running.is_some_and(|it| !it.is_wish(version))
    }
}

impl Leaders {
    /// A component of which nobody leads.
    pub fn missing(&self) -> Option<Component> {
        let all = [
            (Component::ControllerManager, &self.controller_manager),
            (Component::Scheduler, &self.scheduler),
        ];
        all.into_iter().find(|(_, it)| **it == Leader::Nobody).map(|(component, _)| component)
    }
}
