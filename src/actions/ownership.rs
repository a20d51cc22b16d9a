//! Whose a host is, as it says itself.

use std::fmt;

use crate::engine::record::{Claim, FORMAT, Ownership, Record, ownership};
use crate::host::{HostError, Locked, messages};

/// Whose a host is, for one kind of object and one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// It has answered, and has no record.
    #[default]
    Nobody,
    /// A creation of this object stopped midway.
    OursUnfinished(Record),
    /// This object's.
    Ours(Record),
    /// Somebody else's, in words: "the etcd_cluster "prod" with the id 6f…".
    Other(String),
}

impl Owner {
    /// From the records that a host has told of.
    pub fn of(records: &[messages::Record], claim: &Claim) -> Self {
        let name = record_name(claim);
        let stored = records.iter().find(|it| it.name == name);
        match ownership(stored.map(|it| (it.format, &it.content[..])), claim) {
            Ok(Ownership::None) => Self::Nobody,
            Ok(Ownership::OurUnfinished(record)) => Self::OursUnfinished(record),
            Ok(Ownership::Ours(record)) => Self::Ours(record),
            Ok(Ownership::Foreign { record: Record { kind, name, id, .. } }) => {
                Self::Other(format!("the {kind} {name:?} with the id {id}"))
            }
            Ok(Ownership::NewerFormat(format)) => {
                Self::Other(format!("a later provider, whose record has format {format}"))
            }
            Err(error) => {
                Self::Other(format!("somebody whose record cannot be read: {}", Chain(&error)))
            }
        }
    }

    /// The record, where it is ours.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::OursUnfinished(record) | Self::Ours(record) => Some(record),
            Self::Nobody | Self::Other(_) => None,
        }
    }
}

/// An error and its sources.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::engine::chain(self.0))
    }
}

/// What the record of an object is called on its hosts. Kinds have no `-`, so no two are called alike.
pub fn record_name(claim: &Claim) -> String {
    format!("{}-{}", claim.kind, claim.name)
}

/// Writes the record of the object that `claim` names.
///
/// # Errors
/// As every call.
pub async fn write_record(host: &Locked, claim: &Claim, record: &Record) -> Result<(), HostError> {
    let name = record_name(claim);
    let text = record.print().map_err(|err| HostError::Failed {
        host: host.name().clone(),
        call: format!("put the record {name}"),
        reason: err.to_string(),
    })?;
    host.put_record(messages::Record { name, format: FORMAT, content: text.into() }).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_host_says_whose_it_is() {
        let record = |id: &str, complete| Record {
            kind: "etcd_cluster".to_owned(),
            name: "prod".to_owned(),
            id: id.to_owned(),
            complete,
            applied: serde_json::Map::new(),
            consumers: BTreeSet::new(),
        };
        let stored = |format, content: String| messages::Record {
            name: "etcd_cluster-prod".to_owned(),
            format,
            content: content.into(),
        };
        let check = |records: &[messages::Record], id: Option<&str>| {
            let claim = Claim {
                kind: "etcd_cluster".to_owned(),
                name: "prod".to_owned(),
                id: id.map(str::to_owned),
                given: None,
            };
            match Owner::of(records, &claim) {
                Owner::Nobody => "nobody".to_owned(),
                Owner::OursUnfinished(_) => "unfinished".to_owned(),
                Owner::Ours(_) => "ours".to_owned(),
                Owner::Other(whose) => whose,
            }
        };
        let mine = record("1", true).print().unwrap();
        assert_eq!(check(&[], None), "nobody");
        assert_eq!(check(&[stored(1, mine.clone())], Some("1")), "ours");
        assert_eq!(check(&[stored(1, record("1", false).print().unwrap())], None), "unfinished");
        let other = "the etcd_cluster \"prod\" with the id 1";
        assert_eq!(check(&[stored(1, mine.clone())], Some("2")), other);
        assert_eq!(check(&[stored(1, mine.clone())], None), other);
        let later = "a later provider, whose record has format 9";
        assert_eq!(check(&[stored(9, mine)], Some("1")), later);
        let broken = check(&[stored(1, "{".to_owned())], Some("1"));
        assert!(broken.starts_with("somebody whose record cannot be read: it is not a record: "));
    }
}
