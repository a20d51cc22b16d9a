//! Versions of Kubernetes, and which step from one to the other is safe.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::domain::text::release;

/// A release of Kubernetes 1: `1.34.4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The 34 of 1.34.4.
    pub minor: u16,
    /// The 4 of 1.34.4.
    pub patch: u16,
}

/// Why a version is not what somebody gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionFault {
    /// It does not read as one.
    #[error("a version of Kubernetes is written 1.34.4, without a v")]
    Malformed,
    /// A minor that this provider does not know how to run.
    #[error(
        "Kubernetes {0} cannot be managed: this provider knows 1.{first} to 1.{last}",
        first = MINORS.start(),
        last = MINORS.end()
    )]
    Unknown(Version),
    /// Objects may be stored as an earlier one cannot read them.
    #[error("Kubernetes {from} runs, and going back to {to} is not supported")]
    Lower {
        /// What runs.
        from: Version,
        /// What was wished.
        to: Version,
    },
    /// API servers more than one minor apart do not work together.
    #[error("Kubernetes {from} runs: go to 1.{} before {to}", from.minor + 1)]
    SkipsMinor {
        /// What runs.
        from: Version,
        /// What was wished.
        to: Version,
    },
}

/// What this provider knows how to run: the structured authentication configuration is v1 from 1.34 on.
const MINORS: RangeInclusive<u16> = 34..=36;

impl Version {
    /// 1.`minor`.`patch`.
    pub const fn new(minor: u16, patch: u16) -> Self {
        Self { minor, patch }
    }

    /// Whether this release can be run.
    ///
    /// # Errors
    /// The minor is unknown.
    pub fn check_known(self) -> Result<(), VersionFault> {
        if MINORS.contains(&self.minor) { Ok(()) } else { Err(VersionFault::Unknown(self)) }
    }

    /// Whether a node that runs this one may be given the other.
    ///
    /// # Errors
    /// It is lower, unknown, or more than one minor away (the version skew policy of Kubernetes).
    pub fn check_upgrade(self, to: Self) -> Result<(), VersionFault> {
        let from = self;
        if to < from {
            return Err(VersionFault::Lower { from, to });
        }
        if to == from {
            return Ok(());
        }
        to.check_known()?;
        if from.minor + 1 < to.minor {
            return Err(VersionFault::SkipsMinor { from, to });
        }
        Ok(())
    }
}

impl FromStr for Version {
    type Err = VersionFault;

    fn from_str(text: &str) -> Result<Self, VersionFault> {
        match release(text) {
            Some((1, minor, patch)) => Ok(Self { minor, patch }),
            _ => Err(VersionFault::Malformed),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}.{}", self.minor, self.patch)
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
        check("1.34.4", true);
        check("1.36.0", true);
        for text in
            ["v1.34.4", "1.34", "1.34.4.1", "1.034.4", "1.34.+4", "2.0.0", "", "1.34.4-rc.1"]
        {
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
        check("1.34.4", "1.34.4", "");
        check("1.34.4", "1.34.5", "");
        check("1.34.4", "1.35.0", "");
        // What runs already is not judged: it may stay as it is.
        check("1.33.1", "1.33.1", "");
        check("1.33.1", "1.34.4", "");
        check("1.34.4", "1.36.1", "Kubernetes 1.34.4 runs: go to 1.35 before 1.36.1");
        let lower = "Kubernetes 1.34.4 runs, and going back to 1.34.3 is not supported";
        check("1.34.4", "1.34.3", lower);
        let unknown = "Kubernetes 1.37.0 cannot be managed: this provider knows 1.34 to 1.36";
        check("1.36.1", "1.37.0", unknown);
    }
}
