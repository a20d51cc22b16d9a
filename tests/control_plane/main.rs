//! What a user of control planes sees: real engines, local hosts, real etcd, and real Kubernetes.
//!
//! Without the programs (`scripts/lab-binaries kubernetes 1.34.4`, and etcd 3.6.16) the tests are left out with a word about
//! it; where the environment variable CI is set they fail. Each story is told by one engine: what differs between engines is
//! tested with what starts faster.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test drives processes, fails by panicking, and says what it leaves out"
)]

#[path = "../support/binaries.rs"]
mod binaries;
#[path = "../dns/bind.rs"]
#[allow(dead_code, reason = "the tests of DNS records need more of it")]
mod bind;
#[path = "../cli/directory.rs"]
#[allow(dead_code, reason = "shared with the tests of the probe")]
mod directory;
#[path = "../cli/engine.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "shared with the tests of the probe")]
mod engine;
#[path = "../support/local_hosts.rs"]
#[allow(dead_code, reason = "shared with tests of a single resource")]
mod local_hosts;
mod plane;
#[path = "../cli/processes.rs"]
#[allow(dead_code, reason = "shared with the tests of the probe")]
mod processes;
#[path = "../support/published.rs"]
#[allow(dead_code, reason = "shared with the tests on real hosts")]
mod published_folder;
#[path = "../cli/run.rs"]
#[allow(dead_code, reason = "shared with the tests of the probe")]
mod run;

mod credentials;
mod lifecycle;
mod nodes;
mod published;
mod recovery;
mod restores;
