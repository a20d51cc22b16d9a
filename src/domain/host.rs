//! What planners know of a host whatever runs there: where and which it is, whose, and how its service and certificates
//! are.

use std::net::IpAddr;

/// Where a member or a node is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where the cluster reaches it, and what it binds to.
    pub address: IpAddr,
    /// Whether its host is this machine itself.
    pub is_local: bool,
}

/// Which machine it is: its machine id, with the id in its `root` for a local host. Never a name or an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId(pub String);

/// Whose a host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Nobody's: it has no record of a resource of this kind and name.
    Nobody,
    /// This resource's, whose creation stopped midway.
    Unfinished,
    /// This resource's.
    Ours {
        /// Whether the record says what is wished now.
        is_current: bool,
    },
    /// Another one's, or this one's whose state was lost: its name and id.
    Foreign(String),
    /// A later provider's; the format of its record.
    Newer(u32),
}

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// There is none, or it is masked.
    Absent,
    /// It does not run, or has failed.
    Stopped,
    /// It runs and does not serve yet: a member has not joined, an API server is not ready.
    Starting,
    /// It serves.
    Running,
    /// It has had more time than it needs, and does not serve.
    Stuck,
}

/// How good the certificates of a host are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificates {
    /// At least one of them, or the authority, is not there.
    Missing,
    /// Past their time, or made by another authority: nobody accepts them.
    Invalid,
    /// Another address or name is wished.
    OtherNames,
    /// Less than a third of their time is left.
    Due,
    /// As wished.
    Good,
}

impl Unit {
    /// Whether no process is there.
    pub fn is_down(self) -> bool {
        matches!(self, Self::Absent | Self::Stopped)
    }
}

impl Owner {
    /// Whether a run of ours has put something there, and may change it.
    pub fn is_us(&self) -> bool {
        matches!(self, Self::Unfinished | Self::Ours { .. })
    }
}
