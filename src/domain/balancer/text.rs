//! Texts that are printed into configuration files: each type admits letters and a few signs that mean nothing there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU8;
use std::str::FromStr;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::domain::pki::{Certificate, CertificateError};
use crate::domain::text::texts;

/// Why a value has no place in a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// Of a certificate.
    #[error("it is a DNS name of letters, digits, `-` and `.`, and no IP address")]
    ServerName,
    /// Of a check.
    #[error("a path begins with `/` and has letters, digits and `-._~/?=&` alone, 200 at most")]
    UriPath,
    /// Of a network.
    #[error("an interface is named with 1 to 15 letters, digits, `-`, `_` and `.`")]
    Interface,
    /// Of a network.
    #[error("it is an address with the length of its prefix, such as 10.0.0.100/24")]
    Network,
    /// Of a backend.
    #[error("a backend is an IP address and a port, such as 10.0.0.1:6443 or [2001:db8::1]:6443")]
    Endpoint,
    /// A time that no file can hold.
    #[error("a time is of whole milliseconds, from 1ms to 24 days")]
    Time,
    /// An interval that no message can hold.
    #[error("virtual router advertisements come every 10ms to 40s, in steps of 10ms")]
    Advertisement,
}

texts! { TextFault:
    /// The name that the certificates of all backends have.
    ServerName else ServerName if |it| {
        let is_label = |it: &str| is_made_of(it, 63, b"-") && !it.starts_with('-') && !it.ends_with('-');
        it.len() <= 253 && it.split('.').all(is_label) && it.parse::<IpAddr>().is_err()
    };
    /// What a check asks for.
    UriPath else UriPath if |it| it.starts_with('/') && is_made_of(it, 200, b"-._~/?=&");
    /// A network interface.
    Interface else Interface if |it| is_made_of(it, 15, b"-_.") && it != "." && it != "..";
}

fn is_made_of(text: &str, most: usize, signs: &[u8]) -> bool {
    (1..=most).contains(&text.len())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || signs.contains(&it))
}

/// An address in its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// None: no network has such a prefix.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        (1..=most).contains(&prefix).then_some(Self { address, prefix })
    }

    /// Without its prefix.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// Whether the address is of this network.
    pub fn has(self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX << (32 - u32::from(self.prefix));
                own.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX << (128 - u32::from(self.prefix));
                own.to_bits() & mask == other.to_bits() & mask
            }
            _ => false,
        }
    }

    /// Whether it names no single host: the first or the last address of a network that has more than two.
    pub(super) fn is_of_all(self) -> bool {
        match self.address {
            IpAddr::V4(own) if self.prefix < 31 => {
                let hosts = u32::MAX >> u32::from(self.prefix);
                [0, hosts].contains(&(Ipv4Addr::to_bits(own) & hosts))
            }
            IpAddr::V6(own) if self.prefix < 127 => {
                Ipv6Addr::to_bits(own) & (u128::MAX >> u32::from(self.prefix)) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = TextFault;

    fn from_str(text: &str) -> Result<Self, TextFault> {
        let (address, prefix) = text.split_once('/').ok_or(TextFault::Network)?;
        let (Ok(address), Ok(number)) = (address.parse(), prefix.parse::<u8>()) else {
            return Err(TextFault::Network);
        };
        let one = Self::new(address, number).filter(|_| number.to_string() == prefix);
        one.ok_or(TextFault::Network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// A time as HAProxy reads it. Its timers hold 2^31 milliseconds (`doc/configuration.txt`, section 2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    /// # Errors
    /// No timer can hold it.
    pub fn new(time: Duration) -> Result<Self, TextFault> {
        let whole = u64::try_from(time.as_millis()).map_err(|_| TextFault::Time)?;
        let is_whole = Duration::from_millis(whole) == time;
        let most = Duration::from_hours(24 * 24);
        if is_whole && whole != 0 && time <= most { Ok(Self(whole)) } else { Err(TextFault::Time) }
    }

    /// In milliseconds.
    pub fn milliseconds(self) -> u64 {
        self.0
    }
}

impl Default for Time {
    /// Stands in for one that was refused.
    fn default() -> Self {
        Self(1000)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// Between two advertisements of a virtual router. A message has 12 bits for it, in hundredths of a second (RFC 5798).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Advertisement(u16);

impl Advertisement {
    /// # Errors
    /// No message can hold it.
    pub fn new(interval: Duration) -> Result<Self, TextFault> {
        let hundredths = interval.as_millis() / 10;
        let whole = u16::try_from(hundredths).map_err(|_| TextFault::Advertisement)?;
        let is_whole = Duration::from_millis(10 * u64::from(whole)) == interval;
        let is_fine = is_whole && (1..=4000).contains(&whole);
        if is_fine { Ok(Self(whole)) } else { Err(TextFault::Advertisement) }
    }
}

impl Default for Advertisement {
    /// Stands in for one that was refused.
    fn default() -> Self {
        Self(100)
    }
}

impl fmt::Display for Advertisement {
    /// In seconds, as keepalived reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// The number of a virtual router on its network.
pub type RouterId = NonZeroU8;

/// Whom checks believe: certificates in PEM, with nothing around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority(String);

impl Authority {
    /// # Errors
    /// There is none in it, or something else too.
    pub fn new(pem: &str) -> Result<Self, CertificateError> {
        let all = Certificate::parse_all(pem.as_bytes())?;
        Ok(Self(all.iter().map(Certificate::pem).collect()))
    }

    /// As PEM.
    pub fn pem(&self) -> &str {
        &self.0
    }

    /// Tells it from others, in a name of a file.
    pub(super) fn label(&self) -> String {
        let digest = Sha256::digest(&self.0);
        digest.iter().take(4).fold(String::new(), |text, it| text + &format!("{it:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_a_file_is_refused() {
        fn check<T: FromStr + fmt::Display>(good: &[&str]) {
            for text in good {
                assert_eq!(text.parse::<T>().ok().map(|it| it.to_string()).as_deref(), Some(*text));
                for hostile in "\n\r\t\0 \"'#%{}$\\;`|<>()!,@ä\u{85}\u{2028}".chars() {
                    for at in [0, 1, text.len()] {
                        let (before, after) = text.split_at(at);
                        let text = format!("{before}{hostile}{after}");
                        assert!(text.parse::<T>().is_err(), "{text:?}");
                    }
                }
            }
            assert!("".parse::<T>().is_err());
            assert!("a".repeat(300).parse::<T>().is_err());
        }
        check::<ServerName>(&["kubernetes", "api.example.test"]);
        check::<UriPath>(&["/readyz", "/a/b?c=d&e=f"]);
        check::<Interface>(&["eth0", "bond0.17"]);
        check::<Network>(&["10.0.0.100/24", "2001:db8::1/64"]);
        for text in ["10.0.0.1", "a..b", ".a", "a.", "-a.b"] {
            assert!(text.parse::<ServerName>().is_err(), "{text}");
        }
        assert!("readyz".parse::<UriPath>().is_err());
        assert!("..".parse::<Interface>().is_err());
        for text in
            ["10.0.0.1", "10.0.0.1/33", "10.0.0.1/0", "10.0.0.1/+8", "10.0.0.1/08", "::/129"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_network_knows_its_own() {
        let check = |network: &str, inside: &str, outside: &str| {
            let network: Network = network.parse().unwrap();
            assert!(network.has(inside.parse().unwrap()), "{network} {inside}");
            assert!(!network.has(outside.parse().unwrap()), "{network} {outside}");
        };
        check("10.0.0.100/24", "10.0.0.1", "10.0.1.1");
        check("10.0.0.100/32", "10.0.0.100", "10.0.0.101");
        check("10.0.0.100/1", "127.0.0.1", "128.0.0.1");
        check("2001:db8::1/64", "2001:db8::2", "2001:db8:1::2");
        check("2001:db8::1/128", "2001:db8::1", "10.0.0.1");
        let is_of_all = |it: &str| it.parse::<Network>().unwrap().is_of_all();
        assert!(
            is_of_all("10.0.0.0/24") && is_of_all("10.0.0.255/24") && is_of_all("2001:db8::/64")
        );
        assert!(!is_of_all("10.0.0.0/31") && !is_of_all("10.0.0.1/32") && !is_of_all("::ffff/64"));
    }

    #[test]
    fn times_are_those_that_programs_can_hold() {
        let time = |it: Duration| Time::new(it).ok().map(|it| it.to_string());
        assert_eq!(time(Duration::from_millis(300)).as_deref(), Some("300ms"));
        assert_eq!(time(Duration::from_hours(4)).as_deref(), Some("14400000ms"));
        for bad in [Duration::ZERO, Duration::from_micros(1500), Duration::from_hours(24 * 25)] {
            assert_eq!(time(bad), None);
        }
        let interval = |it: u64| Advertisement::new(Duration::from_millis(it));
        let interval = |it: u64| interval(it).ok().map(|it| it.to_string());
        assert_eq!(interval(300).as_deref(), Some("0.30"));
        assert_eq!(interval(1000).as_deref(), Some("1.00"));
        for bad in [0, 5, 305, 40_010, 1 << 40] {
            assert_eq!(interval(bad), None, "{bad}");
        }
    }
}
