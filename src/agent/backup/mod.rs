//! Snapshots of etcd that this host takes by itself, as a file of settings says.
//!
//! `resident` is the service: it sleeps until a slot is due. `take` takes one snapshot, from the member to the disk;
//! `shelf` is the directory where they lie; `calls` is what a client may ask for.

mod calls;
mod resident;
mod shelf;
mod take;

pub(super) use self::calls::{back_up, list};
pub(super) use self::resident::stay;
pub(super) use self::take::{Hashing, copy};
