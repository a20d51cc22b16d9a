//! Checks of single values that several types share. Pure.

use std::net::{IpAddr, Ipv6Addr};
use std::path::{Component, Path};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::tfplugin::schema::{Check, text};
use crate::tfplugin::value::{Datum, Number};

/// The most that a name in the DNS has, in text; names of users are bound likewise.
const MOST_BYTES: usize = 253;
/// Kinds of host keys whose signatures can be checked. RSA is not among them: its crate has an open advisory,
/// RUSTSEC-2023-0071.
const HOST_KEYS: [&str; 4] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"];

/// A port. What is no `u16` is told when the model is read.
pub(super) fn port() -> Check {
    Check::new("a port from 1 to 65535", |it| *it != Datum::Number(Number::from(0_i64)))
}

/// A name of the DNS or an IP address, that nothing mistakes for an option.
pub(super) fn address() -> Check {
    text("a name or an IP address, without a port", |it| {
        ip(it).is_some() || is_dns_name(it) || has_zone(it)
    })
}

/// The IP address that a text is; an IPv6 address may stand in brackets.
pub(super) fn ip(text: &str) -> Option<IpAddr> {
    let inside = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    match inside {
        Some(inside) => inside.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

fn is_dns_name(text: &str) -> bool {
    let is_fine = |it: u8| it.is_ascii_alphanumeric() || b".-_".contains(&it);
    (1..=MOST_BYTES).contains(&text.len()) && text.bytes().all(is_fine) && !text.starts_with('-')
}

/// `fe80::1%eth0`: an address that means something on one link alone.
fn has_zone(text: &str) -> bool {
    let Some((ip, zone)) = text.split_once('%') else { return false };
    ip.parse::<Ipv6Addr>().is_ok() && is_dns_name(zone)
}

/// A user of a host.
pub(super) fn user() -> Check {
    text("one word that does not begin with `-`", |it| {
        let is_fine = |it: char| !it.is_whitespace() && !it.is_control();
        (1..=MOST_BYTES).contains(&it.len()) && it.chars().all(is_fine) && !it.starts_with('-')
    })
}

/// A public key of a host, as in the files of OpenSSH.
pub(super) fn host_key() -> Check {
    text("a public key like `ssh-ed25519 AAAA…`, of Ed25519 or ECDSA", |it| {
        parse_host_key(it).is_some()
    })
}

/// The kind of the key and its bytes in base64, without the comment that may follow. The bytes begin with the kind
/// once more (RFC 4253, section 6.6).
pub(super) fn parse_host_key(text: &str) -> Option<String> {
    let mut words = text.split_ascii_whitespace();
    let (kind, encoded) = (words.next()?, words.next()?);
    let blob = BASE64_STANDARD.decode(encoded).ok()?;
    let length = usize::try_from(u32::from_be_bytes(*blob.first_chunk()?)).ok()?;
    let rest = &blob[4..];
    let (inner, key) = (rest.get(..length)?, rest.get(length..)?);
    let is_fine = HOST_KEYS.contains(&kind) && inner == kind.as_bytes() && !key.is_empty();
    is_fine.then(|| format!("{kind} {encoded}"))
}

/// A directory that stands for `/`.
pub(super) fn root() -> Check {
    text("an absolute path below `/`, without `..`", |it| {
        let path = Path::new(it);
        let mut parts = path.components().skip(1).peekable();
        path.is_absolute()
            && parts.peek().is_some()
            && parts.all(|it| matches!(it, Component::Normal(_)))
            && !it.contains(char::is_control)
    })
}

/// One or more certificates.
pub(super) fn certificates() -> Check {
    text("PEM that begins with `-----BEGIN CERTIFICATE-----`", |it| {
        it.trim_start().starts_with("-----BEGIN CERTIFICATE-----")
    })
}

/// Where a service is.
pub(super) fn url() -> Check {
    text("a URL that begins with `https://` or `http://`", |it| {
        let rest = ["https://", "http://"].iter().find_map(|scheme| it.strip_prefix(scheme));
        rest.is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_graphic()))
    })
}

/// What things in a map of the provider block are called: safe in texts, and as the name of a file.
pub(super) fn is_label(text: &str) -> bool {
    let is_fine = |it: u8| it.is_ascii_alphanumeric() || b".-_".contains(&it);
    (1..=40).contains(&text.len())
        && text.bytes().all(is_fine)
        && text.starts_with(|it: char| it.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    fn check(check: &Check, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(check.accepts(&Datum::from(*text)), "{check:?}: {text:?} is refused");
        }
        for text in bad {
            assert!(!check.accepts(&Datum::from(*text)), "{check:?}: {text:?} is accepted");
        }
    }

    #[test]
    fn an_address_is_a_name_or_an_ip_address() {
        check(
            &address(),
            &["10.0.0.1", "h", "node_1.example.com", "2001:db8::1", "[2001:db8::1]", "fe80::1%e0"],
            &["", "-h", "-oProxyCommand=x", "a b", "a\n", "ops@h", "h:22", "[h]", "[10.0.0.1]"],
        );
        let more = ["[::1", "1::2::3", "::1%-x", "10.0.0.1%eth0", "bücher", "$(id)"];
        check(&address(), &[], &more);
        check(&address(), &[], &[&"a".repeat(254)]);
    }

    #[test]
    fn a_user_is_one_word() {
        check(&user(), &["root", "EXAMPLE\\ops", "jürgen"], &["", "-l", "a b", "a\0", "a\u{2028}"]);
    }

    #[test]
    fn a_host_key_is_of_the_kind_that_it_says() {
        let commented = format!("{ED25519} root@a");
        let lies = ED25519.replace("ssh-ed25519 ", "ecdsa-sha2-nistp256 ");
        let cut = &ED25519[..ED25519.len() - 48];
        check(
            &host_key(),
            &[ED25519, &commented],
            &["", "ssh-ed25519", "ssh-ed25519 !", "ssh-ed25519 AAAA", "ssh-rsa AAAA", &lies, cut],
        );
        let length_beyond_the_end = "ssh-ed25519 /////3NzaC1lZDI1NTE5";
        check(&host_key(), &[], &[length_beyond_the_end]);
        assert_eq!(parse_host_key(&commented).as_deref(), Some(ED25519));
    }

    #[test]
    fn a_root_is_a_directory_of_its_own() {
        let bad = ["", "/", "//", "/.", "a", "~/a", "/a/..", "/a/../b", "/a\n"];
        check(&root(), &["/a", "/srv/ha/a/", "/a b"], &bad);
    }

    #[test]
    fn other_texts_are_held_against_their_form() {
        check(&certificates(), &["\n-----BEGIN CERTIFICATE-----\nMII"], &["", "/etc/ca.pem"]);
        check(
            &url(),
            &["https://a", "http://a:1/b"],
            &["", "a", "https://", "ftp://a", "http://a b"],
        );
        let labels = ["a", "A.b_c-1", "-a", ".a", "..", "", "a/b", "ä", &"a".repeat(41)];
        assert_eq!(
            labels.map(is_label),
            [true, true, false, false, false, false, false, false, false]
        );
    }

    #[test]
    fn zero_is_no_port() {
        let ports = [0_i64, 1, 65535].map(|it| port().accepts(&Datum::from(it)));
        assert_eq!(ports, [false, true, true]);
    }
}
