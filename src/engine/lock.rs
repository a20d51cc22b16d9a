//! Who may change a host: the arithmetic of it. Holding the lock itself is the business of the host's agent.
//!
//! The lock keeps two runs apart that live at the same time. The generation keeps out what a run had sent before it
//! lost its lock: each run counts one more than any host has seen, and a host refuses whatever is older than what it
//! has seen.

use std::fmt;

use time::{OffsetDateTime, UtcOffset};

/// Counts the runs that changed a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// A run that holds the lock of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Who started it, and where: "alice on laptop, process 4711".
    pub holder: String,
    /// Its number.
    pub generation: Generation,
    /// Since when it holds the lock, by the clock of the host.
    pub since: OffsetDateTime,
}

/// Why a run may not change a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Another run is at work.
    #[error("locked by {0}")]
    Held(Lock),
    /// A later run has been at work since.
    #[error("{ours} is over: {newest} has been at work since")]
    Older {
        /// The generation of the call.
        ours: Generation,
        /// The largest one that the host has seen.
        newest: Generation,
    },
    /// No number is left: the count on a host was not written by a provider.
    #[error("no generation comes after {0}: the count on the host is damaged")]
    Exhausted(Generation),
}

/// The generation of a new run, above all that its hosts have seen.
///
/// # Errors
/// One of them is the last number there is.
pub fn next_generation(
    seen: impl IntoIterator<Item = Generation>,
) -> Result<Generation, LockError> {
    let newest = seen.into_iter().max().unwrap_or_default();
    newest.0.checked_add(1).map(Generation).ok_or(LockError::Exhausted(newest))
}

/// Whether a host that is locked by `held` and has seen `newest` takes a call of the run `ours`.
///
/// # Errors
/// A later run was there, or another one is.
pub fn admit(ours: Generation, newest: Generation, held: Option<&Lock>) -> Result<(), LockError> {
    match held {
        Some(lock) if lock.generation != ours => Err(LockError::Held(lock.clone())),
        _ if ours < newest => Err(LockError::Older { ours, newest }),
        _ => Ok(()),
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {}", self.0)
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.since.to_offset(UtcOffset::UTC);
        let (date, (hour, minute, second)) = (since.date(), since.to_hms());
        let (holder, generation) = (&self.holder, self.generation);
        write!(f, "{holder} ({generation}) since {date} {hour:02}:{minute:02}:{second:02} UTC")
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn lock(generation: u64) -> Lock {
        Lock {
            holder: "alice on laptop, process 4711".to_owned(),
            generation: Generation(generation),
            since: OffsetDateTime::from_unix_timestamp(1_767_323_045).unwrap(),
        }
    }

    #[test]
    fn a_host_admits_the_newest_run_alone() {
        let check = |ours, newest, held: Option<u64>, refusal: &str| {
            let held = held.map(lock);
            let admitted = admit(Generation(ours), Generation(newest), held.as_ref());
            assert_eq!(admitted.map_or_else(|it| it.to_string(), |()| String::new()), refusal);
        };
        check(1, 0, None, "");
        check(3, 3, Some(3), "");
        check(4, 3, None, "");
        check(2, 3, None, "run 2 is over: run 3 has been at work since");
        let held = "locked by alice on laptop, process 4711 (run 3) since 2026-01-02 03:04:05 UTC";
        check(4, 3, Some(3), held);
        check(2, 3, Some(3), held);
    }

    #[test]
    fn a_new_run_counts_above_every_host() {
        let next = |seen: &[u64]| next_generation(seen.iter().copied().map(Generation));
        assert_eq!(next(&[]), Ok(Generation(1)));
        assert_eq!(next(&[7, 9, 8]), Ok(Generation(10)));
        assert_eq!(next(&[1, u64::MAX]), Err(LockError::Exhausted(Generation(u64::MAX))));
    }

    proptest! {
        /// Runs follow each other on any of the hosts; one of them wakes up late and tries to go on.
        #[test]
        fn a_run_that_was_overtaken_changes_nothing(
            runs in vec(vec(0_usize..4, 1..4), 1..8),
            late in 0_usize..8,
        ) {
            let mut newest = [Generation::default(); 4];
            let mut began = Vec::new();
            for hosts in &runs {
                let ours = next_generation(hosts.iter().map(|it| newest[*it])).unwrap();
                for host in hosts {
                    prop_assert_eq!(admit(ours, newest[*host], None), Ok(()));
                    newest[*host] = ours;
                }
                began.push(ours);
            }
            let late = late % runs.len();
            for host in &runs[late] {
                let overtaken = runs[late + 1..].iter().any(|it| it.contains(host));
                prop_assert_eq!(admit(began[late], newest[*host], None).is_err(), overtaken);
            }
        }
    }
}
