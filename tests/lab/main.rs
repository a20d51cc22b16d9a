//! Real hosts: Debian in systemd-nspawn on this machine, with faults on demand. Needs root, and is run by `make lab`.
//!
//! A test begins with `let Some(lab) = Lab::with_hosts(3) else { return };`. Where a lab is impossible, the reason is
//! recorded and the test left out; with CI in the environment it fails instead.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test drives processes, fails by panicking, and says what it leaves out"
)]

mod agents;
mod amid;
mod cgroup;
mod claim;
mod faults;
mod host;
mod lab;
mod network;
mod program;

#[allow(dead_code, reason = "the tests on local hosts need more of it")]
#[path = "../balancer/backend.rs"]
mod backend;
#[allow(dead_code, reason = "the tests of DNS records need more of it")]
#[path = "../dns/bind.rs"]
mod bind;
#[allow(dead_code, reason = "the tests of the engines need more of it")]
#[path = "../cli/directory.rs"]
mod directory;
#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "the tests of the engines need more of it"
)]
#[path = "../cli/engine.rs"]
mod engine;
#[allow(dead_code, reason = "the tests of the engines need more of it")]
#[path = "../cli/processes.rs"]
mod processes;
#[path = "../support/published.rs"]
mod published_folder;
#[allow(dead_code, reason = "the tests of the engines need more of it")]
#[path = "../cli/run.rs"]
mod run;
#[allow(dead_code, reason = "the tests of the engines need more of it")]
#[path = "../support/trial.rs"]
mod trial;
#[allow(dead_code, reason = "the tests of the engines need more of it")]
#[path = "../cli/workspace.rs"]
mod workspace;

mod balancer;
mod control_plane;
mod control_plane_faults;
mod control_plane_restores;
mod etcd;
mod examples;
mod front_door;
mod hosts;
mod remote;
mod secrets;
mod service;
mod service_faults;
mod ssh;
mod systemd;
mod whole;
