//! To whom a bundle is encrypted.

use std::fmt;
use std::str::FromStr;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};

const BEGIN: Hrp = Hrp::parse_unchecked("age");

/// The public half of an identity: an X25519 key, `age1…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipient([u8; 32]);

/// Why a text is no recipient.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientFault {
    /// It is another kind of text, or has a typing error.
    #[error("{0:?} is no public key of age such as `age-keygen` prints, `age1…`")]
    Malformed(String),
    /// It is the private half.
    #[error("this is a private key: give the public one, `age1…`, and make a new pair")]
    Secret,
}

impl Recipient {
    /// As RFC 7748 writes it.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    #[cfg(feature = "provider")]
    pub(super) fn of(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// 32 bytes after these letters, with a checksum.
pub(super) fn decode(text: &str, begin: Hrp) -> Option<[u8; 32]> {
    let checked = CheckedHrpstring::new::<Bech32>(text).ok()?;
    let bytes: Vec<u8> = checked.byte_iter().collect();
    (checked.hrp() == begin).then(|| bytes.try_into().ok()).flatten()
}

impl FromStr for Recipient {
    type Err = RecipientFault;

    fn from_str(text: &str) -> Result<Self, RecipientFault> {
        if text.to_ascii_uppercase().contains("AGE-SECRET-KEY-") {
            return Err(RecipientFault::Secret);
        }
        let malformed = || RecipientFault::Malformed(text.to_owned());
        decode(text, BEGIN).map(Self).ok_or_else(malformed)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = bech32::encode::<Bech32>(BEGIN, &self.0).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}
