//! When a certificate does not do, and why.

use std::collections::BTreeSet;
use std::fmt;

use time::{Date, OffsetDateTime};

use super::{Certificate, Digest, Profile};

/// Why a certificate is to be replaced, as the end of a sentence: "expires on 2027-02-03". A date, since a sentence that
/// changes with each look would be a change in each plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is none.
    Missing,
    /// There is something that is no certificate.
    Unreadable,
    /// It was signed by another authority than the one of the cluster.
    OtherAuthority,
    /// It belongs to another key than the one beside it.
    OtherKey,
    /// It ended on this day.
    Expired(Date),
    /// It begins on this day.
    NotYetValid(Date),
    /// Names and addresses that it lacks, and that it has without need.
    NamesDiffer {
        /// Wanted and not there.
        missing: Vec<String>,
        /// There and not wanted.
        surplus: Vec<String>,
    },
    /// Its subject is another.
    SubjectDiffers,
    /// It may be used for something else, or not for what is wanted.
    UsagesDiffer,
    /// A third of its lifetime is left, until this day.
    RenewalDue(Date),
}

/// Left of a lifetime when it is renewed: a third.
const LEFT: i32 = 3;
/// Left of the lifetime of an authority when it is time to think of another: a tenth, which is a year of ten.
const AUTHORITY_LEFT: i32 = 10;

/// Why a certificate has to be signed anew; None when it does. `key`: digest of the public half of the key beside it.
///
/// One that ends with its authority is not due before that: another would end on the same day.
pub fn due(
    profile: &Profile,
    present: Option<&Certificate>,
    authority: &Certificate,
    key: &Digest,
    now: OffsetDateTime,
) -> Option<Reason> {
    let Some(present) = present else { return Some(Reason::Missing) };
    if !present.is_signed_by(authority) {
        return Some(Reason::OtherAuthority);
    }
    if present.public_key != *key {
        return Some(Reason::OtherKey);
    }
    let (begins, ends) = (present.not_before, present.not_after);
    if ends <= now {
        return Some(Reason::Expired(ends.date()));
    }
    if now < begins {
        return Some(Reason::NotYetValid(begins.date()));
    }
    if let Some(differ) = names_differ(profile, present) {
        return Some(differ);
    }
    let is_subject = present.common_names.iter().eq([profile.common_name()])
        && present.organizations.iter().map(String::as_str).eq(profile.organization());
    if !is_subject {
        return Some(Reason::SubjectDiffers);
    }
    if present.usages != *profile.usages() || present.is_authority {
        return Some(Reason::UsagesDiffer);
    }
    let is_late = ends - now < (ends - begins) / LEFT && ends < authority.not_after;
    is_late.then(|| Reason::RenewalDue(ends.date()))
}

/// A sentence about an authority with little time left; None while there is enough. Nothing renews an authority by
/// itself, so this is a warning and no drift.
pub fn authority_warning(authority: &Certificate, now: OffsetDateTime) -> Option<String> {
    let (begins, ends) = (authority.not_before, authority.not_after);
    let is_late = ends - now < (ends - begins) / AUTHORITY_LEFT;
    is_late.then(|| {
        format!(
            "the certificate authority expires on {}, and no certificate outlives it",
            ends.date()
        )
    })
}

fn names_differ(profile: &Profile, present: &Certificate) -> Option<Reason> {
    let wanted = names(profile.dns_names(), profile.addresses());
    let found = names(&present.dns_names, &present.addresses);
    let missing: Vec<_> = wanted.difference(&found).cloned().collect();
    let mut surplus: Vec<_> = found.difference(&wanted).cloned().collect();
    if present.has_other_names {
        surplus.push("names of other kinds".to_owned());
    }
    let is_same = missing.is_empty() && surplus.is_empty();
    (!is_same).then_some(Reason::NamesDiffer { missing, surplus })
}

fn names(dns_names: &BTreeSet<String>, addresses: &BTreeSet<std::net::IpAddr>) -> BTreeSet<String> {
    dns_names.iter().cloned().chain(addresses.iter().map(ToString::to_string)).collect()
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Unreadable => f.write_str("cannot be read as one"),
            Self::OtherAuthority => f.write_str("was signed by another authority"),
            Self::OtherKey => f.write_str("belongs to another key"),
            Self::Expired(date) => write!(f, "expired on {date}"),
            Self::NotYetValid(date) => write!(f, "is not valid before {date}"),
            Self::NamesDiffer { missing, surplus } if surplus.is_empty() => {
                write!(f, "lacks {}", missing.join(", "))
            }
            Self::NamesDiffer { missing, surplus } if missing.is_empty() => {
                write!(f, "is also for {}", surplus.join(", "))
            }
            Self::NamesDiffer { missing, surplus } => {
                write!(f, "is for {} instead of {}", surplus.join(", "), missing.join(", "))
            }
            Self::SubjectDiffers => f.write_str("has another subject"),
            Self::UsagesDiffer => f.write_str("has other usages"),
            Self::RenewalDue(date) => write!(f, "expires on {date}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::KeyPair;
    use time::Duration;

    use super::super::Usage;
    use super::super::samples::{Ca, digest, leaf, now, profile};
    use super::*;

    /// What is said of a certificate that was signed for `made`, so long ago, when `wanted` is wanted.
    fn check(wanted: &Profile, made: &Profile, ago: Duration, expected: &str) {
        let (ca, key) = (Ca::new("ca"), KeyPair::generate().unwrap());
        let present = leaf(made, &ca, &key, now() - ago);
        let reason = due(wanted, Some(&present), &ca.certificate, &digest(&key), now());
        assert_eq!(reason.map_or("does".to_owned(), |it| it.to_string()), expected);
    }

    fn with(subject: (&str, Option<&str>), usages: &[Usage]) -> Profile {
        Profile::new(subject, ["b"], usages.iter().copied(), Duration::days(365)).unwrap()
    }

    #[test]
    fn a_certificate_does_until_a_third_of_its_time_is_left() {
        let a = profile("etcd", &["a", "10.0.0.1"]);
        check(&a, &a, Duration::ZERO, "does");
        check(&a, &a, Duration::days(243), "does");
        check(&a, &a, Duration::days(244), "expires on 2030-05-02");
        check(&a, &a, Duration::days(365), "expired on 2030-01-01");
        check(&a, &a, -Duration::minutes(1), "is not valid before 2030-01-01");
        check(&a, &a, -Duration::days(1), "is not valid before 2030-01-02");
    }

    #[test]
    fn what_it_says_is_compared() {
        let a = profile("etcd", &["a", "10.0.0.1"]);
        let day = Duration::days(1);
        check(&a, &profile("etcd", &["A.", "10.0.0.1"]), day, "does");
        check(&a, &profile("etcd", &["a"]), day, "lacks 10.0.0.1");
        check(&a, &profile("etcd", &["a", "b", "10.0.0.1"]), day, "is also for b");
        check(&a, &profile("etcd", &["b"]), day, "is for b instead of 10.0.0.1, a");
        check(&a, &profile("other", &["a", "10.0.0.1"]), day, "has another subject");
        let both = [Usage::Server, Usage::Client];
        let b = with(("etcd", Some("ha")), &both);
        check(&b, &with(("etcd", None), &both), day, "has another subject");
        check(&b, &with(("etcd", Some("x")), &both), day, "has another subject");
        check(&b, &with(("etcd", Some("ha")), &both[..1]), day, "has other usages");
    }

    #[test]
    fn another_key_or_authority_or_none_at_all() {
        let (ca, other) = (Ca::new("ca"), Ca::new("ca"));
        let [key, another] = [(); 2].map(|()| KeyPair::generate().unwrap());
        let wanted = profile("etcd", &["a"]);
        let present = leaf(&wanted, &ca, &key, now());
        let reason =
            |present, ca: &Ca, key| due(&wanted, present, &ca.certificate, &digest(key), now());
        assert_eq!(reason(Some(&present), &ca, &key), None);
        assert_eq!(reason(Some(&present), &ca, &another), Some(Reason::OtherKey));
        assert_eq!(reason(Some(&present), &other, &key), Some(Reason::OtherAuthority));
        assert_eq!(reason(None, &ca, &key), Some(Reason::Missing));
    }

    #[test]
    fn a_leaf_that_ends_with_its_authority_is_not_renewed_in_vain() {
        let (ca, key) = (Ca::new("ca"), KeyPair::generate().unwrap());
        let wanted = profile("etcd", &["a"]);
        let ends = ca.certificate.not_after;
        let present = leaf(&wanted, &ca, &key, ends - Duration::days(365));
        let at = |now| due(&wanted, Some(&present), &ca.certificate, &digest(&key), now);
        assert_eq!(at(ends - Duration::days(1)), None);
        assert_eq!(at(ends), Some(Reason::Expired(ends.date())));
    }

    #[test]
    fn an_authority_is_spoken_of_in_its_last_tenth() {
        let ca = Ca::new("ca").certificate;
        let at = |left| authority_warning(&ca, ca.not_after - Duration::days(left));
        assert_eq!(at(366), None);
        assert_eq!(
            at(364).unwrap(),
            "the certificate authority expires on 2039-01-01, and no certificate outlives it"
        );
    }
}
