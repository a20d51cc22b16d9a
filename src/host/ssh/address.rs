//! What a user wrote to reach a host, held against what could be mistaken for something else. Pure.

use std::net::Ipv6Addr;

/// Why an address or a user cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    #[error("{0:?} is no address: a name of the DNS or an IP address is needed")]
    Address(String),
    #[error(
        "{0:?} is no user: it has no spaces or control characters, and does not begin with `-`"
    )]
    User(String),
    #[error("the pinned host key is not of the form `ssh-ed25519 AAAA…`")]
    Pin,
}

/// The most that a name in the DNS has, in text; names of users are bound likewise.
const MOST_BYTES: usize = 253;

/// The address without the brackets that an IPv6 address may have.
pub(super) fn address(text: &str) -> Result<&str, AddressError> {
    let refused = || AddressError::Address(text.to_owned());
    let bare = match text.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(inside) if inside.contains(':') => inside,
        Some(_) => return Err(refused()),
        None => text,
    };
    let (ip, zone) = bare.split_once('%').unwrap_or((bare, "0"));
    let is_name = |it: &str| {
        it.bytes().all(|it| it.is_ascii_alphanumeric() || b".-_".contains(&it))
            && !it.starts_with('-')
            && (1..=MOST_BYTES).contains(&it.len())
    };
    let is_ipv6 = ip.parse::<Ipv6Addr>().is_ok() && is_name(zone);
    if is_ipv6 || is_name(bare) { Ok(bare) } else { Err(refused()) }
}

/// The name of a user, whom the host knows or not.
pub(super) fn user(text: &str) -> Result<&str, AddressError> {
    let is_fine = !text.starts_with('-')
        && !text.contains(|it: char| it.is_whitespace() || it.is_control())
        && (1..=MOST_BYTES).contains(&text.len());
    if is_fine { Ok(text) } else { Err(AddressError::User(text.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_name_or_an_ip_address() {
        for (text, expected) in [
            ("10.0.0.1", "10.0.0.1"),
            ("h", "h"),
            ("node_1.example.com", "node_1.example.com"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
        ] {
            assert_eq!(address(text), Ok(expected));
        }
        for text in [
            "",
            "-h",
            "-oProxyCommand=x",
            "a b",
            "a\0b",
            "a\n",
            "ops@h",
            "h:22",
            "[h]",
            "[10.0.0.1]",
            "[::1",
            "::1]",
            "1::2::3",
            "::1%-x",
            "::1%",
            "10.0.0.1%eth0",
            "bücher",
            "$(id)",
        ] {
            assert_eq!(address(text), Err(AddressError::Address(text.to_owned())));
        }
        assert!(address(&"a".repeat(254)).is_err());
    }

    #[test]
    fn a_user_is_one_word() {
        for text in ["root", "ops-1", "EXAMPLE\\ops", "ops@example.com", "jürgen"] {
            assert_eq!(user(text), Ok(text));
        }
        for text in ["", "-l", "a b", "a\tb", "a\0", "a\n", "a\u{2028}b"] {
            assert_eq!(user(text), Err(AddressError::User(text.to_owned())), "{text:?}");
        }
        assert!(user(&"a".repeat(254)).is_err());
    }
}
