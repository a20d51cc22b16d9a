//! Which record set is meant.

use std::fmt;
use std::str::FromStr;

use super::data::NoType;
use super::{Name, NameError, Type};

/// A record set by its place. Its text, `zone/name/type` in lower case, is the id of the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The zone that it is in.
    pub zone: Name,
    /// The whole name, with the zone.
    pub name: Name,
    /// The type of its records.
    pub ty: Type,
}

/// Why there can be no such record set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No zone.
    #[error("the zone is no name")]
    Zone(#[source] NameError),
    /// No name.
    #[error("the name is not one that a zone can hold")]
    Name(#[source] NameError),
    /// No type.
    #[error("the type is not known")]
    Type(#[source] NoType),
    /// RFC 1034, section 3.6.2: an alias stands alone, and each zone has records at its own name.
    #[error(
        "a zone itself cannot be a CNAME: SOA and NS records stand at its name, and a CNAME stands alone"
    )]
    AliasOfZone,
    /// No id.
    #[error("{0:?} is not of the form `<zone>/<name>/<type>`")]
    Form(String),
}

impl Key {
    /// The record set `name` of `zone`.
    ///
    /// # Errors
    /// One of the three does not fit.
    pub fn new(zone: &str, name: &str, ty: &str) -> Result<Self, KeyError> {
        let zone: Name = zone.parse().map_err(KeyError::Zone)?;
        let name = Name::within(name, &zone).map_err(KeyError::Name)?;
        let ty = ty.parse().map_err(KeyError::Type)?;
        if ty == Type::Cname && name == zone {
            return Err(KeyError::AliasOfZone);
        }
        Ok(Self { zone, name, ty })
    }

    /// The name without the zone; `@` for the zone itself.
    pub fn relative(&self) -> &str {
        self.name.relative_to(&self.zone).unwrap_or("@")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ty = self.ty.to_string().to_ascii_lowercase();
        write!(f, "{}/{}/{ty}", self.zone, self.relative())
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(id: &str) -> Result<Self, KeyError> {
        let parts: Vec<_> = id.split('/').collect();
        let [zone, name, ty] = parts[..] else { return Err(KeyError::Form(id.to_owned())) };
        Self::new(zone, name, ty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_zone_name_and_type() {
        let check = |id: &str, wanted: &str, whole: &str| {
            let key: Key = id.parse().unwrap();
            assert_eq!((key.to_string().as_str(), key.name.to_string().as_str()), (wanted, whole));
            assert_eq!(wanted.parse(), Ok(key));
        };
        check("example.test/api/A", "example.test/api/a", "api.example.test");
        check("Example.Test./API./aaaa", "example.test/api/aaaa", "api.example.test");
        check("example.test/@/txt", "example.test/@/txt", "example.test");
        check("example.test/a.b/CNAME", "example.test/a.b/cname", "a.b.example.test");
    }

    #[test]
    fn what_is_no_id_is_refused_with_the_reason() {
        let check = |id: &str, wanted: &str| {
            let error = id.parse::<Key>().unwrap_err().to_string();
            assert!(error.contains(wanted), "{id:?}: {error}");
        };
        check("api.example.test", "`<zone>/<name>/<type>`");
        check("example.test/api/A/x", "`<zone>/<name>/<type>`");
        check("/api/A", "the zone is no name");
        check("example.test//A", "the name is not one");
        check("example.test/api/MX", "the type is not known");
        check("example.test/@/cname", "cannot be a CNAME");
    }
}
