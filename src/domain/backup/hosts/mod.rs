//! How a backup comes to the hosts of a cluster, and goes from them: what is wished, what was seen, and the one next step.
//!
//! # To those who observe
//! - A host that did not answer completely is unseen.
//! - `former` has every host that the state names and the wish does not.
//! - `needs_snapshot` is true until this run has taken the snapshot that was asked for.
//!
//! # To those who perform
//! | step | what it must guarantee |
//! |---|---|
//! | `Claim` | the record (unfinished, with the id) is on disk before anything else is |
//! | `Write` | program, settings and unit are whole; nothing reads them yet |
//! | `Take` | the snapshot counts, or nothing is kept |
//! | `Start` | enabled, and what runs has read what lies there |
//! | `Retire`, `Dismantle` | the service ends first; the record goes last. Snapshots stay, but for those that `Dismantle` is told to delete |

mod next;
mod refusal;
mod steps;

use std::collections::BTreeMap;

pub use self::next::{believe, leave, next};
pub use self::refusal::Refusal;
pub use self::steps::Step;
use crate::domain::host::{MachineId, Owner};
use crate::domain::name::{Name, OnDestroy};

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The hosts that are wished. None: unseen.
    pub hosts: BTreeMap<Name, Option<Facts>>,
    /// Those that are not any more.
    pub former: BTreeMap<Name, Option<Facts>>,
    /// Whether there is a state.
    pub is_known: bool,
    /// Whether a snapshot is to be taken, whatever the schedule says.
    pub needs_snapshot: bool,
}

/// A host that answered completely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Which machine it is.
    pub machine: MachineId,
    /// Whose it is.
    pub owner: Owner,
    /// A file of somebody else in the place of one of ours.
    pub foreign: Option<String>,
    /// Program, settings and unit are as they are wished.
    pub is_written: bool,
    /// The service runs, and has read them.
    pub runs: bool,
    /// Its member runs.
    pub has_member: bool,
}

/// What is wished when a backup ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave(pub OnDestroy);
