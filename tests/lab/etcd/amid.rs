//! An apply of a cluster in the middle of its work.

use super::cluster::{ABC, Cluster, VERSION};
use crate::amid::amid;
use crate::processes::Running;

/// Another setting, so that every member has to restart.
pub(crate) fn quota(number: usize) -> String {
    format!("deletion_protection = false\n  quota_backend_bytes = {}", (1 << 30) + number)
}

/// An apply that rolls new settings through the members, and has restarted the first.
#[track_caller]
pub(crate) fn amid_a_roll(on: &Cluster, number: usize) -> Running {
    on.wish(VERSION, &ABC, &quota(number));
    amid(&on.at, "restart etcd on")
}
