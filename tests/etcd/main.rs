//! What a user of etcd clusters sees: real Terraform and real OpenTofu, local hosts, and real etcd.
//!
//! Without the programs (`scripts/lab-binaries etcd 3.6.16`) the tests are left out with a word about it; where the
//! environment variable CI is set they fail.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test drives processes, fails by panicking, and says what it leaves out"
)]

#[path = "../support/agent_client.rs"]
#[allow(dead_code, reason = "shared with the tests of the agent")]
mod agent_client;
#[path = "../support/binaries.rs"]
mod binaries;
#[path = "../cli/directory.rs"]
#[allow(dead_code, reason = "shared with the tests of the probe")]
mod directory;
#[path = "../cli/engine.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "shared with the tests of the probe")]
mod engine;
mod local;
#[path = "../support/local_hosts.rs"]
mod local_hosts;
#[path = "../cli/processes.rs"]
#[allow(dead_code, reason = "shared with the tests of the probe")]
mod processes;
#[path = "../cli/run.rs"]
#[allow(dead_code, reason = "shared with the tests of the probe")]
mod run;

mod backups;
mod gateway;
mod imports;
mod lifecycle;
mod mirror;
mod reads;
mod release;
mod repairs;
mod restores;
mod snapshots;
mod stored_restores;
mod stores;
mod story;
