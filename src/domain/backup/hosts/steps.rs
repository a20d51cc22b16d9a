//! One thing to do. What each must guarantee is in the documentation of [`super`].

use std::fmt;

use crate::domain::Kind;
use crate::domain::name::{List, Name};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write the record of an unfinished creation.
    Claim(Vec<Name>),
    /// Write program, settings and unit.
    Write(Vec<Name>),
    /// Take a snapshot now.
    Take(Name),
    /// Let the service run with what lies there.
    Start(Vec<Name>),
    /// Remove all but the snapshots from hosts that leave.
    Retire(Vec<Name>),
    /// Write what was applied into the records.
    Record(Vec<Name>),
    /// End the backup on these hosts.
    Dismantle {
        /// Which.
        hosts: Vec<Name>,
        /// And delete the snapshots.
        purges: bool,
    },
}

impl Step {
    fn named(&self) -> &[Name] {
        match self {
            Self::Claim(hosts)
            | Self::Write(hosts)
            | Self::Start(hosts)
            | Self::Retire(hosts)
            | Self::Record(hosts)
            | Self::Dismantle { hosts, .. } => hosts,
            Self::Take(host) => std::slice::from_ref(host),
        }
    }
}

impl crate::domain::Step for Step {
    fn kind(&self) -> Kind {
        match self {
            Self::Claim(_) | Self::Write(_) | Self::Take(_) | Self::Record(_) => Kind::Prepare,
            Self::Start(_) => Kind::Join,
            Self::Retire(_) | Self::Dismantle { .. } => Kind::Remove,
        }
    }

    fn hosts(&self) -> Vec<&str> {
        self.named().iter().map(Name::as_str).collect()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = List(self.named());
        match self {
            Self::Claim(_) => write!(f, "claim {hosts}"),
            Self::Write(_) => write!(f, "write the schedule of backups on {hosts}"),
            Self::Take(host) => write!(f, "take a snapshot on {host}"),
            Self::Start(_) => write!(f, "start backups on {hosts}"),
            Self::Retire(_) => write!(f, "end backups on {hosts}, whose snapshots stay"),
            Self::Record(_) => write!(f, "record on {hosts} what was applied"),
            Self::Dismantle { purges: false, .. } => {
                write!(f, "end backups on {hosts}, and keep the snapshots")
            }
            Self::Dismantle { purges: true, .. } => {
                write!(f, "end backups on {hosts}, and delete the snapshots")
            }
        }
    }
}
