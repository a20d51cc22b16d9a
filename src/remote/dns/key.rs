//! A key that a name server knows too.

use std::fmt;

use hickory_proto::ProtoError;
use hickory_proto::rr::Name;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hmac::digest::InvalidLength;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

/// A key with its name. Its bytes are shown nowhere.
#[derive(Clone)]
pub struct Key {
    /// The name that the server knows it by.
    pub(super) name: Name,
    pub(super) algorithm: Algorithm,
    secret: Vec<u8>,
}

/// How a message is signed (RFC 8945, section 6). The last two are weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Sha256,
    /// HMAC with SHA-384.
    Sha384,
    /// HMAC with SHA-512.
    Sha512,
    /// HMAC with SHA-1.
    Sha1,
    /// HMAC with MD5.
    Md5,
}

impl Key {
    /// A key by the name that the server knows it by.
    ///
    /// # Errors
    /// The name is none of the DNS.
    pub fn new(name: &str, algorithm: Algorithm, secret: Vec<u8>) -> Result<Self, ProtoError> {
        let mut name = Name::from_ascii(name)?;
        name.set_fqdn(true);
        Ok(Self { name, algorithm, secret })
    }

    /// The signature of `data`.
    pub(super) fn sign(&self, data: &[u8]) -> Result<Vec<u8>, InvalidLength> {
        match self.algorithm {
            Algorithm::Sha256 => self.mac::<Hmac<Sha256>>(data).map(tag),
            Algorithm::Sha384 => self.mac::<Hmac<Sha384>>(data).map(tag),
            Algorithm::Sha512 => self.mac::<Hmac<Sha512>>(data).map(tag),
            Algorithm::Sha1 => self.mac::<Hmac<Sha1>>(data).map(tag),
            Algorithm::Md5 => self.mac::<Hmac<Md5>>(data).map(tag),
        }
    }

    /// Whether `signature` is that of `data`, whole and uncut. Takes the same time for every wrong one.
    pub(super) fn verifies(&self, data: &[u8], signature: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::Sha256 => self.is_tag::<Hmac<Sha256>>(data, signature),
            Algorithm::Sha384 => self.is_tag::<Hmac<Sha384>>(data, signature),
            Algorithm::Sha512 => self.is_tag::<Hmac<Sha512>>(data, signature),
            Algorithm::Sha1 => self.is_tag::<Hmac<Sha1>>(data, signature),
            Algorithm::Md5 => self.is_tag::<Hmac<Md5>>(data, signature),
        }
    }

    fn mac<M: Mac + KeyInit>(&self, data: &[u8]) -> Result<M, InvalidLength> {
        <M as KeyInit>::new_from_slice(&self.secret).map(|mac| mac.chain_update(data))
    }

    fn is_tag<M: Mac + KeyInit>(&self, data: &[u8], signature: &[u8]) -> bool {
        self.mac::<M>(data).is_ok_and(|it| it.verify_slice(signature).is_ok())
    }
}

fn tag<M: Mac>(mac: M) -> Vec<u8> {
    mac.finalize().into_bytes().to_vec()
}

impl Algorithm {
    /// The algorithm of this name in the DNS.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "hmac-sha256" => Self::Sha256,
            "hmac-sha384" => Self::Sha384,
            "hmac-sha512" => Self::Sha512,
            "hmac-sha1" => Self::Sha1,
            "hmac-md5" => Self::Md5,
            _ => return None,
        })
    }

    pub(super) fn in_messages(self) -> TsigAlgorithm {
        match self {
            Self::Sha256 => TsigAlgorithm::HmacSha256,
            Self::Sha384 => TsigAlgorithm::HmacSha384,
            Self::Sha512 => TsigAlgorithm::HmacSha512,
            Self::Sha1 => TsigAlgorithm::HmacSha1,
            Self::Md5 => TsigAlgorithm::HmacMd5,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, {:?}, …)", self.name, self.algorithm)
    }
}
