//! Why a restore does not go on, and which attribute can change that.

use crate::domain::etcd;
use crate::domain::etcd::{Name, Version};
use crate::domain::name::List;

/// What a refusal is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// What one of the planner of the cluster is about.
    Cluster(etcd::Subject),
    /// An attribute of `restore`. None: `restore` as a whole.
    Restore(Option<&'static str>),
}

/// Why the planner does not go on. Each text ends with the way out where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Hosts are not as they must be.
    #[error(transparent)]
    Cluster(#[from] etcd::Refusal),
    /// There is no need.
    #[error(
        "the cluster has a quorum, and what was written since the snapshot would be lost: leave `restore` out, or set discard_current_data if that is meant"
    )]
    HasQuorum,
    /// An old member might go on.
    #[error(
        "{} cannot be reached to be stopped: make it answer, or put it into lost_hosts if its machine is gone for ever",
        List(.0)
    )]
    SilentMembers(Vec<Name>),
    /// All members get the same data.
    #[error("{} cannot be reached, and every member is restored: make it answer, or take it out of the map", List(.0))]
    Silent(Vec<Name>),
    /// A client might write what it still remembers.
    #[error(
        "API servers of {} use the cluster, and cannot be reached to be stopped: stop them, and set clients_stopped",
        .0.join(", ")
    )]
    Clients(Vec<String>),
    /// A snapshot of something else.
    #[error("{name} is of another cluster ({cluster}, {resource}): name a snapshot of this one")]
    OtherCluster {
        /// The snapshot.
        name: String,
        /// Its cluster.
        cluster: String,
        /// The id of that.
        resource: String,
    },
    /// A snapshot of another minor version.
    #[error(
        "{name} is of etcd {}, and {wanted} is wished: set version to a patch of that minor, and upgrade after the restore",
        version.map_or_else(|| "an unknown version".to_owned(), |it| it.to_string())
    )]
    OtherMinor {
        /// The snapshot.
        name: String,
        /// What its member ran.
        version: Option<Version>,
        /// What is wished.
        wanted: Version,
    },
    /// There is nobody to take a snapshot of.
    #[error("no host that answers holds data of the cluster: restore a snapshot")]
    NoSurvivor,
}

impl Refusal {
    /// What it is about.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Cluster(refusal) => Subject::Cluster(refusal.subject()),
            Self::SilentMembers(_) => Subject::Cluster(etcd::Subject::LostHosts),
            Self::Silent(_) => Subject::Cluster(etcd::Subject::Members),
            Self::HasQuorum => Subject::Restore(Some("discard_current_data")),
            Self::Clients(_) => Subject::Restore(Some("clients_stopped")),
            Self::OtherCluster { .. } => Subject::Restore(None),
            Self::OtherMinor { .. } => Subject::Cluster(etcd::Subject::Version),
            Self::NoSurvivor => Subject::Restore(Some("from")),
        }
    }
}
