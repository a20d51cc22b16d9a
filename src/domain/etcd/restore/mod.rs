//! The planner of a restore: older data takes the place of what a cluster has. Pure.
//!
//! [`next`] stands before the planner of the cluster for as long as a restore is wished that the hosts have not seen yet.
//! Everything that could be refused is found out first; what takes long is made beside the data that is there, while the
//! cluster goes on; then all members stop, all switch, and all start. From the first switch on there is no way but forward,
//! and every host has all that it needs for it.
//!
//! A host that restarts meanwhile starts no member: those that were stopped for this are not enabled until they start with
//! the new data. The restored cluster has a token, and so an id, that no earlier one had: a member of another one that comes
//! back is refused by it.
//!
//! # To those who observe
//! - A host that did not answer completely is unseen. What was prepared or switched is known by the mark that is written
//!   last, and counts only for what the notes of that host have begun.
//!
//! # To those who perform
//! | step | what it must guarantee |
//! |---|---|
//! | `Outfit` | as in the planner of the cluster |
//! | `Find` | the snapshot was read as a whole: its digests, its pages, its manifest. No member notices |
//! | `Begin` | the notes of these hosts are like those of another, or have a token that no cluster had, and what was found. What they had begun before is forgotten |
//! | `Bring` | the file lies on the host with this digest, and the notes say so |
//! | `Prepare` | folders and unit as wished; a directory with all data, owned by the member, durable, and the mark last |
//! | `StopClients` | the API servers that are known do not run |
//! | `Stop` | the unit does not run, nor when the host restarts |
//! | `Switch` | what was there is kept beside, what was prepared is in its place |
//! | `Start` | the notes tell of the new member first; then the unit is enabled and started |
//! | `StartClients` | those that were stopped run again |
//! | `Finish` | the notes have the generation, and what was only needed for the restore is gone |

mod expect;
mod next;
mod refusal;
#[cfg(test)]
mod simulate;
mod steps;
#[cfg(test)]
mod tables;

use std::collections::{BTreeMap, BTreeSet};

pub use self::expect::believe;
pub use self::next::{half_done, next};
pub use self::refusal::{Refusal, Subject};
pub use self::steps::Step;
use super::desired::{ClusterName, Name};
use super::observed::{ClusterId, Token};
use super::version::Version;

/// By how much revisions rise at least: beyond all that clients may have seen since the snapshot, however busy they are.
pub const BUMP: u64 = 1_000_000_000;

/// The highest generation: revisions rise with it, and have 63 bits.
pub const MOST_GENERATION: u64 = 1_000_000;

/// A restore as a user wishes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Higher than that of every restore before.
    pub generation: u64,
    /// Where the snapshot comes from, in words. Other words are another snapshot.
    pub source: String,
    /// It is taken of a member that is left.
    pub is_of_survivor: bool,
    /// The present data may be given up though the cluster has a quorum.
    pub discards: bool,
    /// API servers that nobody here knows or reaches are stopped.
    pub clients_stopped: bool,
    /// The id of the cluster in Terraform, which its snapshots have. None while it is created.
    pub resource: Option<String>,
}

/// What was seen in one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Hosts and members.
    pub etcd: super::Observed,
    /// How far each wanted host is; those that were seen.
    pub progress: BTreeMap<Name, Progress>,
    /// The snapshot, once this run has proven it.
    pub found: Option<Found>,
    /// Members that have told how far they are, with a quorum or without.
    pub heard: BTreeSet<Name>,
    /// Who uses the cluster.
    pub clients: Clients,
}

/// How far a host is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Of the last restore that came to its end. 0: there was none.
    pub generation: u64,
    /// What was begun.
    pub begun: Option<Begun>,
    /// The snapshot lies there.
    pub has_file: bool,
    /// So does what was made of it.
    pub is_prepared: bool,
    /// It is in its place.
    pub is_switched: bool,
}

/// What a restore brings, the same on all hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Of the restore.
    pub generation: u64,
    /// As in [`Wanted`].
    pub source: String,
    /// Of the cluster that it makes.
    pub token: Token,
    /// SHA-256 of the snapshot, in hexadecimal digits.
    pub digest: String,
    /// Of the snapshot, in bytes.
    pub size: u64,
    /// By how much revisions rise.
    pub bump: u64,
    /// The id of the cluster that it makes.
    pub cluster: ClusterId,
}

/// A snapshot that was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// SHA-256 of it, in hexadecimal digits.
    pub digest: String,
    /// In bytes.
    pub size: u64,
    /// The last change in it.
    pub revision: u64,
    /// What its manifest says. None: it is of a member of this very cluster.
    pub origin: Option<Origin>,
}

/// Of what a snapshot is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Of the snapshot.
    pub name: String,
    /// The cluster.
    pub cluster: String,
    /// Its id in Terraform.
    pub resource: String,
    /// What the member ran.
    pub version: Option<Version>,
}

/// Who uses the cluster, by the record on its hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients {
    /// Of whom nobody can tell whether they are stopped.
    pub unknown: BTreeSet<String>,
    /// Who runs.
    pub up: BTreeSet<String>,
    /// Who was stopped for this.
    pub stopped: BTreeSet<String>,
}

/// By how much revisions have to rise, so that none comes again: `highest` is the last that anybody knows of.
pub fn bump(generation: u64, revision: u64, highest: u64) -> u64 {
    let beyond = highest.saturating_sub(revision).saturating_add(BUMP);
    beyond.max(BUMP.saturating_mul(generation))
}

/// What a data directory is marked with.
pub fn mark(begun: &Begun) -> String {
    format!("{} {}\n", begun.token.0, begun.digest)
}

/// Where the snapshot lies on each host until it is restored.
pub fn staged(cluster: &ClusterName) -> String {
    format!("{}/restore.db", super::kept(cluster))
}
