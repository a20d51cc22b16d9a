//! How fast members notice that another is gone.

use std::time::Duration;

/// Heartbeat and election timeout, both with millisecond resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    heartbeat: Duration,
    election: Duration,
}

/// Why two intervals do not fit each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimingFault {
    /// Not a whole number of milliseconds, or none at all.
    #[error("a heartbeat interval is a whole number of milliseconds, and at least one")]
    Heartbeat,
    /// The same.
    #[error("an election timeout is a whole number of milliseconds, and at least one")]
    Election,
    /// A single lost heartbeat would start an election.
    #[error(
        "an election timeout of {election:?} is below five heartbeats of {heartbeat:?}: raise it, or lower heartbeat_interval"
    )]
    TooTight {
        /// Between two heartbeats.
        heartbeat: Duration,
        /// Without a heartbeat until an election.
        election: Duration,
    },
    /// etcd does not start with it.
    #[error("an election timeout of {0:?} is above 50 s: lower it")]
    TooLong(Duration),
}

impl Timing {
    /// Both intervals.
    ///
    /// # Errors
    /// The limits are etcd's own (`server/embed/config.go`): at least five heartbeats, at most 50 s.
    pub fn new(heartbeat: Duration, election: Duration) -> Result<Self, TimingFault> {
        let is_whole = |it: Duration| !it.is_zero() && it.subsec_nanos().is_multiple_of(1_000_000);
        if !is_whole(heartbeat) {
            return Err(TimingFault::Heartbeat);
        }
        if !is_whole(election) {
            return Err(TimingFault::Election);
        }
        if Duration::from_secs(50) < election {
            return Err(TimingFault::TooLong(election));
        }
        if heartbeat.checked_mul(5).is_none_or(|it| election < it) {
            return Err(TimingFault::TooTight { heartbeat, election });
        }
        Ok(Self { heartbeat, election })
    }

    /// Between two heartbeats of the leader.
    pub fn heartbeat(self) -> Duration {
        self.heartbeat
    }

    /// Without a heartbeat until an election.
    pub fn election(self) -> Duration {
        self.election
    }
}

impl Default for Timing {
    /// What etcd recommends within one data centre.
    fn default() -> Self {
        Self { heartbeat: Duration::from_millis(100), election: Duration::from_secs(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_fit_each_other() {
        let check = |heartbeat: Duration, election: Duration, refusal: &str| {
            let found = Timing::new(heartbeat, election).err().map(|it| it.to_string());
            assert_eq!(found.unwrap_or_default(), refusal);
        };
        let ms = Duration::from_millis;
        let timing = Timing::default();
        check(timing.heartbeat, timing.election, "");
        check(ms(100), ms(500), "");
        check(
            ms(100),
            ms(499),
            "an election timeout of 499ms is below five heartbeats of 100ms: raise it, or lower heartbeat_interval",
        );
        check(ms(100), ms(50_000), "");
        check(ms(100), ms(50_001), "an election timeout of 50.001s is above 50 s: lower it");
        check(
            ms(u64::MAX / 2),
            ms(500),
            "an election timeout of 500ms is below five heartbeats of 9223372036854775.807s: raise it, or lower heartbeat_interval",
        );
        let heartbeat = "a heartbeat interval is a whole number of milliseconds, and at least one";
        check(Duration::MAX, ms(500), heartbeat);
        check(Duration::from_micros(1500), ms(500), heartbeat);
        check(ms(0), ms(500), heartbeat);
        check(
            ms(100),
            Duration::from_micros(1_000_500),
            "an election timeout is a whole number of milliseconds, and at least one",
        );
    }
}
