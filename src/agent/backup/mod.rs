//! Snapshots of etcd that this host takes by itself, as a file of settings says.
//!
//! `resident` is the service: it sleeps until a slot is due. `take` takes one snapshot, from the member to the disk, and
//! `ship` brings it to a store if there is one. `shelf` is the directory where they lie, `store` the bucket, and `said`
//! what the bucket's service answers; `calls` is what a client may ask for, and `fetch` the way back from a store.

mod calls;
mod fetch;
mod resident;
mod said;
mod shelf;
mod ship;
mod store;
mod take;

pub(super) use self::calls::{back_up, forget, list};
pub(super) use self::fetch::fetch;
pub(super) use self::resident::stay;
pub(super) use self::take::{Hashing, unpack};
