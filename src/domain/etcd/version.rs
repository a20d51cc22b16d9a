//! Versions of etcd, and which step from one to the other is safe.

use std::fmt;
use std::str::FromStr;

use crate::domain::text::release;

/// A release of etcd 3: `3.6.16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The 6 of 3.6.16.
    pub minor: u16,
    /// The 16 of 3.6.16.
    pub patch: u16,
}

/// Why a version is not what somebody gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionFault {
    /// It does not read as one.
    #[error("a version of etcd is written 3.6.16, without a v")]
    Malformed,
    /// A minor that this provider does not know how to run.
    #[error("etcd {0} cannot be managed: this provider knows 3.5, 3.6 and 3.7")]
    Unknown(Version),
    /// Below the patch level that is safe to bring to a host.
    #[error("etcd {version} has known faults: use {lowest} or later")]
    TooOld {
        /// What was wished.
        version: Version,
        /// What would be accepted.
        lowest: Version,
    },
    /// Data of a later etcd is not for an earlier one.
    #[error(
        "etcd {from} runs, and going back to {to} is not supported: restore a snapshot instead"
    )]
    Lower {
        /// What runs.
        from: Version,
        /// What was wished.
        to: Version,
    },
    /// Members more than one minor apart do not work together.
    #[error("etcd {from} runs: go to 3.{} before {to}", from.minor + 1)]
    SkipsMinor {
        /// What runs.
        from: Version,
        /// What was wished.
        to: Version,
    },
    /// Later minors expect repairs that only late patches of the earlier one make.
    #[error("etcd {from} runs: go to {gate} or later before {to}")]
    Gate {
        /// What runs.
        from: Version,
        /// What must run before.
        gate: Version,
        /// What was wished.
        to: Version,
    },
}

impl Version {
    /// 3.`minor`.`patch`.
    pub const fn new(minor: u16, patch: u16) -> Self {
        Self { minor, patch }
    }

    /// The lowest patch of this minor that is brought to a host. Below it a client can exhaust a server during the
    /// handshake of TLS (GHSA-6vch-q96h-7gc3). None for a minor that is not known.
    pub fn lowest(self) -> Option<Self> {
        let patch = match self.minor {
            5 => 33,
            6 => 14,
            7 => 1,
            _ => return None,
        };
        Some(Self { patch, ..self })
    }

    /// Whether this release can be brought to a host.
    ///
    /// # Errors
    /// The minor is unknown, or the patch level too low.
    pub fn check_new(self) -> Result<(), VersionFault> {
        match self.lowest() {
            None => Err(VersionFault::Unknown(self)),
            Some(lowest) if self < lowest => Err(VersionFault::TooOld { version: self, lowest }),
            Some(_) => Ok(()),
        }
    }

    /// Whether a member that runs this one may be given the other.
    ///
    /// # Errors
    /// It is lower, too old, more than one minor away, or asks for a later patch of this minor first: 3.6 opens data
    /// that 3.5.32 has repaired, 3.7 that of 3.6.11 (etcd's upgrade guides).
    pub fn check_upgrade(self, to: Self) -> Result<(), VersionFault> {
        let from = self;
        if to < from {
            return Err(VersionFault::Lower { from, to });
        }
        if to == from {
            return Ok(());
        }
        to.check_new()?;
        if from.minor + 1 < to.minor {
            return Err(VersionFault::SkipsMinor { from, to });
        }
        let gate = match to.minor {
            6 => Self::new(5, 32),
            7 => Self::new(6, 11),
            _ => return Ok(()),
        };
        if from < gate {
            return Err(VersionFault::Gate { from, gate, to });
        }
        Ok(())
    }

    /// Whether its data may be wrong: 3.5.0 to 3.5.2 could apply entries inconsistently after a crash (etcd's
    /// post-mortem of 2022).
    pub fn may_corrupt(self) -> bool {
        self.minor == 5 && self.patch <= 2
    }
}

impl FromStr for Version {
    type Err = VersionFault;

    fn from_str(text: &str) -> Result<Self, VersionFault> {
        match release(text) {
            Some((3, minor, patch)) => Ok(Self { minor, patch }),
            _ => Err(VersionFault::Malformed),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "3.{}.{}", self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_in_one_spelling() {
        let check = |text: &str, read: bool| {
            let version: Result<Version, _> = text.parse();
            assert_eq!(version.map(|it| it.to_string()).ok().as_deref(), read.then_some(text));
        };
        check("3.6.16", true);
        check("3.5.0", true);
        for text in ["v3.6.16", "3.6", "3.6.16.1", "3.06.1", "3.6.+1", "4.0.0", "", "3.6.99999"] {
            check(text, false);
        }
    }

    #[test]
    fn a_step_between_versions_is_gated() {
        let check = |from: &str, to: &str, refusal: &str| {
            let (from, to): (Version, Version) = (from.parse().unwrap(), to.parse().unwrap());
            let found = from.check_upgrade(to).err().map(|it| it.to_string()).unwrap_or_default();
            assert_eq!(found, refusal, "{from} to {to}");
        };
        check("3.5.33", "3.5.35", "");
        check("3.5.33", "3.6.16", "");
        check("3.5.32", "3.6.14", "");
        check("3.6.11", "3.7.1", "");
        // What runs already is not judged: an imported cluster may stay as it is.
        check("3.5.1", "3.5.1", "");
        check("3.5.1", "3.5.32", "etcd 3.5.32 has known faults: use 3.5.33 or later");
        check("3.5.31", "3.6.16", "etcd 3.5.31 runs: go to 3.5.32 or later before 3.6.16");
        check("3.6.10", "3.7.1", "etcd 3.6.10 runs: go to 3.6.11 or later before 3.7.1");
        check("3.5.35", "3.7.1", "etcd 3.5.35 runs: go to 3.6 before 3.7.1");
        check("3.6.16", "3.6.13", LOWER);
        check(
            "3.6.16",
            "3.8.0",
            "etcd 3.8.0 cannot be managed: this provider knows 3.5, 3.6 and 3.7",
        );
    }

    const LOWER: &str =
        "etcd 3.6.16 runs, and going back to 3.6.13 is not supported: restore a snapshot instead";
}
