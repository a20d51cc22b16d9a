//! The clock of the host.
#![expect(clippy::disallowed_methods, reason = "reads the clock")]

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970. A clock before that reads as 0.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Seconds since 1970.
pub(super) fn seconds() -> i64 {
    now() / 1_000_000_000
}
