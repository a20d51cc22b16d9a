//! A snapshot of etcd becomes the data of a member on this host.
//!
//! `stage` proves one that is stored and lays it open, `carry` brings it from host to host, `member` makes a data directory
//! of it and puts that in the place of the one that is there. `draft` is a file that is not whole yet.

mod carry;
mod draft;
mod member;
mod stage;

pub(super) use self::carry::{put, read};
pub(super) use self::member::{prepare, switch};
pub(super) use self::stage::stage;
