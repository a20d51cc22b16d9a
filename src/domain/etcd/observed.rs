//! What was seen in one look.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use super::desired::{Name, PeerUrl};
use super::steps::Step;
use super::version::Version;
pub use crate::domain::host::{Certificates, MachineId, Owner, Unit};

/// Everything that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The host of each wanted member, by the key of the member.
    pub hosts: BTreeMap<Name, Host>,
    /// What the state or the records on the hosts name and the wish does not: keys that left the map, and the former
    /// host of a key whose `host.address` was edited. By the former key. When it proves to be the machine of a wanted
    /// member it is ignored: that is a rename, or a move of its address.
    pub former: BTreeMap<Name, Former>,
    /// The id of the cluster that the state or a record on a host knows. None while it was never formed.
    pub known: Option<ClusterId>,
    /// The voters of the last list that the state or a journal knows of, with whoever may have been given a vote since.
    pub last_voters: BTreeSet<MemberId>,
    /// What the cluster itself says. None when no linearizable list could be had.
    pub cluster: Option<Cluster>,
    /// What this run did.
    pub done: Done,
}

/// What was done since a run began, and cannot be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// A snapshot was taken and verified.
    pub snapshot: bool,
    /// Members were made to write down their state, so that they read no log before it.
    pub cut_logs: bool,
    /// Whose service was started again with the data that it had.
    pub started: BTreeSet<Name>,
}

impl Done {
    /// Notes a step that succeeded.
    pub fn note(&mut self, step: &Step) {
        match step {
            Step::Snapshot { .. } => self.snapshot = true,
            Step::CutLog { .. } => self.cut_logs = true,
            Step::Start { hosts } => self.started.extend(hosts.iter().cloned()),
            Step::Restart { host } => {
                self.started.insert(host.clone());
            }
            // It will have other data.
            Step::AddLearner { host, .. } => {
                self.started.remove(host);
            }
            _ => {}
        }
    }
}

/// Where a member was that the wish does not name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    /// How the others reached it.
    pub peer_url: PeerUrl,
    /// Its host.
    pub host: Host,
}

/// A host, if it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// It did not answer. That is no absence of anything.
    Unseen {
        /// What ran there when it was last seen.
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
    /// How much memory it has, in bytes, where that is known.
    pub memory: Option<u64>,
    /// Whose it is, by its record.
    pub owner: Owner,
    /// The token that its record holds: one per incarnation of a cluster.
    pub token: Option<Token>,
    /// Whether its journal says that a quorum was once seen.
    pub is_formed: bool,
    /// What lies in the data directory (and the separate one of the log).
    pub data: Option<Data>,
    /// The service.
    pub unit: Unit,
    /// The seeds in the file that a first start reads, while that file says `new`.
    pub seeds: Option<BTreeMap<Name, PeerUrl>>,
    /// The releases whose programs are there, verified.
    pub staged: BTreeSet<Version>,
    /// Where the others look for the member, by the journal: written before each change of its peer URL is asked for,
    /// when it is added, and with the first start.
    pub told: Option<IpAddr>,
    /// What its files say.
    pub on_disk: Option<Settings>,
    /// What the process was started with. None when none runs.
    pub running: Option<Settings>,
    /// The leaves of the member, and the copy of the authority.
    pub certificates: Certificates,
}

/// The id of a member: unlike its name it is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u64);

/// The id of a cluster: follows from the token and the first members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub u64);

/// What tells one incarnation of a cluster from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub String);

/// Whose data lies on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data {
    /// The cluster.
    pub cluster: ClusterId,
    /// The member.
    pub member: MemberId,
}

/// Program and settings of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The program.
    pub version: Version,
    /// What it binds to.
    pub address: IpAddr,
    /// Whether arguments, environment and unit are exactly what the wish renders to for this version, key and address.
    pub is_current: bool,
}

/// A linearizable look at a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Its id.
    pub id: ClusterId,
    /// Voters and learners.
    pub members: Vec<Member>,
    /// What is wrong with whom.
    pub alarms: BTreeSet<(MemberId, Alarm)>,
    /// Whether the healthy voters have been connected with each other for 5 s since the membership last changed and
    /// since one of them was last started: etcd refuses changes before (`HealthInterval` in `server.go`).
    pub is_settled: bool,
}

/// An alarm that a cluster raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// The quota is used up.
    NoSpace,
    /// The data of a member differs from that of the others.
    Corrupt,
}

/// A member as the list has it, and what it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// For life.
    pub id: MemberId,
    /// Empty until it has started for the first time.
    pub name: String,
    /// How the others reach it.
    pub peer_urls: Vec<PeerUrl>,
    /// Whether it has no vote yet.
    pub is_learner: bool,
    /// What it answered, asked through its own host or another. None: it does not serve.
    pub status: Option<Status>,
}

/// What a member that serves says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether it leads.
    pub is_leader: bool,
    /// What it runs.
    pub version: Version,
    /// How far it has come in the log.
    pub raft_index: u64,
    /// How often the data was changed.
    pub revision: u64,
    /// Bytes.
    pub db_size: u64,
}

impl Host {
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
    /// Whether a run of ours has put something there, and may change it.
    pub fn is_ours(&self) -> bool {
        self.owner.is_us()
    }
}

impl Member {
    /// Whether it serves.
    pub fn is_healthy(&self) -> bool {
        self.status.is_some()
    }

    /// Whether it leads.
    pub fn is_leader(&self) -> bool {
        self.status.is_some_and(|it| it.is_leader)
    }

    /// Its name, or its id before it had one.
    pub fn label(&self) -> String {
        if self.name.is_empty() { format!("member {}", self.id) } else { self.name.clone() }
    }
}

/// How many voters must agree. Of all voters, whether they are healthy or not.
pub fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

impl Cluster {
    /// All that have a vote, healthy or not.
    pub fn voters(&self) -> usize {
        self.members.iter().filter(|it| !it.is_learner).count()
    }

    /// Those with a vote that serve.
    pub fn healthy(&self) -> usize {
        self.members.iter().filter(|it| !it.is_learner && it.is_healthy()).count()
    }

    /// Whether a quorum remains while this member is away.
    pub fn bears_loss_of(&self, member: &Member) -> bool {
        let is_counted = !member.is_learner && member.is_healthy();
        quorum(self.voters()) <= self.healthy() - usize::from(is_counted)
    }

    /// Whether a quorum remains once this member has no vote any more.
    pub fn bears_removal_of(&self, member: &Member) -> bool {
        let is_counted = !member.is_learner && member.is_healthy();
        let voters = self.voters() - usize::from(!member.is_learner);
        voters != 0 && quorum(voters) <= self.healthy() - usize::from(is_counted)
    }

    /// Whether a learner has nine tenths of what the leader has: etcd promotes none before.
    pub fn is_in_sync(&self, learner: &Member) -> bool {
        let leader = self.members.iter().filter_map(|it| it.status).find(|it| it.is_leader);
        match (learner.status, leader) {
            (Some(learner), Some(leader)) => {
                u128::from(leader.raft_index) * 9 <= u128::from(learner.raft_index) * 10
            }
            _ => false,
        }
    }

    /// Whether this alarm is on, of whichever member.
    pub fn has_alarm(&self, alarm: Alarm) -> bool {
        self.alarms.iter().any(|(_, it)| *it == alarm)
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}
