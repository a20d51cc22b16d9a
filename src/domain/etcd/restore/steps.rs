//! One thing to do for a restore. What each must guarantee is in the documentation of [`super`].

use std::fmt;

use super::Begun;
use crate::domain::etcd::Name;
use crate::domain::name::List;
use crate::domain::{Kind, etcd};

/// One thing to do. `hosts` are keys of wanted members, `former` of members that the wish does not name.
#[expect(missing_docs, reason = "a field means the same in every step")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// What hosts need before a member can start there.
    Outfit(etcd::Step),
    /// Prove the snapshot.
    Find { source: String },
    /// Note on hosts what is to be brought.
    Begin { hosts: Vec<Name>, like: Option<Begun> },
    /// Bring the snapshot.
    Bring { hosts: Vec<Name> },
    /// Make data of it.
    Prepare { hosts: Vec<Name> },
    /// Stop those who use the cluster.
    StopClients { clients: Vec<String> },
    /// Stop members for good.
    Stop { hosts: Vec<Name>, former: Vec<Name> },
    /// Put the restored data in the place of what is there.
    Switch { hosts: Vec<Name> },
    /// Start members with the restored data.
    Start { hosts: Vec<Name> },
    /// Start those again who use the cluster.
    StartClients { clients: Vec<String> },
    /// Note that it is done.
    Finish { hosts: Vec<Name>, generation: u64 },
}

impl crate::domain::Step for Step {
    fn kind(&self) -> Kind {
        match self {
            Self::Outfit(step) => step.kind(),
            Self::Find { .. }
            | Self::Begin { .. }
            | Self::Bring { .. }
            | Self::Prepare { .. }
            | Self::Finish { .. } => Kind::Prepare,
            Self::Start { .. } => Kind::Join,
            Self::StopClients { .. } | Self::StartClients { .. } => Kind::Restart,
            Self::Stop { .. } | Self::Switch { .. } => Kind::Restore,
        }
    }

    fn hosts(&self) -> Vec<&str> {
        match self {
            Self::Outfit(step) => step.hosts(),
            Self::Begin { hosts, .. }
            | Self::Bring { hosts }
            | Self::Prepare { hosts }
            | Self::Switch { hosts }
            | Self::Start { hosts }
            | Self::Finish { hosts, .. } => hosts.iter().map(Name::as_str).collect(),
            Self::Stop { hosts, former } => hosts.iter().chain(former).map(Name::as_str).collect(),
            Self::Find { .. } | Self::StopClients { .. } | Self::StartClients { .. } => Vec::new(),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outfit(step) => step.fmt(f),
            Self::Find { source } => write!(f, "prove {source}"),
            Self::Begin { hosts, .. } => write!(f, "note on {} what is restored", List(hosts)),
            Self::Bring { hosts } => write!(f, "bring the snapshot to {}", List(hosts)),
            Self::Prepare { hosts } => {
                write!(f, "make data of the snapshot on {}, beside what is there", List(hosts))
            }
            Self::StopClients { clients } => {
                write!(f, "stop the API servers of {}", clients.join(", "))
            }
            Self::Stop { hosts, former } => {
                let all: Vec<Name> = hosts.iter().chain(former).cloned().collect();
                write!(f, "stop etcd on {}", List(&all))
            }
            Self::Switch { hosts } => write!(
                f,
                "put the restored data in its place on {}, and keep what was there beside",
                List(hosts)
            ),
            Self::Start { hosts } => write!(f, "start etcd on {} with that data", List(hosts)),
            Self::StartClients { clients } => {
                write!(f, "start the API servers of {} again", clients.join(", "))
            }
            Self::Finish { hosts, generation } => {
                write!(f, "note on {} that generation {generation} is restored", List(hosts))
            }
        }
    }
}
