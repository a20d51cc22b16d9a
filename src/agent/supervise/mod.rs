//! Services where no systemd runs them: one small process for each, which outlives the agent that started it.
//!
//! `supervisor` is that process. It reads the unit file that systemd would read, holds a lock for its life, keeps the
//! program running and its output in a file, and writes down its state. The agent (`control`) reads the state, and
//! speaks to it by signals: TERM stops, HUP reloads, USR1 reads the unit again, USR2 ends a pause. `launch` is a step
//! between: it ties the program to the life of its supervisor and becomes the program.
//!
//! What it does not do: nothing is started when the machine starts, and the hardening of a unit is not enforced.

mod child;
mod control;
mod identity;
mod launch;
mod lock;
mod log;
mod notify;
mod state;
mod supervisor;
mod units;
mod words;

pub(super) use self::control::{act, look};
pub(super) use self::launch::launch;
pub(super) use self::log::{logs, tail};
pub(super) use self::supervisor::supervise;
