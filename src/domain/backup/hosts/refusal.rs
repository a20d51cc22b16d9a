//! Why the planner does not go on.

use crate::domain::name::{List, Name};

/// Why the planner does not go on. Each text ends with the way out where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Before anything is there, a host that does not answer may be one that does not exist.
    #[error("{} must answer before the backup is made: nothing is begun without them", List(.0))]
    Unseen(Vec<Name>),
    /// An object of the same kind and name.
    #[error("{name} belongs to {owner}")]
    Foreign {
        /// The host.
        name: Name,
        /// Whose it is.
        owner: String,
    },
    /// What a later provider wrote.
    #[error(
        "the record on {name} has format {format}: use the provider that wrote it, or a later one"
    )]
    Newer {
        /// The host.
        name: Name,
        /// Of its record.
        format: u32,
    },
    /// A file that we did not write.
    #[error("{path} on {name} is not of this provider: move it away")]
    ForeignFile {
        /// The host.
        name: Name,
        /// The file.
        path: String,
    },
    /// Two keys lead to one machine.
    #[error("{other} and {name} are the same machine")]
    SameMachine {
        /// The later one.
        name: Name,
        /// The earlier one.
        other: Name,
    },
    /// Nobody to ask for data.
    #[error("a snapshot cannot be taken: etcd runs on none of the hosts that answer")]
    NoMember,
    /// Something would stay on them.
    #[error("{} must answer before the backup can go: it would go on there", List(.0))]
    Silent(Vec<Name>),
}
