//! Services under the agent's own supervisor, as the provider starts and stops them.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test drives processes, fails by panicking, and tells what it measured"
)]

#[path = "../support/agent_client.rs"]
mod agent_client;
mod host;
mod life;
mod starts;
mod units;
