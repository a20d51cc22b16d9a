//! One thing to do with a balancer. What each must guarantee is in the documentation of [`super`].

use std::fmt;

use crate::domain::Kind;
use crate::domain::name::{List, Name};

/// One thing to do.
#[expect(missing_docs, reason = "a field means the same in every step")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Find out who else has the virtual IP, or uses its number.
    Listen { hosts: Vec<Name> },
    /// Find out whether somebody else has the virtual IP, too.
    Confirm { hosts: Vec<Name> },
    /// Write the record of an unfinished creation.
    Claim { hosts: Vec<Name> },
    /// Install the programs.
    Install { hosts: Vec<Name> },
    /// Write files and services, once the program itself has found no fault with them.
    Write { host: Name },
    /// Start a proxy that does not run.
    Start { host: Name },
    /// Restart a proxy that does not answer, or has too little room.
    Restart { host: Name },
    /// Let a proxy read its file, without a connection lost.
    Reload { host: Name },
    /// Take backends in while the proxy runs.
    AddBackends { host: Name, names: Vec<Name> },
    /// Let backends have new connections again.
    ReadyBackends { host: Name, names: Vec<Name> },
    /// Give backends no new connections.
    DrainBackends { host: Name, names: Vec<Name> },
    /// Forget backends that have no connection.
    DropBackends { host: Name, names: Vec<Name> },
    /// Go back to the configuration that worked last.
    PutBack { host: Name },
    /// Keep the configuration that works, to go back to.
    Keep { host: Name },
    /// Let a node take part in who has the virtual IP.
    TakePart { host: Name },
    /// Let keepalived read its file.
    Inform { host: Name },
    /// Let a node take no part, so that another one has the virtual IP.
    MoveAway { host: Name },
    /// Remove keepalived, for no virtual IP is wished.
    Unguard { host: Name },
    /// Remove everything of the balancer from a node that leaves.
    Retire { host: Name },
    /// Write what was applied into the records.
    Record { hosts: Vec<Name> },
    /// End the balancer on these hosts.
    Dismantle { hosts: Vec<Name> },
}

impl crate::domain::Step for Step {
    fn kind(&self) -> Kind {
        match self {
            Self::Listen { .. }
            | Self::Confirm { .. }
            | Self::Claim { .. }
            | Self::Install { .. }
            | Self::Write { .. }
            | Self::Reload { .. }
            | Self::AddBackends { .. }
            | Self::ReadyBackends { .. }
            | Self::DrainBackends { .. }
            | Self::DropBackends { .. }
            | Self::Keep { .. }
            | Self::Inform { .. }
            | Self::Record { .. } => Kind::Prepare,
            Self::Start { .. } | Self::TakePart { .. } => Kind::Join,
            Self::Restart { .. } | Self::PutBack { .. } | Self::MoveAway { .. } => Kind::Restart,
            Self::Unguard { .. } | Self::Retire { .. } | Self::Dismantle { .. } => Kind::Remove,
        }
    }

    fn hosts(&self) -> Vec<&str> {
        match self {
            Self::Listen { hosts }
            | Self::Confirm { hosts }
            | Self::Claim { hosts }
            | Self::Install { hosts }
            | Self::Record { hosts }
            | Self::Dismantle { hosts } => hosts.iter().map(Name::as_str).collect(),
            Self::Write { host }
            | Self::Start { host }
            | Self::Restart { host }
            | Self::Reload { host }
            | Self::AddBackends { host, .. }
            | Self::ReadyBackends { host, .. }
            | Self::DrainBackends { host, .. }
            | Self::DropBackends { host, .. }
            | Self::PutBack { host }
            | Self::Keep { host }
            | Self::TakePart { host }
            | Self::Inform { host }
            | Self::MoveAway { host }
            | Self::Unguard { host }
            | Self::Retire { host } => vec![host.as_str()],
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { hosts } => write!(
                f,
                "listen on {} whether others have the virtual IP or its router id",
                List(hosts)
            ),
            Self::Confirm { hosts } => {
                write!(f, "ask from {} whether others have the virtual IP, too", List(hosts))
            }
            Self::Claim { hosts } => write!(f, "claim {}", List(hosts)),
            Self::Install { hosts } => write!(f, "install the programs on {}", List(hosts)),
            Self::Write { host } => write!(f, "check and write the files of {host}"),
            Self::Start { host } => write!(f, "start HAProxy on {host}"),
            Self::Restart { host } => write!(f, "restart HAProxy on {host}"),
            Self::Reload { host } => write!(f, "let HAProxy on {host} read its file anew"),
            Self::AddBackends { host, names } => {
                write!(f, "take {} in on {host}", List(names))
            }
            Self::ReadyBackends { host, names } => {
                write!(f, "give {} connections again on {host}", List(names))
            }
            Self::DrainBackends { host, names } => {
                write!(f, "give {} no more connections on {host}", List(names))
            }
            Self::DropBackends { host, names } => write!(f, "drop {} on {host}", List(names)),
            Self::PutBack { host } => {
                write!(f, "go back on {host} to the configuration that worked last")
            }
            Self::Keep { host } => write!(f, "keep the configuration of {host} as one that works"),
            Self::TakePart { host } => write!(f, "start keepalived on {host}"),
            Self::Inform { host } => write!(f, "let keepalived on {host} read its file anew"),
            Self::MoveAway { host } => {
                write!(f, "stop keepalived on {host}, so that another node has the virtual IP")
            }
            Self::Unguard { host } => write!(f, "remove keepalived from {host}"),
            Self::Retire { host } => write!(f, "remove the balancer from {host}"),
            Self::Record { hosts } => write!(f, "record on {} what was applied", List(hosts)),
            Self::Dismantle { hosts } => write!(f, "remove the balancer from {}", List(hosts)),
        }
    }
}
