//! What a user should know before and after an apply, though nothing is refused.

use std::fmt;

use super::desired::{Desired, Name};
use super::observed::{Alarm, Host, MemberId, Observed};
use super::version::Version;
use super::view::{View, others};

/// The way out of NOSPACE, in the order of etcd's guide to maintenance.
pub(super) const REMEDY: &str =
    "compact, defragment each member, and disarm the alarm, in this order";

/// Something to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Its last known facts stay.
    Silent(Name),
    /// The host of a removed member does not answer.
    LeftBehind(Name),
    /// No more losses are borne than with one member less.
    EvenSize(usize),
    /// A single member bears no loss at all.
    Shrinks {
        /// Members before.
        from: usize,
    },
    /// Every change of settings stops writes for a moment.
    Pauses(usize),
    /// It runs, and should not for long.
    OldVersion(Version),
    /// Writes are refused.
    NoSpace(MemberId),
    /// Data of one member differs from that of the others.
    Corrupt(MemberId),
}

/// Everything to know about this wish and this look.
pub fn warnings(desired: &Desired, observed: &Observed) -> Vec<Warning> {
    let is_silent = |it: &Host| it.seen().is_none();
    let silent = observed.hosts.iter().filter(|(_, it)| is_silent(it));
    let mut found: Vec<_> = silent.map(|(name, _)| Warning::Silent(name.clone())).collect();
    let left = others(observed).filter(|(_, it)| is_silent(&it.host));
    found.extend(left.map(|(name, _)| Warning::LeftBehind(name.clone())));
    let size = desired.members.len();
    if size.is_multiple_of(2) {
        found.push(Warning::EvenSize(size));
    }
    let Some(cluster) = &observed.cluster else { return found };
    let voters = cluster.voters();
    if size == 1 && 1 < voters {
        found.push(Warning::Shrinks { from: voters });
    }
    let view = View::new(desired, observed, cluster);
    let mut running = view.seats.iter().filter_map(|it| it.facts?.running);
    if size <= 2 && running.any(|it| !it.is_wish(desired.version)) {
        found.push(Warning::Pauses(size));
    }
    let statuses = cluster.members.iter().filter_map(|it| it.status);
    let old = statuses.map(|it| it.version).filter(|it| it.check_new().is_err()).min();
    found.extend(old.map(Warning::OldVersion));
    found.extend(cluster.alarms.iter().map(|(id, alarm)| match alarm {
        Alarm::NoSpace => Warning::NoSpace(*id),
        Alarm::Corrupt => Warning::Corrupt(*id),
    }));
    found
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(name) => write!(
                f,
                "{name} does not answer and is left as it is: wait for it, or take it out of the map"
            ),
            Self::LeftBehind(name) => write!(
                f,
                "{name} does not answer: its data and its copy of the cluster's keys stay on that machine"
            ),
            Self::EvenSize(size) => {
                write!(f, "{size} members bear no more losses than {}", size - 1)
            }
            Self::Shrinks { from } => {
                write!(f, "{from} members become one, whose loss would be that of the cluster")
            }
            Self::Pauses(size) => {
                write!(
                    f,
                    "with {size} of them, members cannot restart without a pause of all writes"
                )
            }
            Self::OldVersion(version) if version.may_corrupt() => {
                write!(f, "etcd {version} can corrupt its data: upgrade soon")
            }
            Self::OldVersion(version) => {
                write!(f, "etcd {version} is older than any that would be installed: upgrade soon")
            }
            Self::NoSpace(id) => {
                write!(f, "member {id} has used up its quota, and writes are refused: {REMEDY}")
            }
            Self::Corrupt(id) => {
                write!(
                    f,
                    "the data of member {id} differs from that of the others: an apply replaces it"
                )
            }
        }
    }
}
