//! Control planes of real Kubernetes on real etcd, on local hosts: what the actions bring about, without any engine.
//!
//! Without the programs (`scripts/lab-binaries`) the tests are left out with a word about it; where the environment variable
//! CI is set they fail.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test drives processes, fails by panicking, and says what it leaves out"
)]

#[path = "../support/agents.rs"]
mod agents;
#[path = "../support/binaries.rs"]
mod binaries;
mod load;
mod local;

mod failures;
mod lifecycle;
mod rolling;
