//! Observe and perform: the only room that asks a host for what a domain wants. What several resources need is here.

pub mod backup;
pub mod balancer;
pub mod dns;
pub mod etcd;
mod hosts;
mod identity;
pub mod kubernetes;
pub mod local_file;
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a program knows since when it runs")]
pub(crate) mod machines;
mod notes;
mod own;
mod ownership;
pub mod programs;
mod services;
mod signing;

pub use self::hosts::{former_key, is_former, parted, seen, silent};
pub use self::identity::random_id;
pub use self::own::Own;
pub use self::ownership::{
    Marker, Owner, Unrecorded, begun_before, record_name, recorded, write_record,
};
pub use self::services::{Act, Running, remove_service, run_service, stamp, stamp_path};
pub use self::signing::Issued;
