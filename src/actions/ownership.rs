//! Whose a host is, as it says itself.

use std::fmt;

use crate::engine::record::{Claim, FORMAT, Ownership, Record, RecordError, ownership};
use crate::host::{Host, HostError, Locked, messages};

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
    /// A later provider's; the format of its record.
    Newer(u32),
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
            Ok(Ownership::NewerFormat(format)) => Self::Newer(format),
            Err(error) => {
                Self::Other(format!("somebody whose record cannot be read: {}", Chain(&error)))
            }
        }
    }

    /// The record, where it is ours.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::OursUnfinished(record) | Self::Ours(record) => Some(record),
            Self::Nobody | Self::Other(_) | Self::Newer(_) => None,
        }
    }
}

/// What the record of an object says, whoever has made it: one of this kind and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The id that it was given.
    pub id: String,
    /// Whether its creation came to an end.
    pub is_complete: bool,
}

impl Marker {
    /// From the records that a host has told of. None: there is none that can be read.
    pub fn of(records: &[messages::Record], claim: &Claim) -> Option<Self> {
        let name = record_name(claim);
        let stored = records.iter().find(|it| it.name == name)?;
        let record = Record::parse(stored.format, &stored.content).ok()?;
        Some(Self { id: record.id, is_complete: record.complete })
    }
}

/// The id of a creation that stopped midway: one that some host keeps unfinished, if there is a choice the one that
/// another host has finished. A creation that goes on with it also recognises what was finished.
pub fn begun_before<'a>(markers: impl IntoIterator<Item = &'a Marker>) -> Option<&'a str> {
    let markers: Vec<_> = markers.into_iter().collect();
    let unfinished = markers.iter().filter(|it| !it.is_complete).map(|it| it.id.as_str());
    let is_finished = |id: &str| markers.iter().any(|it| it.is_complete && it.id == id);
    unfinished.min_by_key(|id| (!is_finished(id), *id))
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
    called(&claim.kind, &claim.name)
}

fn called(kind: &str, name: &str) -> String {
    format!("{kind}-{name}")
}

/// Why a host cannot tell of an object that is to be imported.
#[derive(Debug, thiserror::Error)]
pub enum Unrecorded {
    /// It could not be asked.
    #[error("it could not be asked for its record")]
    Unasked(#[source] HostError),
    /// It has no such record, but those of other objects, in words.
    #[error("it has no record of that name{}", List(.0))]
    Absent(Vec<String>),
    /// A later provider wrote it, or nobody can read it.
    #[error("its record cannot be read")]
    Unreadable(#[source] RecordError),
    /// Its creation has not come to its end.
    #[error("the creation of it was stopped midway, with the id {0}")]
    Unfinished(String),
}

/// What a host says of the object of this kind and name, for an import: nobody else knows.
///
/// # Errors
/// It does not answer, has no such record, or one that tells of no whole object.
pub async fn recorded(host: &Host, kind: &str, name: &str) -> Result<Record, Unrecorded> {
    let own = called(kind, name);
    let mut found = host.records(&[&own]).await.map_err(Unrecorded::Unasked)?;
    if found.is_empty() {
        // A record of somebody else that is damaged is not in the way of one that is there.
        found = host.records(&[]).await.map_err(Unrecorded::Unasked)?;
    }
    told(&found, &own)
}

fn told(records: &[messages::Record], own: &str) -> Result<Record, Unrecorded> {
    let Some(stored) = records.iter().find(|it| it.name == own) else {
        return Err(Unrecorded::Absent(records.iter().filter_map(object).collect()));
    };
    let record = Record::parse(stored.format, &stored.content).map_err(Unrecorded::Unreadable)?;
    if record.complete { Ok(record) } else { Err(Unrecorded::Unfinished(record.id)) }
}

/// Whose record it is, by its name. Notes beside a record have a dot in theirs.
fn object(record: &messages::Record) -> Option<String> {
    let (kind, name) = record.name.split_once('-').filter(|(_, name)| !name.contains('.'))?;
    Some(format!("{kind} {name:?}"))
}

/// What else there is, if anything.
struct List<'a>(&'a [String]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str(", and none of any other object"),
            objects => write!(f, "; it has those of {}", objects.join(", ")),
        }
    }
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
    fn a_creation_is_continued_under_the_id_that_it_began_with() {
        let check = |markers: &[(&str, bool)], expected: Option<&str>| {
            let marker = |it: &(&str, bool)| Marker { id: it.0.to_owned(), is_complete: it.1 };
            let markers: Vec<_> = markers.iter().map(marker).collect();
            assert_eq!(begun_before(&markers), expected, "{markers:?}");
        };
        check(&[], None);
        // All are finished: whose they are, only an import can say.
        check(&[("1", true), ("1", true)], None);
        check(&[("1", false), ("1", true)], Some("1"));
        check(&[("1", false), ("2", false), ("2", true)], Some("2"));
        check(&[("2", false), ("1", false), ("3", true)], Some("1"));
    }

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
                Owner::Newer(format) => format!("newer: {format}"),
            }
        };
        let mine = record("1", true).print().unwrap();
        assert_eq!(check(&[], None), "nobody");
        assert_eq!(check(&[stored(1, mine.clone())], Some("1")), "ours");
        assert_eq!(check(&[stored(1, record("1", false).print().unwrap())], None), "unfinished");
        let other = "the etcd_cluster \"prod\" with the id 1";
        assert_eq!(check(&[stored(1, mine.clone())], Some("2")), other);
        assert_eq!(check(&[stored(1, mine.clone())], None), other);
        assert_eq!(check(&[stored(9, mine)], Some("1")), "newer: 9");
        let broken = check(&[stored(1, "{".to_owned())], Some("1"));
        assert!(broken.starts_with("somebody whose record cannot be read: it is not a record: "));
    }

    #[test]
    fn an_import_is_told_what_is_recorded() {
        let record = |complete| {
            let (kind, name, id) = ("etcd_cluster".to_owned(), "prod".to_owned(), "1".to_owned());
            let (applied, consumers) = (serde_json::Map::new(), BTreeSet::new());
            Record { kind, name, id, complete, applied, consumers }.print().unwrap()
        };
        let stored = |name: &str, format, content: &str| messages::Record {
            name: name.to_owned(),
            format,
            content: content.to_owned().into(),
        };
        let check = |records: &[messages::Record], expected: &str| {
            let found = match told(records, "etcd_cluster-prod") {
                Ok(record) => record.id,
                Err(err) => Chain(&err).to_string(),
            };
            assert_eq!(found, expected);
        };
        let (whole, own) = (record(true), "etcd_cluster-prod");
        check(&[stored("etcd_cluster-a", 7, ""), stored(own, 1, &whole)], "1");
        check(&[], "it has no record of that name, and none of any other object");
        let others = ["control_plane-prod", "etcd_cluster-a-b", "etcd_cluster-a-b.notes"];
        check(
            &others.map(|it| stored(it, 1, &whole)),
            "it has no record of that name; it has those of control_plane \"prod\", etcd_cluster \"a-b\"",
        );
        check(
            &[stored(own, 1, &record(false))],
            "the creation of it was stopped midway, with the id 1",
        );
        check(
            &[stored(own, 9, &whole)],
            "its record cannot be read: it has format 9, and this provider reads up to 1: use a later provider",
        );
        let damaged = told(&[stored(own, 1, "{")], own).unwrap_err();
        assert!(
            Chain(&damaged)
                .to_string()
                .starts_with("its record cannot be read: it is not a record")
        );
    }
}
