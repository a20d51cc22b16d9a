//! What every operation is given beside its values.
#![expect(clippy::disallowed_methods, reason = "a deadline is counted from now")]

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// When an operation must end, and whether the user wants it to end now.
#[derive(Clone, Debug)]
pub struct Context {
    cancelled: CancellationToken,
    deadline: Instant,
}

impl Context {
    /// An operation that starts now and may take this long.
    pub fn new(cancelled: CancellationToken, limit: Duration) -> Self {
        let now = Instant::now();
        // A limit beyond what the clock can hold is no limit; a year is within it.
        Self { cancelled, deadline: now + limit.min(Duration::from_hours(365 * 24)) }
    }

    /// Cancelled when the user interrupts: go on to the next safe point, then return what was
    /// reached. Nothing is killed, however long that takes.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// When the operation must have ended, by `timeouts` or the default of the resource.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How much time is left; zero after the deadline.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}
