//! The planner of an etcd cluster: what is wished, what was seen, the one next step. Pure.
//!
//! [`next`] brings a cluster where it is wished to be and keeps it there, [`leave`] ends it. The phases are files, in
//! the order in which they are asked: `bootstrap` (no quorum was ever seen), `finish`, `rescue`, `grow`, `shrink`,
//! `change`, `renew`. `view` finds out which member belongs to which key. [`believe`] says what a step is expected to
//! do, for the forecast of a plan.
//!
//! # To those who observe
//! - The list of members is linearizable, or there is none. A member is healthy if it answers a linearizable read of
//!   its own (a learner: a status), asked through its own host or, when that is silent, through another.
//! - A host that did not answer completely is unseen. A file that cannot be read is no absent file.
//! - `former` has every member that the state or a record names and the wish does not, and the former host of a key
//!   whose `host.address` was edited. It is empty only if there is none.
//! - What lies in the journal is told as well: the token, whether a quorum was seen, the voters, and the address by
//!   which the others were told to find the member. It is written before each change of these is asked for, for a lost
//!   answer must not hide a vote that was given.
//!
//! # To those who perform
//! A name means the wanted host of that key; in [`Step::Retire`] the former one, in [`Step::Dismantle`] both. Steps
//! with many hosts do them all at once, and one that ended midway is asked for again for what is left. A change of
//! membership whose answer is lost is neither done nor failed: the next list tells. No step works around a refusal of
//! etcd.
//!
//! | step | what it must guarantee |
//! |---|---|
//! | `Claim` | the record (unfinished, with the id and one token for all: that of the hosts that have one, otherwise a new one) is on disk before anything else is |
//! | `Discard` | only with an unfinished record and no quorum in the journal: stops the unit, puts data aside, removes certificates, authority, seeds, and the record last |
//! | `Certify` | asks the planner of certificates until it is content with these hosts; nothing restarts |
//! | `Stage` | the program lies beside the others, its digest verified; nothing runs it |
//! | `Prepare` | user, folders, unit, settings. Before a quorum: the seeds, with state `new`. After: state `existing` with the full list, and the journal says that a quorum was seen |
//! | `Bootstrap` | each host has reached the others on their port for members; then starts them at the same time, and waits for none: none is ready before there is a quorum |
//! | `RecordFormed` | the journal says that a quorum was seen and which cluster it is; state `existing` with the full list takes the place of `new` |
//! | `Start` | starts the units. Refuses where the data directory is not that of a listed member, for etcd then panics or makes a second cluster |
//! | `Restart` | ends a process that hangs, if need be with SIGKILL, and starts it |
//! | `Reconfigure` | writes settings and program, then restarts that unit alone, and waits until it has joined. A stop takes up to 15 s: etcd waits for watchers |
//! | `AddLearner` | its host and those of the members have reached each other on that port; the journal of that host has the address first; then `MemberAdd` as a learner with this peer URL |
//! | `StartLearner` | only with an empty data directory, what is left of a log put aside, and with the list of that moment |
//! | `Promote` | `MemberPromote`; etcd refuses a learner that is behind |
//! | `DropLearner` | `MemberRemove` of this id, if it is a learner still |
//! | `MoveLeader` | `MoveLeader`, asked of the leader; etcd waits until it is done |
//! | `RemoveMember` | `MemberRemove` of this id; the process ends by itself, with status 0 |
//! | `StartOver` | `MemberRemove` of this id, if it is a learner still; then as `MoveAside` |
//! | `MoveAside` | only data whose id is not in the list that was just read, under our record: stops the unit, renames data and log directory |
//! | `Retire` | as `MoveAside`; removes the unit, wipes the key of the authority and the leaves, and removes the record last |
//! | `UpdatePeerUrl` | the journal of that host has the address first; then `MemberUpdate` of this id with this URL alone. Never of a learner: early patches promote it |
//! | `Snapshot` | the agent of that host streams all data of its member into a file of mode 0600 in [`snapshots`], named after version and revision. It is kept, with the one before it, once its size and the digest at its end are proven; where the disk has no room nothing is begun |
//! | `Rewrite` | files and unit as rendered; nothing restarts |
//! | `Disarm` | clears the CORRUPT alarm of this id |
//! | `Record` | the record is complete and holds what is wished, with consumers kept |
//! | `Dismantle` | as `Retire`, on all hosts at once; deletes the data if it is to be purged |

mod arguments;
mod bootstrap;
mod change;
mod concerns;
mod desired;
mod expect;
mod finish;
mod grow;
mod leave;
mod next;
#[cfg(test)]
pub(crate) mod notation;
mod observed;
mod refusal;
mod render;
mod renew;
mod rescue;
pub mod restore;
mod shrink;
#[cfg(test)]
mod simulate;
mod steps;
#[cfg(test)]
mod tables;
mod timing;
mod version;
mod view;
mod warnings;

pub use self::arguments::{ArgumentFault, Arguments, Environment};
pub use self::concerns::{Concern, Saying, are_replaceable, concerns};
pub use self::desired::{
    ClusterName, Desired, Folder, MOST_MEMBERS, MOST_QUOTA, Name, OnDestroy, PeerUrl, Place, Port,
    Ports, TextFault, Wish,
};
pub use self::expect::believe;
pub use self::leave::leave;
pub use self::next::next;
pub use self::observed::{
    Alarm, Certificates, Cluster, ClusterId, Data, Done, Facts, Former, Host, MachineId, Member,
    MemberId, Observed, Owner, Settings, Status, Token, Unit, quorum,
};
pub use self::refusal::{Refusal, Subject};
pub use self::render::{Files, Rendered, initial_cluster, render};
pub use self::steps::{Step, kept, snapshots};
pub use self::timing::{Timing, TimingFault};
pub use self::version::{Version, VersionFault};
pub use self::warnings::{Warning, warnings};
