//! A certificate authority: a directory with a key and a certificate of its own.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PublicKeyData as _,
};
use rustix::fs::{Mode, fsync, renameat};
use rustix::io::Errno;
use time::Duration;
use x509_parser::pem::Pem;

use super::{failed, key, subject};
use crate::agent::fault::Fault;
use crate::agent::files::owner::Owner;
use crate::agent::files::put::{Wanted, put, temporary_name};
use crate::agent::files::{directory, look, remove};
use crate::agent::place::{HostPath, Place, Root};
use crate::proto::agent::file::Kind;

const KEY: &str = "ca.key";
const CERTIFICATE: &str = "ca.crt";
/// A certificate has some 600 bytes.
const MOST_BYTES: u64 = 64 << 10;

/// A key with the certificate that it signs for. Not printable, as its key is not.
pub(super) struct Authority {
    pub(super) key: KeyPair,
    /// PEM.
    pub(super) certificate: String,
    /// The same in DER.
    pub(super) der: Vec<u8>,
}

impl Authority {
    /// What is in a directory. None when neither half is there.
    ///
    /// # Errors
    /// Half of an authority; a certificate that belongs to another key or may not sign.
    pub(super) fn find(root: &Root, directory: &HostPath) -> Result<Option<Self>, Fault> {
        let place = |name: &str| root.find(&directory.join(name.as_ref()));
        let (Some(at_key), Some(at_certificate)) = (place(KEY)?, place(CERTIFICATE)?) else {
            return Ok(None);
        };
        let (seen, content) = look::read(&at_certificate, MOST_BYTES)?;
        let is_certified = seen.kind() != Kind::Absent;
        match key::find(&at_key)? {
            None if !is_certified => Ok(None),
            Some(key) if is_certified => Self::join(key, &content).map(Some).ok_or_else(|| {
                Fault::Refused(format!(
                    "{} is not the certificate of an authority with the key beside it",
                    at_certificate.path()
                ))
            }),
            _ => Err(Fault::Refused(format!(
                "only half of a certificate authority is in {directory}"
            ))),
        }
    }

    /// A new one, valid for so many days.
    pub(super) fn generate(common_name: &str, days: u32, now: i64) -> Result<Self, Fault> {
        if days == 0 {
            return Err(Fault::Invalid("an authority lives for a day at least".to_owned()));
        }
        let mut params = CertificateParams::default();
        let now = subject::begin(&mut params, now)?;
        let ends = now.checked_add(Duration::days(days.into()));
        params.not_after =
            ends.ok_or_else(|| Fault::Invalid(format!("{days} days end beyond all years")))?;
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, subject::name("common name", common_name)?);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = key::generate()?;
        let made = params.self_signed(&key).map_err(failed("sign the certificate of itself"))?;
        Ok(Self { key, certificate: made.pem(), der: made.der().to_vec() })
    }

    /// Writes both files beside and then renames their directory: who looks sees a whole authority or none. An empty
    /// directory in the way is replaced.
    ///
    /// # Errors
    /// A directory in the way that holds anything.
    pub(super) fn put(&self, place: &Place) -> Result<(), Fault> {
        let beside = place.beside(&temporary_name(place))?;
        // What a killed agent left. Nobody has seen it, so nothing was signed with it.
        remove::remove(&beside, true)?;
        let written = self.write(&beside).and_then(|()| {
            renameat(beside.parent(), beside.name(), place.parent(), place.name()).map_err(|it| {
                match it {
                    Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR => Fault::Refused(format!(
                        "{} holds something that is no certificate authority",
                        place.path()
                    )),
                    error => place.failed("put in its place")(error),
                }
            })
        });
        if let Err(fault) = written {
            // It would do no harm there; the first fault is the one to tell.
            let _ = remove::remove(&beside, true);
            return Err(fault);
        }
        fsync(place.parent()).map_err(place.failed("make the directory durable of"))
    }

    fn write(&self, beside: &Place) -> Result<(), Fault> {
        let owner = Owner::of_agent();
        let readable = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        let mode = readable | Mode::XUSR | Mode::XGRP | Mode::XOTH;
        directory::make(beside, mode, owner)?;
        key::put(&beside.below(KEY)?, &self.key, owner)?;
        let wanted = Wanted { content: self.certificate.as_bytes(), mode: readable, owner };
        put(&beside.below(CERTIFICATE)?, wanted).map(drop)
    }

    /// None when they do not belong together, or the certificate is not that of an authority.
    fn join(key: KeyPair, certificate: &[u8]) -> Option<Self> {
        let blocks: Vec<_> = Pem::iter_from_buffer(certificate).collect::<Result<_, _>>().ok()?;
        let [block] = blocks.as_slice() else { return None };
        let parsed = block.parse_x509().ok()?;
        let is_one = parsed.is_ca() && parsed.public_key().raw == key.subject_public_key_info();
        let (certificate, der) =
            (String::from_utf8(certificate.to_vec()).ok()?, block.contents.clone());
        is_one.then_some(Self { key, certificate, der })
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use std::fs;

    use super::*;

    /// 2030-01-01.
    const NOW: i64 = 1_893_456_000_000_000_000;

    #[test]
    fn what_a_killed_agent_left_is_swept_and_none_of_it_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let path = HostPath::parse(b"/ca").unwrap();
        let place = root.place(&path).unwrap();
        let left = folder.path().join(temporary_name(&place));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(KEY), "half").unwrap();
        assert!(Authority::find(&root, &path).unwrap().is_none());

        let made = Authority::generate("etcd-prod", 3652, NOW).unwrap();
        made.put(&place).unwrap();
        let found = Authority::find(&root, &path).unwrap().unwrap();
        assert!(found.der == made.der && found.certificate == made.certificate);
        let names = fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["ca"]);
        // One that is there is not overwritten, whoever asks.
        let another = Authority::generate("etcd-prod", 3652, NOW).unwrap();
        another.put(&place).unwrap_err();
        assert!(Authority::find(&root, &path).unwrap().unwrap().der == made.der);
    }

    #[test]
    fn a_lifetime_has_limits() {
        for days in [0, 4_000_000, u32::MAX] {
            assert!(matches!(Authority::generate("a", days, NOW), Err(Fault::Invalid(_))));
        }
        assert!(matches!(Authority::generate("", 1, NOW), Err(Fault::Invalid(_))));
    }
}
