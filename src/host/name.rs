//! How a host is called in texts.

use std::fmt;
use std::str::FromStr;

/// The name of a host as the user wrote it, safe to print and to log. A label, never part of a path or a command.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

/// Why a text is no name of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostNameError {
    /// Nothing to call it by.
    #[error("a host needs a name")]
    Empty,
    /// Longer than any name in the DNS.
    #[error("the name of a host has at most {MOST_BYTES} characters")]
    TooLong,
    /// Spaces, quotes, line ends, letters beyond ASCII.
    #[error("{0:?} has no place in the name of a host: use letters, digits, `.`, `-`, `_` and `:`")]
    Sign(char),
}

/// The most that a name in the DNS has, in text.
const MOST_BYTES: usize = 253;

impl HostName {
    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    /// Names of the DNS, addresses, and keys of maps that resemble them.
    fn from_str(text: &str) -> Result<Self, HostNameError> {
        let is_fine = |it: char| it.is_ascii_alphanumeric() || ".-_:".contains(it);
        match text.chars().find(|it| !is_fine(*it)) {
            _ if text.is_empty() => Err(HostNameError::Empty),
            Some(sign) => Err(HostNameError::Sign(sign)),
            None if MOST_BYTES < text.len() => Err(HostNameError::TooLong),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_to_print() {
        let check = |text: &str, expected: Result<&str, HostNameError>| {
            let name: Result<HostName, _> = text.parse();
            assert_eq!(name.as_ref().map(HostName::as_str).map_err(|it| *it), expected, "{text}");
        };
        check("a", Ok("a"));
        check("node-1.example.com", Ok("node-1.example.com"));
        check("2001:db8::1", Ok("2001:db8::1"));
        check("", Err(HostNameError::Empty));
        check("a b", Err(HostNameError::Sign(' ')));
        check("a\n", Err(HostNameError::Sign('\n')));
        check("a`id`", Err(HostNameError::Sign('`')));
        check("bücher", Err(HostNameError::Sign('ü')));
        check(&"a".repeat(253), Ok(&"a".repeat(253)));
        check(&"a".repeat(254), Err(HostNameError::TooLong));
    }
}
