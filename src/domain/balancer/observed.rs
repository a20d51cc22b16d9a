//! What was seen in one look.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::domain::host::{MachineId, Owner};
use crate::domain::name::Name;

/// Everything that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The host of each wanted node.
    pub nodes: BTreeMap<Name, Node>,
    /// What the state names and the wish does not: keys that left the map, and the former host of a key whose
    /// `host.address` was edited. It is ignored when it proves to be the machine of a wanted node.
    pub former: BTreeMap<Name, Node>,
    /// Whether there is a state: without one nothing was ever finished.
    pub is_known: bool,
    /// Nodes whose process this run has made to read the file that lies there now.
    pub tried: BTreeSet<Name>,
    /// Nodes where this run has put back what ran before, and what the program said.
    pub failed: BTreeMap<Name, String>,
    /// Whether it is too early to give up on backends that do not answer.
    pub is_early: bool,
    /// Who else was there, as this run has heard before keepalived was changed. None: it has not listened yet.
    pub before: Option<Strangers>,
    /// Who else was there after that.
    pub after: Option<Strangers>,
}

/// Who is on the network of the virtual IP, and none of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strangers {
    /// Link addresses of those who say that they have the virtual IP. A host of ours that did not answer may be one: then
    /// there are none.
    pub owners: BTreeSet<String>,
    /// Addresses of those who advertise a virtual router of the same number.
    pub routers: BTreeSet<IpAddr>,
}

/// A host, if it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// It did not answer. That is no absence of anything.
    Unseen {
        /// Whether it ran what is wished now when it was last seen.
        is_current: bool,
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
    /// A file in the place of one of ours, on a host without our record.
    pub foreign: Option<String>,
    /// Whether the programs are there.
    pub has_programs: bool,
    /// The most open files that a service may have there.
    pub most_files: u64,
    /// Whether an interface of it is there for the virtual IP, if one is wished.
    pub has_network: bool,
    /// What its files say: all of them, those of the services too.
    pub on_disk: Lies,
    /// The copy of the configuration that was last seen to work.
    pub good: Lies,
    /// What runs.
    pub proxy: Process,
    /// What moves the virtual IP.
    pub keepalived: Keepalived,
    /// Whether it has the virtual IP now.
    pub holds: bool,
}

/// What lies somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lies {
    /// Nothing.
    Nothing,
    /// Something else than what is wished.
    Other,
    /// What is wished.
    Wished,
}

/// The proxy of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Process {
    /// There is no service.
    Absent,
    /// It does not run, or has failed.
    Stopped,
    /// It runs and does not answer yet.
    Starting,
    /// It runs and has not answered for long.
    Stuck,
    /// It answers.
    Running(Running),
}

/// A proxy that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Whether it was started with what is wished, but for its backends.
    pub is_wished: bool,
    /// Whether it was started with room for fewer connections than are wished: no reload changes that.
    pub is_cramped: bool,
    /// Those that it has.
    pub backends: BTreeMap<Name, Backend>,
}

/// A backend as a proxy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Where it is.
    pub endpoint: SocketAddr,
    /// Whether its checks succeed.
    pub is_up: bool,
    /// Whether it is given no new connections, at the wish of somebody.
    pub is_drained: bool,
    /// Connections that it has.
    pub sessions: u64,
}

/// The service that moves the virtual IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keepalived {
    /// There is none.
    Absent,
    /// It does not run.
    Stopped,
    /// It runs.
    Running {
        /// Whether it has read what is wished.
        is_current: bool,
    },
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

impl Facts {
    /// Whether a run of ours has put something there, and may change it.
    pub fn is_ours(&self) -> bool {
        self.owner.is_us()
    }

    /// Whether its proxy serves clients, with whatever configuration.
    pub fn serves(&self) -> bool {
        matches!(self.proxy, Process::Running(_))
    }

    /// Whether it takes part in who has the virtual IP.
    pub fn takes_part(&self) -> bool {
        matches!(self.keepalived, Keepalived::Running { .. })
    }
}

impl Observed {
    /// The hosts to leave that are no wanted ones under another key.
    pub(super) fn leaving(&self) -> impl Iterator<Item = (&Name, &Node)> {
        let wanted: BTreeSet<_> =
            self.nodes.values().filter_map(Node::seen).map(|it| &it.machine).collect();
        let is_other =
            move |it: &Node| it.seen().is_none_or(|facts| !wanted.contains(&facts.machine));
        self.former.iter().filter(move |(_, it)| is_other(it))
    }

    /// Whether a host that answered has the virtual IP.
    pub(super) fn is_held(&self) -> bool {
        let mut all = self.nodes.values().chain(self.former.values());
        all.any(|it| it.seen().is_some_and(|it| it.holds))
    }

    /// The wanted nodes that answered.
    pub(super) fn seen(&self) -> impl Iterator<Item = (&Name, &Facts)> {
        self.nodes.iter().filter_map(|(key, it)| Some((key, it.seen()?)))
    }
}
