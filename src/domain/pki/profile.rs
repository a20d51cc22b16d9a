//! What a certificate is wanted to say.

use std::collections::BTreeSet;
use std::net::IpAddr;

use time::Duration;

use super::Usage;

/// A certificate as it is wanted. Names and addresses have one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    common_name: String,
    organization: Option<String>,
    dns_names: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
    usages: BTreeSet<Usage>,
    lifetime: Duration,
}

/// Why no certificate can say that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Of the subject: what, and how it was given.
    #[error("the {what} {text:?} does not have 1 to {LONGEST_NAME} printable characters")]
    Subject {
        /// Which part.
        what: &'static str,
        /// As given.
        text: String,
    },
    /// It is neither.
    #[error("{0:?} is neither an IP address nor a DNS name")]
    Name(String),
    /// It would be due at once, or cannot be counted.
    #[error("a lifetime of {0} is not between 10 minutes and 100 years")]
    Lifetime(Duration),
    /// It could be used for everything.
    #[error("it is for neither a server nor a client")]
    NoUsage,
}

/// Of a common name and of an organization: `ub-common-name` and `ub-organization-name` of RFC 5280.
const LONGEST_NAME: usize = 64;
/// Of a DNS name and of its labels, RFC 1035.
const LONGEST_DNS_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;
/// Twice the 5 minutes that certificates are dated back.
const SHORTEST: Duration = Duration::minutes(10);
const LONGEST: Duration = Duration::days(36_525);

impl Profile {
    /// A certificate for a subject that is found under these names: IP addresses and DNS names in any mixture.
    ///
    /// # Errors
    /// No certificate can say that, or should.
    pub fn new(
        (common_name, organization): (&str, Option<&str>),
        names: impl IntoIterator<Item = impl AsRef<str>>,
        usages: impl IntoIterator<Item = Usage>,
        lifetime: Duration,
    ) -> Result<Self, ProfileError> {
        let mut profile = Self {
            common_name: text("common name", common_name)?,
            organization: organization.map(|it| text("organization", it)).transpose()?,
            dns_names: BTreeSet::new(),
            addresses: BTreeSet::new(),
            usages: usages.into_iter().filter(|it| *it != Usage::Other).collect(),
            lifetime,
        };
        for name in names {
            let name = name.as_ref();
            if let Ok(address) = name.parse::<IpAddr>() {
                profile.addresses.insert(address.to_canonical());
                continue;
            }
            let dns_name = dns_name(name).ok_or_else(|| ProfileError::Name(name.to_owned()))?;
            profile.dns_names.insert(dns_name);
        }
        if profile.usages.is_empty() {
            return Err(ProfileError::NoUsage);
        }
        if lifetime < SHORTEST || LONGEST < lifetime {
            return Err(ProfileError::Lifetime(lifetime));
        }
        Ok(profile)
    }

    /// The common name of the subject.
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    /// The organization of the subject.
    pub fn organization(&self) -> Option<&str> {
        self.organization.as_deref()
    }

    /// In lower case, without a dot at the end.
    pub fn dns_names(&self) -> &BTreeSet<String> {
        &self.dns_names
    }

    /// An IPv4 address is never written as IPv6.
    pub fn addresses(&self) -> &BTreeSet<IpAddr> {
        &self.addresses
    }

    /// Server, client or both.
    pub fn usages(&self) -> &BTreeSet<Usage> {
        &self.usages
    }

    /// How long it is to live from the moment that it is signed.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }
}

fn text(what: &'static str, text: &str) -> Result<String, ProfileError> {
    let count = text.chars().count();
    if count == 0 || count > LONGEST_NAME || text.chars().any(char::is_control) {
        return Err(ProfileError::Subject { what, text: text.to_owned() });
    }
    Ok(text.to_owned())
}

/// Letters, digits and hyphens; the whole first label may be an asterisk. None when it is no such name.
fn dns_name(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let plain = name.strip_prefix("*.").unwrap_or(&name);
    let is_label = |it: &str| {
        let is_allowed = |it: char| it.is_ascii_alphanumeric() || it == '-';
        !it.is_empty()
            && it.len() <= LONGEST_LABEL
            && it.chars().all(is_allowed)
            && !it.starts_with('-')
            && !it.ends_with('-')
    };
    // What looks like an address and is none is a mistake, and no top-level domain has digits alone.
    let is_number = plain.rsplit('.').next().is_some_and(|it| it.parse::<u64>().is_ok());
    let is_one = name.len() <= LONGEST_DNS_NAME && plain.split('.').all(is_label) && !is_number;
    is_one.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str, lifetime: Duration) -> Result<Profile, ProfileError> {
        Profile::new(("etcd", None), [name], [Usage::Server], lifetime)
    }

    #[test]
    fn names_and_addresses_have_one_spelling() {
        let check = |name: &str, expected: &str| {
            let profile = new(name, Duration::days(1)).unwrap();
            let mut found: Vec<_> = profile.dns_names.iter().cloned().collect();
            found.extend(profile.addresses.iter().map(ToString::to_string));
            assert_eq!(found, [expected]);
        };
        check("Node-A.Example.test.", "node-a.example.test");
        check("*.example.test", "*.example.test");
        check("localhost", "localhost");
        check("::ffff:10.0.0.1", "10.0.0.1");
        check("FD00:0::0001", "fd00::1");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(64);
        for name in [
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "a b",
            "a_b",
            "ä",
            "*",
            "a.*",
            "10.0.0.256",
            "[::1]",
            &long,
        ] {
            let refused = new(name, Duration::days(1)).unwrap_err();
            assert_eq!(refused, ProfileError::Name(name.to_owned()));
        }
    }

    #[test]
    fn a_lifetime_has_limits_and_a_subject_too() {
        for lifetime in [Duration::ZERO, Duration::minutes(9), Duration::days(40_000)] {
            assert_eq!(new("a", lifetime), Err(ProfileError::Lifetime(lifetime)));
        }
        for name in ["", "a\nb", &"a".repeat(65)] {
            let of = |subject| Profile::new(subject, ["a"], [Usage::Client], Duration::days(1));
            of((name, None)).unwrap_err();
            of(("a", Some(name))).unwrap_err();
        }
        let unused = Profile::new(("a", None), ["a"], [Usage::Other], Duration::days(1));
        assert_eq!(unused, Err(ProfileError::NoUsage));
    }
}
