//! What a user of DNS records sees: real Terraform and real OpenTofu, and a real BIND that each test starts for itself.
//!
//! Without BIND (`named`, Debian package bind9) the tests are left out with a word about it; where the environment
//! variable CI is set they fail.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test drives processes, fails by panicking, and says what it leaves out"
)]

mod bind;
#[path = "../cli/directory.rs"]
#[allow(dead_code, reason = "shared with the tests of the probe")]
mod directory;
#[path = "../cli/engine.rs"]
#[allow(dead_code, reason = "shared with the tests of the probe")]
mod engine;
#[path = "../cli/run.rs"]
#[allow(dead_code, reason = "shared with the tests of the probe")]
mod run;
mod workspace;

mod conflicts;
mod failures;
mod lifecycle;
mod lookups;
mod refusals;
mod secondaries;
