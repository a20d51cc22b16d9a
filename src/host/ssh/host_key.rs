//! Whether the key that a host shows is the one it should have. Pure.

use std::borrow::Cow;
use std::path::PathBuf;

use russh::Preferred;
use russh::keys::ssh_key::Fingerprint;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKey, PublicKeyOrCertificate};

use super::HostKeyPolicy;
use super::known_hosts::{Key, KnownHosts, Name, Verdict, matches};

/// Kinds of host keys whose signatures can be checked. RSA is not among them: its crate has an open advisory,
/// RUSTSEC-2023-0071.
const KINDS: [Algorithm; 4] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
];

/// What is known about a host before it shows a key.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    pub(super) name: Name,
    /// The one key it may have; the file is not asked then.
    pub(super) pin: Option<Key>,
    pub(super) known: KnownHosts,
    /// Where that is from, for texts.
    pub(super) file: PathBuf,
    pub(super) policy: HostKeyPolicy,
}

/// Why a host key is not trusted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Distrust {
    #[error(
        "the host key {} is not known: add it to {}, or as `host_key = \"{}\"`, or accept it with `host_key_policy = \"accept-new\"`",
        shown.fingerprint(), file.display(), shown.text()
    )]
    Unknown { shown: Key, file: PathBuf },
    #[error(
        "the host key is not the pinned one: {} is pinned, {} is shown. If the machine was rebuilt, \
         agree to its new key with `host_key = \"{}\"`; else somebody may stand in between",
        pinned.fingerprint(), shown.fingerprint(), shown.text()
    )]
    NotPinned { pinned: Key, shown: Key },
    #[error(
        "the host key has changed: {} has {}, {} is shown. If the machine was rebuilt, correct that \
         file or agree with `host_key = \"{}\"`; else somebody may stand in between",
        file.display(), fingerprints(known), shown.fingerprint(), shown.text()
    )]
    Changed { known: Vec<Key>, shown: Key, file: PathBuf },
    #[error(
        "{} knows the host by another kind of key only: it has {}, {} is shown. Add that one, or agree \
         with `host_key = \"{}\"`; RSA host keys cannot be checked here",
        file.display(), fingerprints(known), shown.fingerprint(), shown.text()
    )]
    OtherKind { known: Vec<Key>, shown: Key, file: PathBuf },
    #[error("the host key {} is marked as revoked in {}", shown.fingerprint(), file.display())]
    Revoked { shown: Key, file: PathBuf },
    #[error("the host certificate {id:?} cannot be trusted: {why}")]
    Certificate { id: String, why: &'static str },
    #[error("the host key is of a kind that cannot be written")]
    Unwritable,
}

fn fingerprints(keys: &[Key]) -> String {
    keys.iter().map(Key::fingerprint).collect::<Vec<_>>().join(", ")
}

impl Trust {
    /// What to ask the host for: the kinds of its known keys first, certificates if somebody may vouch for it.
    pub(super) fn ask(&self, mut preferred: Preferred) -> Preferred {
        let known = match &self.pin {
            Some(pin) => vec![pin.algorithm()],
            None => self.known.algorithms(&self.name),
        };
        let (mut kinds, others): (Vec<_>, Vec<_>) =
            KINDS.into_iter().partition(|it| known.contains(&it.as_str()));
        kinds.extend(others);
        preferred.key = Cow::Owned(kinds);
        if self.pin.is_none() && !self.known.authorities(&self.name).is_empty() {
            preferred.host_key_certificates = Cow::Borrowed(&KINDS);
        }
        preferred
    }

    /// Judges what the host has proved to have; its key, if it is trusted. `now` is in seconds since 1970.
    pub(super) fn judge(&self, proved: &PublicKeyOrCertificate, now: u64) -> Result<Key, Distrust> {
        let blob = proved.public_key().to_bytes().map_err(|_| Distrust::Unwritable)?;
        let shown = Key::from_blob(blob).ok_or(Distrust::Unwritable)?;
        if let Some(pin) = &self.pin {
            if *pin == shown {
                return Ok(shown);
            }
            return Err(Distrust::NotPinned { pinned: pin.clone(), shown });
        }
        let file = self.file.clone();
        let verdict = self.known.verdict(&self.name, &shown);
        if verdict == Verdict::Revoked {
            return Err(Distrust::Revoked { shown, file });
        }
        if let Some(certificate) = proved.certificate() {
            let refused = |why| Distrust::Certificate { id: certificate.key_id().to_owned(), why };
            return self.vouched(certificate, now).map(|()| shown).map_err(refused);
        }
        match verdict {
            Verdict::Known => Ok(shown),
            Verdict::Unknown if self.policy == HostKeyPolicy::AcceptNew => Ok(shown),
            Verdict::Unknown | Verdict::Revoked => Err(Distrust::Unknown { shown, file }),
            Verdict::Differs(known) => {
                let known: Vec<_> = known.into_iter().cloned().collect();
                if known.iter().any(|it| it.algorithm() == shown.algorithm()) {
                    return Err(Distrust::Changed { known, shown, file });
                }
                Err(Distrust::OtherKind { known, shown, file })
            }
        }
    }

    /// What OpenSSH looks at in the certificate of a host, by its PROTOCOL.certkeys.
    fn vouched(&self, certificate: &Certificate, now: u64) -> Result<(), &'static str> {
        let signer = PublicKey::from(certificate.signature_key().clone()).to_bytes();
        let signer = signer.ok().and_then(Key::from_blob).ok_or("its signer cannot be read")?;
        if certificate.cert_type() != CertType::Host {
            return Err("it is not for a host");
        }
        if self.known.is_revoked(&self.name, &signer) {
            return Err("its signer is revoked");
        }
        if !self.known.authorities(&self.name).contains(&&signer) {
            return Err("its signer is not among the authorities for this host");
        }
        let names = certificate.valid_principals();
        let is_named = |it: &String| matches(&it.to_ascii_lowercase(), self.name.host());
        if !names.is_empty() && !names.iter().any(is_named) {
            return Err("it is for other hosts");
        }
        if certificate.critical_options().iter().next().is_some() {
            return Err("it has conditions that are not known");
        }
        if now < certificate.valid_after() || certificate.valid_before() <= now {
            return Err("it is not valid now");
        }
        let signer: [Fingerprint; 1] = [certificate.signature_key().fingerprint(HashAlg::Sha256)];
        certificate.validate_at(now, &signer).map_err(|_| "its signature is wrong, or by RSA")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Their private halves were thrown away.
    const A: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINlYVhx+CToGrQJH4H/XBXtQ+YOdZnMNrrCt9F8nOzjy";
    const B: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE43RZBLLyT/6L1e5n2V1OYocWF3OrACecPNqfke9+Bg";
    const E: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBN4JZM+gvtaCK9j4bqR3a8+lhdRBGDIJ1g97ZbNWKGv2LoSjqZPrQhf9blLwzYMge0aUbsJOt7M/jktxeokhNA0=";
    const CA: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICe/uD21QgFb4JFYPGxjFb5pss8TBAGWTlbLin3NO8iY";
    /// Signed by `CA` for `h`, `*.example.com`, from 2001 to 2101, with the key `A`.
    const CERTIFICATE: &str = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIE3ZdcYGtbnWiD0qd5a0gFm5Z0GZbC0jskzBSp1fu6umAAAAINlYVhx+CToGrQJH4H/XBXtQ+YOdZnMNrrCt9F8nOzjyAAAAAAAAAAAAAAACAAAABGhvc3QAAAAWAAAAAWgAAAANKi5leGFtcGxlLmNvbQAAAAA6T8iAAAAAAPZnioAAAAAAAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAICe/uD21QgFb4JFYPGxjFb5pss8TBAGWTlbLin3NO8iYAAAAUwAAAAtzc2gtZWQyNTUxOQAAAEDuu9OONa+b8DHkTwUUWiSHKwUGK1yWx0StPdYhoY0xtqbSNxwoz3AUmj7gK54saIN8tJ6G1S0FYcyFZTmpOdwD";
    /// The same for a user.
    const USER: &str = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAICtIv1ynoEfndyzvyHBQdZ++FpKxPkCbjgr7A9NT9uJ6AAAAINlYVhx+CToGrQJH4H/XBXtQ+YOdZnMNrrCt9F8nOzjyAAAAAAAAAAAAAAABAAAABHVzZXIAAAAFAAAAAWgAAAAAOk/IgAAAAAD2Z4qAAAAAAAAAAIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAAABdwZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9yd2FyZGluZwAAAAAAAAAKcGVybWl0LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgJ7+4PbVCAVvgkVg8bGMVvmmyzxMEAZZOVsuKfc07yJgAAABTAAAAC3NzaC1lZDI1NTE5AAAAQPnrZcnABIRmIAmr5h9IcjYvRHW2d+6viQep3QBypfWulFTnmIqQLfQvrnr8mB70elxy+SoPGRrfZI2iGCq1hwU=";

    const NOW: u64 = 2_000_000_000;

    fn trust(host: &str, pin: Option<&str>, known: &str, policy: HostKeyPolicy) -> Trust {
        Trust {
            name: Name::new(host, 22),
            pin: pin.map(|it| Key::parse(it).unwrap()),
            known: KnownHosts::parse(known),
            file: PathBuf::from("/known"),
            policy,
        }
    }

    fn shown(text: &str) -> PublicKeyOrCertificate {
        match Certificate::from_openssh(text) {
            Ok(certificate) => certificate.into(),
            Err(_) => PublicKey::from_openssh(text).unwrap().into(),
        }
    }

    fn check(trust: &Trust, proved: &str, now: u64, expected: &str) {
        let judged = trust.judge(&shown(proved), now);
        let text = judged.as_ref().map_or_else(ToString::to_string, |_| "trusted".to_owned());
        assert!(text.contains(expected), "{text}");
        if expected == "trusted" {
            let plain = if proved == CERTIFICATE { A } else { proved };
            assert_eq!(judged.unwrap().text(), plain);
        }
    }

    #[test]
    fn only_a_known_key_is_trusted() {
        let strict = |pin, known: &str| trust("h", pin, known, HostKeyPolicy::Strict);
        let known_a = format!("h {A}");
        check(&strict(None, &known_a), A, NOW, "trusted");
        check(
            &strict(None, ""),
            A,
            NOW,
            "is not known: add it to /known, or as `host_key = \"ssh-ed25519 ",
        );
        check(
            &strict(None, &known_a),
            B,
            NOW,
            "the host key has changed: /known has ssh-ed25519 SHA256:",
        );
        check(&strict(None, &known_a), E, NOW, "by another kind of key only");
        check(&strict(None, &format!("@revoked * {A}\n{known_a}")), A, NOW, "is marked as revoked");
        check(&strict(Some(A), ""), A, NOW, "trusted");
        check(&strict(Some(B), &known_a), A, NOW, "is not the pinned one");
        check(&strict(Some(B), &known_a), B, NOW, "trusted");
    }

    #[test]
    fn a_changed_key_is_told_with_both_fingerprints() {
        let text = trust("h", None, &format!("h {A}"), HostKeyPolicy::AcceptNew)
            .judge(&shown(B), NOW)
            .unwrap_err()
            .to_string();
        for key in [A, B] {
            assert!(text.contains(&Key::parse(key).unwrap().fingerprint()), "{text}");
        }
    }

    #[test]
    fn a_new_key_is_accepted_only_where_none_is_known() {
        let lax = |known: &str| trust("h", None, known, HostKeyPolicy::AcceptNew);
        check(&lax(""), A, NOW, "trusted");
        check(&lax(&format!("h {B}")), A, NOW, "the host key has changed");
        check(&lax(&format!("h {E}")), A, NOW, "by another kind of key only");
        check(&lax(&format!("@revoked h {A}")), A, NOW, "revoked");
    }

    #[test]
    fn a_certificate_is_trusted_by_its_authority_name_and_time() {
        let of = |host, known: &str| trust(host, None, known, HostKeyPolicy::AcceptNew);
        let authority = format!("@cert-authority * {CA}");
        check(&of("h", &authority), CERTIFICATE, NOW, "trusted");
        check(&of("a.example.com", &authority), CERTIFICATE, NOW, "trusted");
        check(&of("g", &authority), CERTIFICATE, NOW, "it is for other hosts");
        check(&of("h", &authority), USER, NOW, "it is not for a host");
        check(&of("h", &authority), CERTIFICATE, 0, "it is not valid now");
        check(&of("h", &authority), CERTIFICATE, u64::MAX, "it is not valid now");
        check(&of("h", ""), CERTIFICATE, NOW, "its signer is not among the authorities");
        check(
            &of("h", &format!("@cert-authority g {CA}")),
            CERTIFICATE,
            NOW,
            "not among the authorities",
        );
        check(&of("h", &format!("h {CA}")), CERTIFICATE, NOW, "not among the authorities");
        check(
            &of("h", &format!("{authority}\n@revoked * {CA}")),
            CERTIFICATE,
            NOW,
            "signer is revoked",
        );
        check(
            &of("h", &format!("{authority}\n@revoked * {A}")),
            CERTIFICATE,
            NOW,
            "marked as revoked",
        );
    }

    #[test]
    fn known_kinds_of_keys_are_asked_for_first() {
        let asked = |pin: Option<&str>, known: &str| {
            let asked = trust("h", pin, known, HostKeyPolicy::Strict).ask(Preferred::DEFAULT);
            let names: Vec<_> = asked.key.iter().map(Algorithm::to_string).collect();
            assert_eq!(names.len(), KINDS.len());
            (names[0].clone(), asked.host_key_certificates.len())
        };
        let (ed25519, ecdsa) = ("ssh-ed25519".to_owned(), "ecdsa-sha2-nistp256".to_owned());
        assert_eq!(asked(None, ""), (ed25519.clone(), 0));
        assert_eq!(asked(None, &format!("h {E}")), (ecdsa.clone(), 0));
        assert_eq!(asked(Some(E), &format!("h {A}")), (ecdsa, 0));
        assert_eq!(asked(None, &format!("@cert-authority h {CA}")), (ed25519.clone(), KINDS.len()));
        assert_eq!(asked(Some(A), &format!("@cert-authority h {CA}")), (ed25519, 0));
    }
}
