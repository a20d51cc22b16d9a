//! One thing to do with an etcd cluster. What each must guarantee is in the documentation of [`super`].

use std::fmt;

use super::desired::{ClusterName, Name, PeerUrl};
use super::observed::MemberId;
use super::version::Version;
use crate::domain::Kind;
use crate::domain::name::List;

/// One thing to do. `host` and `hosts` are keys, `member` is an id of the list, a label is for people.
#[expect(missing_docs, reason = "a field means the same in every step")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write the record of an unfinished creation, with one token for all.
    Claim { hosts: Vec<Name> },
    /// Clean what an unfinished creation left that never had a quorum.
    Discard { hosts: Vec<Name> },
    /// Make and renew keys and certificates.
    Certify { hosts: Vec<Name> },
    /// Put the programs of a version beside those that are there.
    Stage { hosts: Vec<Name>, version: Version },
    /// Write files and unit, and start nothing.
    Prepare { hosts: Vec<Name>, version: Version },
    /// Start the first members together.
    Bootstrap { hosts: Vec<Name> },
    /// Note that a quorum was seen.
    RecordFormed { hosts: Vec<Name> },
    /// Start members whose data is there.
    Start { hosts: Vec<Name> },
    /// Restart a member that hangs.
    Restart { host: Name },
    /// Give a member its settings and program, and restart it.
    Reconfigure { host: Name, version: Version },
    /// Add a member without a vote.
    AddLearner { host: Name, peer_url: PeerUrl },
    /// Start a member that was added and has no data yet.
    StartLearner { host: Name },
    /// Give a learner its vote.
    Promote { host: Name, member: MemberId },
    /// Drop a learner that is of no use.
    DropLearner { label: String, member: MemberId, host: Option<Name>, has_started: bool },
    /// Drop a learner that does not serve with what it has read so far, and put that aside, so that it can begin anew.
    StartOver { host: Name, member: MemberId },
    /// Let another member lead.
    MoveLeader { from: String, to: Name, member: MemberId },
    /// Take the vote of a member, for ever.
    RemoveMember { label: String, member: MemberId, host: Option<Name> },
    /// Put data aside that belongs to no member any more.
    MoveAside { host: Name },
    /// Stop what was a member, put its data aside, and wipe its copy of the authority.
    Retire { host: Name },
    /// Tell the others where a member will be.
    UpdatePeerUrl { host: Name, member: MemberId, peer_url: PeerUrl },
    /// Keep a snapshot on the host of the member, once it is verified.
    Snapshot { from: Name, cluster: ClusterName },
    /// Let members put the log of 3.5 behind them, which 3.7 could not read.
    CutLog { hosts: Vec<Name>, version: Version },
    /// Write files that somebody has edited.
    Rewrite { hosts: Vec<Name> },
    /// Clear the alarm of a corrupt member that is not there any more.
    Disarm { member: MemberId },
    /// Write what was applied into the records.
    Record { hosts: Vec<Name> },
    /// End the cluster on these hosts.
    Dismantle { hosts: Vec<Name>, is_purged: bool },
}

/// What is kept of a cluster on its hosts beside its data.
pub fn kept(cluster: &ClusterName) -> String {
    format!("/var/lib/ha/etcd-{cluster}")
}

/// Where snapshots are kept, on the host of the member that they are of.
pub fn snapshots(cluster: &ClusterName) -> String {
    format!("{}/snapshots", kept(cluster))
}

impl crate::domain::Step for Step {
    fn kind(&self) -> Kind {
        match self {
            Self::Claim { .. }
            | Self::Discard { .. }
            | Self::Certify { .. }
            | Self::Stage { .. }
            | Self::Prepare { .. }
            | Self::RecordFormed { .. }
            | Self::MoveLeader { .. }
            | Self::DropLearner { has_started: false, .. }
            | Self::Snapshot { .. }
            | Self::CutLog { .. }
            | Self::Rewrite { .. }
            | Self::Disarm { .. }
            | Self::Record { .. } => Kind::Prepare,
            Self::Bootstrap { .. }
            | Self::AddLearner { .. }
            | Self::StartLearner { .. }
            // It never had a vote, and nothing that only it holds.
            | Self::StartOver { .. }
            | Self::Promote { .. } => Kind::Join,
            Self::Start { .. }
            | Self::Restart { .. }
            | Self::Reconfigure { .. }
            | Self::UpdatePeerUrl { .. } => Kind::Restart,
            Self::RemoveMember { .. } | Self::DropLearner { has_started: true, .. } => Kind::Remove,
            Self::MoveAside { .. } | Self::Retire { .. } | Self::Dismantle { .. } => {
                Kind::MoveAside
            }
        }
    }

    fn hosts(&self) -> Vec<&str> {
        match self {
            Self::Claim { hosts }
            | Self::Discard { hosts }
            | Self::Certify { hosts }
            | Self::Stage { hosts, .. }
            | Self::Prepare { hosts, .. }
            | Self::Bootstrap { hosts }
            | Self::RecordFormed { hosts }
            | Self::Start { hosts }
            | Self::CutLog { hosts, .. }
            | Self::Rewrite { hosts }
            | Self::Record { hosts }
            | Self::Dismantle { hosts, .. } => hosts.iter().map(Name::as_str).collect(),
            Self::Restart { host }
            | Self::Reconfigure { host, .. }
            | Self::AddLearner { host, .. }
            | Self::StartLearner { host }
            | Self::StartOver { host, .. }
            | Self::Promote { host, .. }
            | Self::MoveAside { host }
            | Self::Retire { host }
            | Self::UpdatePeerUrl { host, .. }
            | Self::MoveLeader { to: host, .. }
            | Self::Snapshot { from: host, .. } => vec![host.as_str()],
            Self::DropLearner { host, .. } | Self::RemoveMember { host, .. } => {
                host.iter().map(Name::as_str).collect()
            }
            Self::Disarm { .. } => Vec::new(),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim { hosts } => write!(f, "claim {}", List(hosts)),
            Self::Discard { hosts } => {
                write!(f, "clean what an unfinished creation left on {}", List(hosts))
            }
            Self::Certify { hosts } => {
                write!(f, "make or renew the certificates of {}", List(hosts))
            }
            Self::Stage { hosts, version } => write!(f, "bring etcd {version} to {}", List(hosts)),
            Self::Prepare { hosts, version } => {
                write!(f, "prepare {} for etcd {version}", List(hosts))
            }
            Self::Bootstrap { hosts } => write!(f, "start the first members {}", List(hosts)),
            Self::RecordFormed { hosts } => {
                write!(f, "note on {} that the cluster was formed", List(hosts))
            }
            Self::Start { hosts } => write!(f, "start etcd on {}", List(hosts)),
            Self::Restart { host } => write!(f, "restart etcd on {host}, where it hangs"),
            Self::Reconfigure { host, version } => {
                write!(f, "restart etcd on {host} with {version} and its new settings")
            }
            Self::AddLearner { host, peer_url } => {
                write!(f, "add {host} as a learner at {peer_url}")
            }
            Self::StartLearner { host } => write!(f, "start the learner {host}"),
            Self::Promote { host, .. } => write!(f, "give {host} a vote"),
            Self::DropLearner { label, .. } => write!(f, "drop the learner {label}"),
            Self::StartOver { host, .. } => {
                write!(f, "drop the learner {host}, which does not serve, and move its data aside")
            }
            Self::MoveLeader { from, to, .. } => write!(f, "move the lead from {from} to {to}"),
            Self::RemoveMember { label, .. } => write!(f, "remove {label} from the cluster"),
            Self::MoveAside { host } => {
                write!(f, "stop what is left on {host} of a former member and move its data aside")
            }
            Self::Retire { host } => {
                write!(f, "stop etcd on {host} for good and move its data aside")
            }
            Self::UpdatePeerUrl { host, peer_url, .. } => {
                write!(f, "tell the members that {host} will be at {peer_url}")
            }
            Self::Snapshot { from, cluster } => {
                write!(
                    f,
                    "keep a verified snapshot of {from} on its host, in {}",
                    snapshots(cluster)
                )
            }
            Self::CutLog { hosts, version } => write!(
                f,
                "let {} write down where they are, for etcd {version} cannot read the logs of 3.5",
                List(hosts)
            ),
            Self::Rewrite { hosts } => write!(f, "write the files of etcd on {} anew", List(hosts)),
            Self::Disarm { member } => write!(f, "clear the alarm of the former member {member}"),
            Self::Record { hosts } => write!(f, "record on {} what was applied", List(hosts)),
            Self::Dismantle { hosts, is_purged: false } => {
                write!(f, "stop etcd on {} for good and move its data aside", List(hosts))
            }
            Self::Dismantle { hosts, is_purged: true } => {
                write!(f, "stop etcd on {} for good and delete its data", List(hosts))
            }
        }
    }
}
