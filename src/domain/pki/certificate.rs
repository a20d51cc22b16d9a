//! A certificate as it was found.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::parse_x509_certificate;
use x509_parser::pem::Pem;
use x509_parser::x509::AttributeTypeAndValue;

/// SHA-256: of a certificate in DER, or of a SubjectPublicKeyInfo in DER.
pub type Digest = [u8; 32];

/// A line of base64 in PEM, RFC 7468.
const LINE: usize = 64;

/// What a certificate says, as far as it matters here. Equal when they are the same certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The common names of its subject; one, usually.
    pub common_names: Vec<String>,
    /// The organizations of its subject.
    pub organizations: Vec<String>,
    /// DNS names of the subject alternative name, in lower case.
    pub dns_names: BTreeSet<String>,
    /// Its IP addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// There are alternative names of other kinds too.
    pub has_other_names: bool,
    /// What it may be used for; empty when it does not say.
    pub usages: BTreeSet<Usage>,
    /// It may sign others.
    pub is_authority: bool,
    /// Big-endian, as in the certificate.
    pub serial: Vec<u8>,
    /// Not valid before.
    pub not_before: OffsetDateTime,
    /// Not valid after.
    pub not_after: OffsetDateTime,
    /// Identifier of its own key.
    pub subject_key_id: Option<Vec<u8>>,
    /// Identifier of the key that signed it.
    pub authority_key_id: Option<Vec<u8>>,
    /// Digest of its SubjectPublicKeyInfo: its private key has the same.
    pub public_key: Digest,
    /// Digest of the whole.
    pub fingerprint: Digest,
    der: Vec<u8>,
}

/// What a certificate may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Usage {
    /// To be a server.
    Server,
    /// To be a client.
    Client,
    /// Something else.
    Other,
}

/// Why something is no certificate. No part of the text is repeated: it could be a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// There is none in it.
    #[error("there is no certificate in it")]
    None,
    /// More than one, where one is meant.
    #[error("there are {0} certificates in it, not one")]
    Several(usize),
    /// A block that cannot be read, or is of another kind.
    #[error("block {0} of it is no certificate")]
    Block(usize),
}

impl Certificate {
    /// The one certificate of a text in PEM.
    ///
    /// # Errors
    /// There is none, or more than one, or something else too.
    pub fn parse(pem: &[u8]) -> Result<Self, CertificateError> {
        let mut all = Self::parse_all(pem)?;
        match (all.pop(), all.len()) {
            (Some(one), 0) => Ok(one),
            (_, others) => Err(CertificateError::Several(others + 1)),
        }
    }

    /// The certificates of a bundle in PEM, in order; one at least.
    ///
    /// # Errors
    /// There is none, or something else too.
    pub fn parse_all(pem: &[u8]) -> Result<Vec<Self>, CertificateError> {
        let blocks = Pem::iter_from_buffer(pem).zip(1..);
        let all: Result<Vec<_>, _> = blocks
            .map(|(block, number)| {
                let block = block.ok().filter(|it| it.label == "CERTIFICATE");
                let read = block.and_then(|it| Self::from_der(it.contents));
                read.ok_or(CertificateError::Block(number))
            })
            .collect();
        all.and_then(|it| if it.is_empty() { Err(CertificateError::None) } else { Ok(it) })
    }

    fn from_der(der: Vec<u8>) -> Option<Self> {
        let (rest, x509) = parse_x509_certificate(&der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let subject = x509.subject();
        let mut read = Self {
            common_names: texts(subject.iter_common_name()),
            organizations: texts(subject.iter_organization()),
            dns_names: BTreeSet::new(),
            addresses: BTreeSet::new(),
            has_other_names: false,
            usages: BTreeSet::new(),
            is_authority: x509.is_ca(),
            serial: x509.raw_serial().to_vec(),
            not_before: x509.validity().not_before.to_datetime(),
            not_after: x509.validity().not_after.to_datetime(),
            subject_key_id: None,
            authority_key_id: None,
            public_key: Sha256::digest(x509.public_key().raw).into(),
            fingerprint: Sha256::digest(&der).into(),
            der: Vec::new(),
        };
        read.extensions(&x509);
        Some(Self { der, ..read })
    }

    fn extensions(&mut self, x509: &X509Certificate<'_>) {
        for extension in x509.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(names) => {
                    names.general_names.iter().for_each(|it| self.name(it));
                }
                ParsedExtension::ExtendedKeyUsage(usage) => {
                    let is_other = usage.any
                        || usage.code_signing
                        || usage.email_protection
                        || usage.time_stamping
                        || usage.ocsp_signing
                        || !usage.other.is_empty();
                    let found = [
                        (usage.server_auth, Usage::Server),
                        (usage.client_auth, Usage::Client),
                        (is_other, Usage::Other),
                    ];
                    self.usages.extend(found.iter().filter(|it| it.0).map(|it| it.1));
                }
                ParsedExtension::SubjectKeyIdentifier(id) => {
                    self.subject_key_id = Some(id.0.to_vec());
                }
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    self.authority_key_id = id.key_identifier.as_ref().map(|it| it.0.to_vec());
                }
                _ => {}
            }
        }
    }

    fn name(&mut self, name: &GeneralName<'_>) {
        match name {
            GeneralName::DNSName(name) => {
                self.dns_names.insert(name.to_ascii_lowercase());
            }
            GeneralName::IPAddress(bytes) => match address(bytes) {
                Some(address) => {
                    self.addresses.insert(address);
                }
                None => self.has_other_names = true,
            },
            _ => self.has_other_names = true,
        }
    }

    /// Whether an authority has really signed it: by name, by key and by the signature itself.
    pub fn is_signed_by(&self, authority: &Self) -> bool {
        let parsed = (parse_x509_certificate(&self.der), parse_x509_certificate(&authority.der));
        let (Ok((_, own)), Ok((_, above))) = parsed else { return false };
        let has_other_id = matches!(
            (&self.authority_key_id, &authority.subject_key_id),
            (Some(named), Some(id)) if named != id
        );
        authority.is_authority
            && !has_other_id
            && own.issuer().as_raw() == above.subject().as_raw()
            && own.verify_signature(Some(above.public_key())).is_ok()
    }

    /// As PEM: one block with nothing around it.
    pub fn pem(&self) -> String {
        let text = STANDARD.encode(&self.der);
        let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
        let (mut line, mut rest) = text.split_at(LINE.min(text.len()));
        while !line.is_empty() {
            pem.extend([line, "\n"]);
            (line, rest) = rest.split_at(LINE.min(rest.len()));
        }
        pem + "-----END CERTIFICATE-----\n"
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("common_names", &self.common_names)
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// One that cannot be read as text is left out; a wish does not have it either.
fn texts<'a>(values: impl Iterator<Item = &'a AttributeTypeAndValue<'a>>) -> Vec<String> {
    values.map(|it| it.as_str().unwrap_or_default().to_owned()).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(four.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Ca, digest, leaf, now, profile};
    use super::*;

    #[test]
    fn what_was_signed_is_read_back() {
        let ca = Ca::new("ca");
        let wanted = profile("etcd", &["Node-a.example.test", "10.0.0.1", "fd00::1"]);
        let key = rcgen::KeyPair::generate().unwrap();
        let read = leaf(&wanted, &ca, &key, now());
        assert_eq!(read.common_names, ["etcd"]);
        assert_eq!(read.organizations, ["ha"]);
        assert!(read.dns_names.iter().eq(["node-a.example.test"]));
        let addresses: Vec<_> = read.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.0.0.1", "fd00::1"]);
        assert!(read.usages.iter().eq(&[Usage::Server, Usage::Client]));
        assert_eq!(read.public_key, digest(&key));
        assert!(!read.is_authority && !read.has_other_names);
        assert_eq!((read.not_after - read.not_before).whole_hours(), 8760);
        assert_eq!(read.authority_key_id, ca.certificate.subject_key_id);
        assert!(ca.certificate.is_authority && ca.certificate.usages.is_empty());
        assert_eq!(Certificate::parse(read.pem().as_bytes()).unwrap(), read);
        assert_eq!(
            ca.certificate.pem().lines().collect::<Vec<_>>(),
            ca.pem.lines().collect::<Vec<_>>()
        );
    }

    #[test]
    fn only_the_key_of_the_authority_counts_and_not_its_name() {
        let (ca, namesake) = (Ca::new("ca"), Ca::new("ca"));
        let key = rcgen::KeyPair::generate().unwrap();
        let signed = leaf(&profile("a", &["a"]), &ca, &key, now());
        assert!(signed.is_signed_by(&ca.certificate));
        assert!(ca.certificate.is_signed_by(&ca.certificate));
        assert!(!signed.is_signed_by(&namesake.certificate));
        assert!(!ca.certificate.is_signed_by(&signed));
        // The identifiers agree and the signature does not.
        let mut forged = signed.clone();
        *forged.der.last_mut().unwrap() ^= 1;
        assert!(!forged.is_signed_by(&ca.certificate));
        // A leaf signs nothing, whatever it was signed by.
        let plain = Certificate { is_authority: false, ..ca.certificate.clone() };
        assert!(!signed.is_signed_by(&plain));
    }

    #[test]
    fn bundles_are_read_in_order_and_nothing_else_is() {
        let (a, b) = (Ca::new("a").certificate, Ca::new("b").certificate);
        let bundle = format!("# a comment\n{}\n{}", a.pem(), b.pem());
        assert_eq!(Certificate::parse_all(bundle.as_bytes()).unwrap(), [a.clone(), b]);
        let check = |text: &str, expected| {
            assert_eq!(Certificate::parse(text.as_bytes()), Err(expected), "{text}");
        };
        check(&bundle, CertificateError::Several(2));
        check("", CertificateError::None);
        check("what is this", CertificateError::None);
        check("-----BEGIN CERTIFICATE-----\n", CertificateError::Block(1));
        check(&a.pem().replace("CERTIFICATE", "PRIVATE KEY"), CertificateError::Block(1));
        check(&(a.pem() + &a.pem().replace("\nM", "\nX")), CertificateError::Block(2));
    }
}
