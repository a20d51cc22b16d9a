//! Ranges of addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A range of addresses: `10.96.0.0/12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    first: IpAddr,
    length: u8,
}

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrFault {
    /// It does not read as one.
    #[error("{0:?} is no range of addresses such as 10.96.0.0/12")]
    Malformed(String),
    /// Two spellings would mean the same.
    #[error("{text:?} does not begin at the first address of its range: write {instead}")]
    Inside {
        /// As it was written.
        text: String,
        /// The range around it.
        instead: Cidr,
    },
}

impl Cidr {
    /// How many bits all its addresses share.
    pub fn length(self) -> u8 {
        self.length
    }

    /// Whether it has addresses of version 6.
    pub fn is_v6(self) -> bool {
        self.first.is_ipv6()
    }

    /// How many bits tell its addresses apart.
    pub fn host_bits(self) -> u8 {
        width(self.first) - self.length
    }

    /// Whether the address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv6() == self.is_v6() && masked(address, self.length) == self.first
    }

    /// Whether an address is in both.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }

    /// The address after the first one: that of the service `kubernetes`, when services have this range.
    pub fn second(self) -> IpAddr {
        match self.first {
            IpAddr::V4(it) => IpAddr::V4((u32::from(it) | 1).into()),
            IpAddr::V6(it) => IpAddr::V6((u128::from(it) | 1).into()),
        }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv6() { 128 } else { 32 }
}

/// The address with all bits cleared but the first ones.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    let keep = u32::from(length);
    match address {
        IpAddr::V4(it) => {
            let mask = u32::MAX.checked_shl(32 - keep).unwrap_or(0);
            IpAddr::V4((u32::from(it) & mask).into())
        }
        IpAddr::V6(it) => {
            let mask = u128::MAX.checked_shl(128 - keep).unwrap_or(0);
            IpAddr::V6((u128::from(it) & mask).into())
        }
    }
}

impl FromStr for Cidr {
    type Err = CidrFault;

    fn from_str(text: &str) -> Result<Self, CidrFault> {
        let malformed = || CidrFault::Malformed(text.to_owned());
        let (address, length) = text.split_once('/').ok_or_else(malformed)?;
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let is_plain = length.bytes().all(|it| it.is_ascii_digit()) && !length.starts_with('0');
        let length: u8 = length.parse().map_err(|_| malformed())?;
        if !is_plain || width(address) < length {
            return Err(malformed());
        }
        let instead = Self { first: masked(address, length), length };
        if instead.first != address {
            return Err(CidrFault::Inside { text: text.to_owned(), instead });
        }
        Ok(instead)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_is_read_in_one_spelling() {
        for text in ["10.96.0.0/12", "192.0.2.1/32", "fd00:10:96::/112", "::/1"] {
            assert_eq!(cidr(text).to_string(), text);
        }
        for text in
            ["", "10.96.0.0", "10.96.0.0/33", "10.96.0.0/0", "10.96.0.0/012", "a/8", "::/129"]
        {
            let fault = text.parse::<Cidr>().unwrap_err();
            assert_eq!(fault, CidrFault::Malformed(text.to_owned()));
        }
        let fault = "10.96.1.0/12".parse::<Cidr>().unwrap_err().to_string();
        let expected =
            "\"10.96.1.0/12\" does not begin at the first address of its range: write 10.96.0.0/12";
        assert_eq!(fault, expected);
    }

    #[test]
    fn ranges_overlap_when_one_begins_in_the_other() {
        let check = |a: &str, b: &str, expected: bool| {
            assert_eq!(cidr(a).overlaps(cidr(b)), expected, "{a} {b}");
            assert_eq!(cidr(b).overlaps(cidr(a)), expected, "{b} {a}");
        };
        check("10.96.0.0/12", "10.96.0.0/16", true);
        check("10.96.0.0/12", "10.111.255.0/24", true);
        check("10.96.0.0/12", "10.112.0.0/12", false);
        check("10.96.0.0/12", "10.244.0.0/16", false);
        check("fd00::/108", "fd00::/64", true);
        check("fd00::/108", "10.96.0.0/12", false);
        check("::/1", "10.96.0.0/12", false);
    }

    #[test]
    fn the_second_address_is_that_of_the_service() {
        assert_eq!(cidr("10.96.0.0/12").second().to_string(), "10.96.0.1");
        assert_eq!(cidr("fd00:10:96::/112").second().to_string(), "fd00:10:96::1");
        assert!(cidr("10.96.0.0/12").contains([10, 111, 255, 255].into()));
        assert!(!cidr("10.96.0.0/12").contains([10, 112, 0, 0].into()));
    }
}
