//! Why the planner does not go on, and which attribute can change that.

use std::fmt;
use std::net::IpAddr;

use super::arguments::ArgumentFault;
use super::desired::{MOST_MEMBERS, MOST_QUOTA, Name, Port};
use super::observed::ClusterId;
use super::timing::TimingFault;
use super::version::VersionFault;
use crate::domain::name::List;

/// What a refusal is about: an attribute of the resource, or the cluster as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// No attribute is at fault.
    Cluster,
    /// `version`.
    Version,
    /// `members`.
    Members,
    /// One element of `members`.
    Member(Name),
    /// Its address.
    Address(Name),
    /// One of the three ports.
    Port(Port),
    /// `wal_dir`.
    WalDir,
    /// `heartbeat_interval`.
    Heartbeat,
    /// `election_timeout`.
    Election,
    /// `quota_backend_bytes`.
    Quota,
    /// `auto_compaction_retention`.
    Compaction,
    /// One element of `extra_args`.
    ExtraArgs(usize),
    /// One element of `environment`.
    Environment(String),
    /// `lost_hosts`.
    LostHosts,
    /// `deletion_protection`.
    DeletionProtection,
}

/// Why the planner does not go on. Each text ends with the way out where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The map is empty.
    #[error("a cluster has at least one member: to end it, destroy it")]
    NoMembers,
    /// The map is too long.
    #[error(
        "{0} members are more than {MOST_MEMBERS}, and more make a cluster slower and no safer: take some out of the map"
    )]
    TooManyMembers(usize),
    /// A first cluster of an even size.
    #[error(
        "a new cluster has 1, 3, 5 or 7 members, not {0}: an even one bears no more losses than one member less"
    )]
    EvenStart(usize),
    /// Nobody could reach a member there.
    #[error("{address} is no address by which members can reach {name}")]
    Address {
        /// The member.
        name: Name,
        /// What was wished.
        address: IpAddr,
    },
    /// Two members on one address.
    #[error("{other} and {name} have the same address {address}")]
    SameAddress {
        /// The later one.
        name: Name,
        /// The earlier one.
        other: Name,
        /// Of both.
        address: IpAddr,
    },
    /// Members that swap their addresses.
    #[error(
        "the address of {name} is still that of {other}: give one of them another address in between"
    )]
    AddressTaken {
        /// The member that is to get it.
        name: Name,
        /// The member that has it.
        other: String,
    },
    /// An address that changes in a cluster of two.
    #[error(
        "{0} cannot get another address while there are two members: add a third one before, or remove one"
    )]
    OneOfTwoMoves(Name),
    /// An address that nobody can be told of without a quorum.
    #[error(
        "there is no quorum, and the members look for {name} at {told}: give it that address again, apply, and change it then"
    )]
    OtherAddressFirst {
        /// The member.
        name: Name,
        /// Where they look.
        told: IpAddr,
    },
    /// Two ports alike.
    #[error("the three ports differ, and none is 0")]
    Ports(Port),
    /// The log in the place of the data.
    #[error("wal_dir and data_dir differ: leave wal_dir out to have the log inside data_dir")]
    WalDir,
    /// Out of range.
    #[error("a quota of {0} bytes is not between 1 and {MOST_QUOTA}")]
    Quota(u64),
    /// etcd keeps its data mapped into memory.
    #[error(
        "{name} has {memory} bytes of memory, and a quota of {quota} is not below that: lower it, or give that machine more"
    )]
    Memory {
        /// The host.
        name: Name,
        /// Its own, in bytes.
        memory: u64,
        /// What was wished.
        quota: u64,
    },
    /// etcd would be told none at all.
    #[error(
        "a retention of {0:?} is no whole number of seconds: choose one, or `0s` to let clients compact"
    )]
    Compaction(std::time::Duration),
    /// Intervals that do not fit.
    #[error(transparent)]
    Timing(#[from] TimingFault),
    /// A version that does not fit.
    #[error(transparent)]
    Version(#[from] VersionFault),
    /// An argument or a variable that does not fit.
    #[error("{fault}")]
    Argument {
        /// Which one.
        subject: Subject,
        /// Why.
        fault: ArgumentFault,
    },
    /// One machine behind two keys.
    #[error("{other} and {name} are the same machine: each member needs one of its own")]
    SameMachine {
        /// The later one.
        name: Name,
        /// The earlier one.
        other: Name,
    },
    /// It has to be looked at before anything is done.
    #[error("{} cannot be looked at, and may hold data of this cluster: make it answer, or change the map", List(.0))]
    Unseen(Vec<Name>),
    /// None of the hosts can be looked at.
    #[error(
        "none of {} answers: bring their machines back, or correct the way to them in `host`",
        List(.0)
    )]
    NobodyAnswers(Vec<Name>),
    /// The host of these keys was another before, and none that answers holds data.
    #[error(
        "no host that answers holds data of the cluster, and the former one of {} does not answer: bring it back, or set `host` back",
        List(.0)
    )]
    FormerSilent(Vec<Name>),
    /// All hosts were looked at.
    #[error(
        "every host answers, and none holds data of the cluster any more: bring back the disk of one, or restore a snapshot"
    )]
    NothingLeft,
    /// It does not answer and must change.
    #[error("{} cannot be reached to be changed: make it answer, or take it out of the map", List(.0))]
    Silent(Vec<Name>),
    /// Another cluster's host.
    #[error("{name} belongs to {owner}: import that cluster, or clean the host")]
    Foreign {
        /// The host.
        name: Name,
        /// What its record says.
        owner: String,
    },
    /// A later provider has been there.
    #[error("the record on {name} has format {format}: use a later provider")]
    Newer {
        /// The host.
        name: Name,
        /// Of its record.
        format: u32,
    },
    /// Data that is not this cluster's.
    #[error(
        "{name} holds data of an etcd cluster that is not this one: import that cluster, or clean the host"
    )]
    ForeignData {
        /// The host.
        name: Name,
    },
    /// The members speak for another cluster than the state does.
    #[error(
        "the members belong to cluster {found}, and the state knows {known}: nothing is changed until that is clear"
    )]
    OtherCluster {
        /// What the members say.
        found: ClusterId,
        /// What the state says.
        known: ClusterId,
    },
    /// Somebody added a member by other means.
    #[error(
        "{0} is a voter that this resource has not made: add it to the map by its address, or remove it with etcdctl"
    )]
    Stranger(String),
    /// None of the present members stays.
    #[error("no member of the present cluster is in the map: keep one, apply, and remove it then")]
    NothingInCommon,
    /// Only a restore helps.
    #[error(
        "{healthy} of {voters} voters can serve, and {needed} are needed: bring hosts back, or restore"
    )]
    QuorumLost {
        /// Voters that serve, or could.
        healthy: usize,
        /// All voters.
        voters: usize,
        /// For a quorum.
        needed: usize,
    },
    /// The step would end the quorum.
    #[error(
        "without {without}, {healthy} of {voters} voters would serve, which is no quorum: mend the others first"
    )]
    WouldLoseQuorum {
        /// The member that would be away.
        without: String,
        /// Voters that would serve.
        healthy: usize,
        /// All that would have a vote.
        voters: usize,
    },
    /// A member serves from a machine that is not behind its key.
    #[error(
        "{0} serves, but the machine behind that key holds no data of it: look which machine answers there"
    )]
    Elsewhere(Name),
    /// Some hosts have the data of a restore in place, and others what was there before.
    #[error(
        "a restore of generation {0} was begun and is not at its end: set `restore` back to it, and apply"
    )]
    HalfRestored(u64),
    /// Members are not well enough for the change.
    #[error("{} does not serve, and members are not changed meanwhile: mend it, or take it out of the map", List(.0))]
    Unhealthy(Vec<Name>),
    /// The quota is used up.
    #[error(
        "the quota is used up (NOSPACE): compact, defragment each member, and disarm the alarm, in this order"
    )]
    NoSpace,
    /// A destroy cannot clean it.
    #[error("{} cannot be reached to be cleaned: make it answer, or put it into lost_hosts", List(.0))]
    SilentAtDestroy(Vec<Name>),
    /// To destroy was not meant.
    #[error("deletion_protection is on: set it to false and apply before destroying")]
    Protected,
}

impl Refusal {
    /// What it is about.
    pub fn subject(&self) -> Subject {
        match self {
            Self::NoMembers
            | Self::TooManyMembers(_)
            | Self::EvenStart(_)
            | Self::NothingInCommon
            | Self::NobodyAnswers(_)
            | Self::Stranger(_) => Subject::Members,
            Self::OneOfTwoMoves(name)
            | Self::OtherAddressFirst { name, .. }
            | Self::Address { name, .. }
            | Self::SameAddress { name, .. }
            | Self::AddressTaken { name, .. } => Subject::Address(name.clone()),
            Self::Ports(port) => Subject::Port(*port),
            Self::WalDir => Subject::WalDir,
            Self::Quota(_) | Self::Memory { .. } => Subject::Quota,
            Self::Compaction(_) => Subject::Compaction,
            Self::Timing(TimingFault::Heartbeat) => Subject::Heartbeat,
            Self::Timing(_) => Subject::Election,
            Self::Version(_) => Subject::Version,
            Self::Argument { subject, .. } => subject.clone(),
            Self::SameMachine { name, .. }
            | Self::Foreign { name, .. }
            | Self::Newer { name, .. }
            | Self::ForeignData { name }
            | Self::Elsewhere(name) => Subject::Member(name.clone()),
            Self::Unseen(names)
            | Self::Silent(names)
            | Self::FormerSilent(names)
            | Self::Unhealthy(names) => match names.as_slice() {
                [name] => Subject::Member(name.clone()),
                _ => Subject::Members,
            },
            Self::OtherCluster { .. }
            | Self::NothingLeft
            | Self::HalfRestored(_)
            | Self::QuorumLost { .. }
            | Self::WouldLoseQuorum { .. }
            | Self::NoSpace => Subject::Cluster,
            Self::SilentAtDestroy(_) => Subject::LostHosts,
            Self::Protected => Subject::DeletionProtection,
        }
    }
}

impl fmt::Display for Subject {
    /// As the configuration writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("the cluster"),
            Self::Version => f.write_str("version"),
            Self::Members => f.write_str("members"),
            Self::Member(name) => write!(f, "members[\"{name}\"]"),
            Self::Address(name) => write!(f, "members[\"{name}\"].address"),
            Self::Port(port) => f.write_str(port.attribute()),
            Self::WalDir => f.write_str("wal_dir"),
            Self::Heartbeat => f.write_str("heartbeat_interval"),
            Self::Election => f.write_str("election_timeout"),
            Self::Quota => f.write_str("quota_backend_bytes"),
            Self::Compaction => f.write_str("auto_compaction_retention"),
            Self::ExtraArgs(at) => write!(f, "extra_args[{at}]"),
            Self::Environment(name) => write!(f, "environment[\"{name}\"]"),
            Self::LostHosts => f.write_str("lost_hosts"),
            Self::DeletionProtection => f.write_str("deletion_protection"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::etcd::version::Version;

    #[test]
    fn a_refusal_points_at_what_can_change_it() {
        let check = |refusal: Refusal, path: &str| assert_eq!(refusal.subject().to_string(), path);
        let name = || -> Name { "a".parse().unwrap() };
        let (to, at) = (Version::new(4, 1), [192, 0, 2, 1].into());
        check(Refusal::EvenStart(2), "members");
        check(Refusal::NothingInCommon, "members");
        check(Refusal::Unseen(vec![name()]), "members[\"a\"]");
        check(Refusal::Unhealthy(vec![name(), name()]), "members");
        check(Refusal::ForeignData { name: name() }, "members[\"a\"]");
        check(Refusal::OneOfTwoMoves(name()), "members[\"a\"].address");
        check(Refusal::OtherAddressFirst { name: name(), told: at }, "members[\"a\"].address");
        check(Refusal::Version(VersionFault::Unknown(to)), "version");
        check(Refusal::Timing(TimingFault::Heartbeat), "heartbeat_interval");
        check(Refusal::Timing(TimingFault::Election), "election_timeout");
        check(Refusal::Ports(Port::Metrics), "metrics_port");
        let fault = ArgumentFault::Unsafe("unsafe-no-fsync".to_owned());
        check(Refusal::Argument { subject: Subject::ExtraArgs(3), fault }, "extra_args[3]");
        let fault = ArgumentFault::Variable("ETCD_NAME".to_owned());
        let subject = Subject::Environment("ETCD_NAME".to_owned());
        check(Refusal::Argument { subject, fault }, "environment[\"ETCD_NAME\"]");
        check(Refusal::SilentAtDestroy(vec![name()]), "lost_hosts");
        check(Refusal::Protected, "deletion_protection");
        check(Refusal::NoSpace, "the cluster");
    }
}
