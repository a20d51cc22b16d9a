//! The file in which OpenSSH keeps the keys of hosts. Pure.
//!
//! The format is that of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT": a marker that may be left out, hosts, kind of key, key.
//! What makes no sense is passed over, as OpenSSH does.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// What a file says.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownHosts(Vec<Line>);

/// A public key, as it is written in files: its kind, and the bytes that travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    algorithm: String,
    blob: Vec<u8>,
}

/// What a file says about a key that a host has shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    Known,
    Revoked,
    /// The host is known by other keys.
    Differs(Vec<&'a Key>),
    Unknown,
}

#[derive(Clone, Debug)]
struct Line {
    marker: Option<Marker>,
    hosts: Hosts,
    key: Key,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    Authority,
    Revoked,
}

#[derive(Clone, Debug)]
enum Hosts {
    Patterns(Vec<String>),
    Hashed { salt: Vec<u8>, digest: Vec<u8> },
}

impl KnownHosts {
    /// Reads the text of a file. Never fails: a line that makes no sense says nothing.
    pub(super) fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(line).collect())
    }

    /// Judges a key that the host with this name has shown.
    pub(super) fn verdict(&self, host: &Name, key: &Key) -> Verdict<'_> {
        match (self.verdict_on(&host.full(), key), &host.plain()) {
            // A host is the same one at whatever port, but not every port must belong to it.
            (Verdict::Unknown, Some(plain)) => match self.verdict_on(plain, key) {
                Verdict::Differs(_) => Verdict::Unknown,
                verdict => verdict,
            },
            (verdict, _) => verdict,
        }
    }

    fn verdict_on(&self, host: &str, key: &Key) -> Verdict<'_> {
        let mut known = Vec::new();
        let mut is_known = false;
        for line in self.about(host) {
            match line.marker {
                Some(Marker::Revoked) if line.key == *key => return Verdict::Revoked,
                None if line.key == *key => is_known = true,
                None => known.push(&line.key),
                Some(_) => (),
            }
        }
        match known.is_empty() {
            _ if is_known => Verdict::Known,
            true => Verdict::Unknown,
            false => Verdict::Differs(known),
        }
    }

    /// The kinds of keys by which the host is known.
    pub(super) fn algorithms(&self, host: &Name) -> Vec<&str> {
        let full = self.plain_keys(&host.full());
        let keys = match host.plain() {
            Some(plain) if full.is_empty() => self.plain_keys(&plain),
            _ => full,
        };
        keys.iter().map(|it| it.algorithm.as_str()).collect()
    }

    fn plain_keys(&self, host: &str) -> Vec<&Key> {
        self.about(host).filter(|it| it.marker.is_none()).map(|it| &it.key).collect()
    }

    /// Who may vouch for the host.
    pub(super) fn authorities(&self, host: &Name) -> Vec<&Key> {
        let of = |name: &str| {
            let lines = self.about(name).filter(|it| it.marker == Some(Marker::Authority));
            lines.map(|it| &it.key).collect::<Vec<_>>()
        };
        let mut found = of(&host.full());
        if let Some(plain) = host.plain() {
            found.extend(of(&plain));
        }
        found
    }

    /// Whether the key must never be trusted for the host.
    pub(super) fn is_revoked(&self, host: &Name, key: &Key) -> bool {
        self.verdict(host, key) == Verdict::Revoked
    }

    fn about(&self, host: &str) -> impl Iterator<Item = &Line> {
        self.0.iter().filter(move |it| it.hosts.include(host))
    }
}

/// A host as such files call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    host: String,
    port: u16,
}

/// The port that is not written.
const PORT: u16 = 22;

impl Name {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_ascii_lowercase(), port }
    }

    /// Without the port.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    fn full(&self) -> String {
        match self.port {
            PORT => self.host.clone(),
            port => format!("[{}]:{port}", self.host),
        }
    }

    /// The name at the usual port, if this is another one.
    fn plain(&self) -> Option<String> {
        (self.port != PORT).then(|| self.host.clone())
    }
}

impl Key {
    /// Reads `ssh-ed25519 AAAA…`, whatever follows.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split_ascii_whitespace();
        let (algorithm, blob) = (fields.next()?, fields.next()?);
        Self::from_blob(STANDARD.decode(blob).ok()?).filter(|it| it.algorithm == algorithm)
    }

    /// From the bytes that travel; they begin with the kind of the key.
    pub(super) fn from_blob(blob: Vec<u8>) -> Option<Self> {
        let length: [u8; 4] = blob.get(..4)?.try_into().ok()?;
        let end = usize::try_from(u32::from_be_bytes(length)).ok()?.checked_add(4)?;
        let algorithm = str::from_utf8(blob.get(4..end)?).ok()?.to_owned();
        Some(Self { algorithm, blob })
    }

    pub(super) fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The key as it is written in a file.
    pub(super) fn text(&self) -> String {
        format!("{} {}", self.algorithm, STANDARD.encode(&self.blob))
    }

    /// As `ssh-keygen -l` prints it: `ssh-ed25519 SHA256:…`.
    pub(super) fn fingerprint(&self) -> String {
        let digest = STANDARD_NO_PAD.encode(Sha256::digest(&self.blob));
        format!("{} SHA256:{digest}", self.algorithm)
    }
}

impl Hosts {
    fn parse(text: &str) -> Option<Self> {
        let Some(hashed) = text.strip_prefix("|1|") else {
            let patterns = text.split(',').map(str::to_ascii_lowercase);
            return Some(Self::Patterns(patterns.collect()));
        };
        let (salt, digest) = hashed.split_once('|')?;
        let (salt, digest) = (STANDARD.decode(salt).ok()?, STANDARD.decode(digest).ok()?);
        Some(Self::Hashed { salt, digest })
    }

    fn include(&self, host: &str) -> bool {
        match self {
            Self::Hashed { salt, digest } => Hmac::<Sha1>::new_from_slice(salt)
                .is_ok_and(|it| it.chain_update(host).finalize().into_bytes()[..] == digest[..]),
            Self::Patterns(patterns) => {
                let (no, yes): (Vec<&str>, Vec<&str>) =
                    patterns.iter().map(String::as_str).partition(|it| it.starts_with('!'));
                let excluded = no.iter().any(|it| matches(&it[1..], host));
                !excluded && yes.iter().any(|it| matches(it, host))
            }
        }
    }
}

fn line(text: &str) -> Option<Line> {
    let text = text.trim_ascii_start();
    if text.starts_with('#') {
        return None;
    }
    let (first, rest) = text.split_once([' ', '\t'])?;
    let (marker, hosts, key) = match first {
        "@cert-authority" | "@revoked" => {
            let (hosts, key) = rest.trim_ascii_start().split_once([' ', '\t'])?;
            let marker = if first == "@revoked" { Marker::Revoked } else { Marker::Authority };
            (Some(marker), hosts, key)
        }
        marker if marker.starts_with('@') => return None,
        hosts => (None, hosts, rest),
    };
    Some(Line { marker, hosts: Hosts::parse(hosts)?, key: Key::parse(key)? })
}

/// `*` is any text, `?` any one character. Takes time in proportion to the product of the lengths.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut here) = (0, 0);
    // Where to try again with one character more for the last star.
    let mut again = None;
    while here < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                again = Some((at, here));
                at += 1;
            }
            Some(it) if *it == b'?' || *it == text[here] => (at, here) = (at + 1, here + 1),
            _ => {
                let Some((star, from)) = again else { return false };
                again = Some((star, from + 1));
                (at, here) = (star + 1, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|it| *it == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A key of that kind with next to nothing in it.
    fn key(algorithm: &str, content: u8) -> Key {
        let length = u32::try_from(algorithm.len()).unwrap().to_be_bytes();
        Key::from_blob([&length, algorithm.as_bytes(), &[content]].concat()).unwrap()
    }

    /// Keys `A`, `B` (Ed25519), `E` (ECDSA) and `R` (RSA) stand in the text for themselves.
    fn file(text: &str) -> KnownHosts {
        let word = |it: &str| named(it).map_or(it.to_owned(), |it| it.text());
        let line = |it: &str| it.split(' ').map(word).collect::<Vec<_>>().join(" ");
        KnownHosts::parse(&text.lines().map(line).collect::<Vec<_>>().join("\n"))
    }

    fn named(name: &str) -> Option<Key> {
        match name {
            "A" => Some(key("ssh-ed25519", 1)),
            "B" => Some(key("ssh-ed25519", 2)),
            "E" => Some(key("ecdsa-sha2-nistp256", 3)),
            "R" => Some(key("ssh-rsa", 4)),
            _ => None,
        }
    }

    fn check(text: &str, host: &str, port: u16, shown: &str, expected: &str) {
        let file = file(text);
        let verdict = match file.verdict(&Name::new(host, port), &named(shown).unwrap()) {
            Verdict::Known => "known".to_owned(),
            Verdict::Revoked => "revoked".to_owned(),
            Verdict::Unknown => "unknown".to_owned(),
            Verdict::Differs(keys) => {
                let names = ["A", "B", "E", "R"];
                let name =
                    |key: &&Key| names.into_iter().find(|it| named(it).as_ref() == Some(*key));
                let keys: Vec<_> = keys.iter().filter_map(name).collect();
                format!("differs from {}", keys.join(" "))
            }
        };
        assert_eq!(verdict, expected, "{text:?} {host}:{port} {shown}");
    }

    #[test]
    fn a_host_is_known_by_any_of_its_keys() {
        check("", "h", 22, "A", "unknown");
        check("h A", "h", 22, "A", "known");
        check("h A", "H", 22, "A", "known");
        check("H A", "h", 22, "A", "known");
        check("h A", "g", 22, "A", "unknown");
        check("h A a comment", "h", 22, "A", "known");
        check("h B", "h", 22, "A", "differs from B");
        check("h B\nh A", "h", 22, "A", "known");
        check("h A\nh E", "h", 22, "E", "known");
        check("h E\nh R", "h", 22, "A", "differs from E R");
        check("g,h A", "h", 22, "A", "known");
        check("2001:db8::1 A", "2001:db8::1", 22, "A", "known");
        check("10.0.0.1 A", "10.0.0.1", 22, "A", "known");
    }

    #[test]
    fn another_port_is_another_name_which_falls_back_to_the_host() {
        check("[h]:2222 A", "h", 2222, "A", "known");
        check("[h]:2222 A", "h", 22, "A", "unknown");
        check("[h]:2222 A", "h", 2223, "A", "unknown");
        check("h A", "h", 2222, "A", "known");
        check("h B", "h", 2222, "A", "unknown");
        check("[h]:2222 B\nh A", "h", 2222, "A", "differs from B");
        check("[2001:db8::1]:2222 A", "2001:db8::1", 2222, "A", "known");
        check("@revoked h A", "h", 2222, "A", "revoked");
    }

    #[test]
    fn patterns_match_and_exclude() {
        check("*.example.com A", "h.example.com", 22, "A", "known");
        check("*.example.com A", "example.com", 22, "A", "unknown");
        check("10.0.0.? A", "10.0.0.7", 22, "A", "known");
        check("10.0.0.? A", "10.0.0.17", 22, "A", "unknown");
        check("*,!h A", "h", 22, "A", "unknown");
        check("!h,* A", "g", 22, "A", "known");
        check("!h A", "g", 22, "A", "unknown");
        check("[*.example.com]:22* A", "h.example.com", 2222, "A", "known");
        check("* A", "h", 2222, "A", "known");
    }

    #[test]
    fn markers_are_not_plain_entries() {
        check("@revoked * A\nh A", "h", 22, "A", "revoked");
        check("h A\n@revoked * A", "h", 22, "A", "revoked");
        check("@revoked g A\nh A", "h", 22, "A", "known");
        check("@revoked * B\nh A", "h", 22, "A", "known");
        check("@cert-authority h A", "h", 22, "A", "unknown");
        check("@new-marker h A", "h", 22, "A", "unknown");
        check("#h A", "h", 22, "A", "unknown");
        let text = "@cert-authority *.example.com A\n@cert-authority h B";
        let host = Name::new("h.example.com", 2222);
        assert_eq!(file(text).authorities(&host), [&named("A").unwrap()]);
        assert!(file("@revoked * B").is_revoked(&host, &named("B").unwrap()));
    }

    #[test]
    fn names_may_be_hashed() {
        // Made by `ssh-keygen -H` of OpenSSH 9.2 from the names `h` and `[h]:2222`.
        let plain = "|1|tkeTgxBaEPfzeNn/OusADmxcwHs=|HjEQitSMNUd9ZRwjdvnlupp6LIE=";
        let port = "|1|aIRIQj9wr0IV2/WANsflMMme5dQ=|cp9pvBYy1rvJky9lcyO5hqOAaxg=";
        check(&format!("{plain} A"), "h", 22, "A", "known");
        check(&format!("{plain} A"), "g", 22, "A", "unknown");
        check(&format!("{port} A"), "h", 2222, "A", "known");
        check(&format!("{port} A"), "h", 22, "A", "unknown");
        check("|1|not/base64 A", "h", 22, "A", "unknown");
        check("|2|AAAA|AAAA A", "h", 22, "A", "unknown");
    }

    #[test]
    fn the_kinds_of_known_keys_are_told() {
        let kinds = |text: &str, port| file(text).algorithms(&Name::new("h", port)).join(" ");
        assert_eq!(kinds("h E\nh A\n@revoked h B\ng R", 22), "ecdsa-sha2-nistp256 ssh-ed25519");
        assert_eq!(kinds("h E\n[h]:2222 A", 2222), "ssh-ed25519");
        assert_eq!(kinds("h E", 2222), "ecdsa-sha2-nistp256");
    }

    #[test]
    fn a_key_and_its_kind_must_agree() {
        let text = named("A").unwrap().text();
        assert_eq!(Key::parse(&text), named("A"));
        assert_eq!(Key::parse(&format!("{text} me@desk")), named("A"));
        for wrong in ["", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-ed25519 ====", "1024 35 123456"] {
            assert_eq!(Key::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Key::parse(&text.replace("ssh-ed25519", "ssh-rsa")), None);
    }

    #[test]
    fn a_fingerprint_is_that_of_ssh_keygen() {
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0eLlnD/SaisBDezW/qwwffWURmwLB1578jUT/+G5UI";
        let expected = "ssh-ed25519 SHA256:YI5ImM2oQS4Y0Ab6sw8Fvc7nK2qeOS0kIXVwqw7Q5nY";
        assert_eq!(Key::parse(key).unwrap().fingerprint(), expected);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reading(text in "\\PC*|(@?[a-z|!*?,=]{0,8}[ \t]?){0,5}", host in "[a-z:.*]{0,9}") {
            let file = KnownHosts::parse(&text);
            let name = Name::new(&host, 2222);
            file.verdict(&name, &key("ssh-ed25519", 1));
            file.algorithms(&name);
            file.authorities(&name);
        }

        #[test]
        fn no_blob_breaks_a_key(blob in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(key) = Key::from_blob(blob) {
                prop_assert_eq!(Key::parse(&key.text()).is_some(), !key.algorithm().contains(char::is_whitespace) && !key.algorithm().is_empty());
            }
        }

        #[test]
        fn patterns_mean_what_a_plain_search_says(pattern in "[ab*?]{0,6}", text in "[ab]{0,6}") {
            fn plain(pattern: &[u8], text: &[u8]) -> bool {
                match (pattern, text) {
                    ([], []) => true,
                    ([b'*', rest @ ..], _) => {
                        plain(rest, text) || (!text.is_empty() && plain(pattern, &text[1..]))
                    }
                    ([p, rest @ ..], [t, more @ ..]) => (*p == b'?' || p == t) && plain(rest, more),
                    _ => false,
                }
            }
            prop_assert_eq!(matches(&pattern, &text), plain(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
