//! What a record set holds.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{AddrParseError, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::{Name, NameError};

/// The types of records that can be managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Another name for the same thing.
    Cname,
    /// Texts.
    Txt,
}

/// The text names none of the types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is none of A, AAAA, CNAME and TXT")]
pub struct NoType;

/// One record, without its name. Two spellings of the same are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The name that is meant.
    Cname(Name),
    /// A text. How it is cut into pieces of at most 255 bytes means nothing (RFC 7208, section 3.3).
    Txt(Vec<u8>),
}

/// Why a text is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// No IPv4 address.
    #[error("{0:?} is no IPv4 address")]
    A(String, #[source] AddrParseError),
    /// No IPv6 address.
    #[error("{0:?} is no IPv6 address")]
    Aaaa(String, #[source] AddrParseError),
    /// No name.
    #[error("{0:?} is no name")]
    Cname(String, #[source] NameError),
}

/// All records of one name and type, with the time that they may be kept by whoever asked for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    /// In seconds.
    pub ttl: u32,
    /// In any order on the wire.
    pub data: BTreeSet<Data>,
}

impl Data {
    /// Reads what the user wrote.
    ///
    /// # Errors
    /// It is no record of this type.
    pub fn parse(ty: Type, text: &str) -> Result<Self, DataError> {
        let owned = || text.to_owned();
        Ok(match ty {
            Type::A => Self::A(text.parse().map_err(|err| DataError::A(owned(), err))?),
            Type::Aaaa => Self::Aaaa(text.parse().map_err(|err| DataError::Aaaa(owned(), err))?),
            Type::Cname => Self::Cname(text.parse().map_err(|err| DataError::Cname(owned(), err))?),
            Type::Txt => Self::Txt(text.as_bytes().to_vec()),
        })
    }
}

/// As a state has it. A text that is not UTF-8 is shown as far as it is.
impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A(address) => address.fmt(f),
            Self::Aaaa(address) => address.fmt(f),
            Self::Cname(name) => name.fmt(f),
            Self::Txt(text) => f.write_str(&String::from_utf8_lossy(text)),
        }
    }
}

/// `10.0.0.1, 10.0.0.2 for 30 s`
impl fmt::Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data: Vec<_> = self.data.iter().map(ToString::to_string).collect();
        write!(f, "{} for {} s", data.join(", "), self.ttl)
    }
}

impl FromStr for Type {
    type Err = NoType;

    fn from_str(text: &str) -> Result<Self, NoType> {
        match text.to_ascii_uppercase().as_str() {
            "A" => Ok(Self::A),
            "AAAA" => Ok(Self::Aaaa),
            "CNAME" => Ok(Self::Cname),
            "TXT" => Ok(Self::Txt),
            _ => Err(NoType),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Txt => "TXT",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_compared_as_the_dns_does() {
        let check = |ty, one: &str, other: &str, equal: bool| {
            let [one, other] = [one, other].map(|it| Data::parse(ty, it).unwrap());
            assert_eq!(one == other, equal, "{one} and {other}");
        };
        check(Type::Aaaa, "2001:DB8::1", "2001:db8:0:0:0:0:0:1", true);
        check(Type::Aaaa, "::ffff:1.2.3.4", "::ffff:102:304", true);
        check(Type::Aaaa, "::1", "::2", false);
        check(Type::Cname, "Web.Example.test.", "web.example.test", true);
        check(Type::Txt, "Text", "text", false);
        check(Type::Txt, "a.", "a", false);
    }

    #[test]
    fn what_is_no_record_of_its_type_is_refused() {
        let check = |ty, text: &str, wanted: &str| {
            assert_eq!(Data::parse(ty, text).unwrap_err().to_string(), wanted);
        };
        check(Type::A, "::1", "\"::1\" is no IPv4 address");
        check(Type::A, "010.0.0.1", "\"010.0.0.1\" is no IPv4 address");
        check(Type::A, "10.0.0.1 ", "\"10.0.0.1 \" is no IPv4 address");
        check(Type::Aaaa, "10.0.0.1", "\"10.0.0.1\" is no IPv6 address");
        check(Type::Aaaa, "fe80::1%eth0", "\"fe80::1%eth0\" is no IPv6 address");
        check(Type::Cname, "a b", "\"a b\" is no name");
        check(Type::Cname, ".", "\".\" is no name");
        assert!(Data::parse(Type::Txt, "").is_ok());
    }

    #[test]
    fn a_type_is_read_in_any_case() {
        for text in ["A", "AAAA", "CNAME", "TXT"] {
            assert_eq!(text.parse::<Type>().unwrap().to_string(), text);
            assert_eq!(text.to_lowercase().parse::<Type>().unwrap().to_string(), text);
        }
        assert_eq!("MX".parse::<Type>(), Err(NoType));
    }
}
