//! What a user sees: real Terraform and real OpenTofu drive the test provider.
//!
//! Each test is a function of a [`Workspace`](workspace::Workspace), and runs once for each engine. The engines are the
//! programs named by the environment variables TERRAFORM and TOFU, by default `terraform` and `tofu` on PATH. What is about
//! processes looks into /proc, and is left out on other systems.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test drives processes, fails by panicking, and says what it leaves out"
)]

#[cfg(target_os = "linux")]
#[path = "../support/agents.rs"]
mod agents;
#[allow(dead_code, reason = "shared with tests of the provider that is shipped")]
mod directory;
mod engine;
#[cfg(target_os = "linux")]
mod processes;
mod run;
#[cfg(target_os = "linux")]
#[path = "../support/trial.rs"]
mod trial;
mod workspace;

mod drift;
mod ephemeral;
mod failures;
#[cfg(target_os = "linux")]
mod faults;
mod guides;
#[cfg(target_os = "linux")]
mod hosts;
mod imports;
mod lifecycle;
mod messages;
mod nested;
mod protection;
mod schemas;
mod secrets;
mod unknowns;
mod upgrades;
mod values;
