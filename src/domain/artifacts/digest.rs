//! A SHA-256 digest.

use std::fmt;
use std::str::FromStr;

/// SHA-256 of a file. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// Why a text is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// SHA-1 has 40 digits, SHA-512 has 128.
    #[error("a SHA-256 has 64 hexadecimal digits, not {0} characters")]
    Length(usize),
    /// Something else than a hexadecimal digit.
    #[error("{0:?} is no hexadecimal digit")]
    Sign(char),
}

impl Digest {
    /// From its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As messages carry it.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let length = text.chars().count();
        if length != 64 {
            return Err(DigestError::Length(length));
        }
        let mut digest = [0; 32];
        for (i, sign) in text.chars().enumerate() {
            let value = sign.to_digit(16).and_then(|it| u8::try_from(it).ok());
            digest[i / 2] = digest[i / 2] << 4 | value.ok_or(DigestError::Sign(sign))?;
        }
        Ok(Self(digest))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|it| write!(f, "{it:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes: [u8; 32]) {
            let text = Digest(bytes).to_string();
            prop_assert_eq!(text.parse(), Ok(Digest(bytes)));
            prop_assert_eq!(text.to_uppercase().parse(), Ok(Digest(bytes)));
        }

        #[test]
        fn no_other_text_is_a_digest(text in ".{0,80}") {
            let is_hex = text.chars().all(|it| it.is_ascii_hexdigit());
            prop_assert_eq!(text.parse::<Digest>().is_ok(), text.len() == 64 && is_hex);
        }
    }

    #[test]
    fn the_fault_says_what_is_wrong() {
        let check = |text: &str, fault| assert_eq!(text.parse::<Digest>(), Err(fault));
        check("", DigestError::Length(0));
        check(&"a".repeat(40), DigestError::Length(40));
        check(&"ä".repeat(64), DigestError::Sign('ä'));
        check(&format!("{} ", "a".repeat(63)), DigestError::Sign(' '));
    }
}
