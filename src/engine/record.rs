//! What each host remembers of the object that lives on it.
//!
//! A run writes it as its very first step, so that the next one recognises what was left unfinished. Import, restore
//! and clean-up read it too. The host keeps its format beside it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The record of one object on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What kind of object it is: `etcd_cluster`.
    pub kind: String,
    /// Its name, chosen by the user.
    pub name: String,
    /// Its id, chosen when it was created.
    pub id: String,
    /// Whether its creation came to an end.
    pub complete: bool,
    /// The configuration that was last applied, without secrets.
    pub applied: Map<String, Value>,
    /// The ids of the objects that live off it.
    pub consumers: BTreeSet<String>,
}

/// The format that [`Record::print`] writes. Any change of the fields is a new one: an older provider that does not know
/// a field would lose it.
pub const FORMAT: u32 = 1;

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A later provider wrote it.
    #[error("it has format {0}, and this provider reads up to {FORMAT}: use a later provider")]
    Newer(u32),
    /// It was not written by a provider, or is damaged.
    #[error("it is not a record")]
    Malformed(#[source] serde_json::Error),
}

impl Record {
    /// Reads a record of this format.
    ///
    /// # Errors
    /// It has a newer format, or is no record.
    pub fn parse(format: u32, text: &[u8]) -> Result<Self, RecordError> {
        if FORMAT < format {
            return Err(RecordError::Newer(format));
        }
        serde_json::from_slice(text).map_err(RecordError::Malformed)
    }

    /// The text that [`Record::parse`] reads back in [`FORMAT`], for people too.
    ///
    /// # Errors
    /// None that a record can cause.
    pub fn print(&self) -> Result<String, serde_json::Error> {
        let text = serde_json::to_string_pretty(self)?;
        Ok(text + "\n")
    }
}

/// The object that a run works on, as its state knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What kind of object it is.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its id. None while it is being created: no state has kept one.
    pub id: Option<String>,
    /// The id that the present run gives to what it creates.
    pub given: Option<String>,
}

/// Whose a host is, by its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Nobody's: the host has answered, and has no record of this kind.
    None,
    /// A creation of this object stopped midway; this run continues it.
    OurUnfinished(Record),
    /// This object's.
    Ours(Record),
    /// Another object's, or the same one whose state was lost. Never taken over without import.
    Foreign {
        /// What it says of itself.
        record: Record,
    },
    /// A later provider's.
    NewerFormat(u32),
}

/// Whose the host is that keeps this record with its format, or none.
///
/// # Errors
/// The record cannot be read. That is no proof of absence: somebody has to look.
pub fn ownership(stored: Option<(u32, &[u8])>, claim: &Claim) -> Result<Ownership, RecordError> {
    let Some((format, text)) = stored else { return Ok(Ownership::None) };
    let record = match Record::parse(format, text) {
        Ok(record) => record,
        Err(RecordError::Newer(format)) => return Ok(Ownership::NewerFormat(format)),
        Err(error) => return Err(error),
    };
    let is_namesake = record.kind == claim.kind && record.name == claim.name;
    Ok(match &claim.id {
        // An id is never given twice, so it decides, whatever the name is now.
        Some(id) if record.kind == claim.kind && record.id == *id => {
            if record.complete {
                Ownership::Ours(record)
            } else {
                Ownership::OurUnfinished(record)
            }
        }
        None if is_namesake && !record.complete => Ownership::OurUnfinished(record),
        // This very run has finished it.
        None if is_namesake && claim.given.as_ref() == Some(&record.id) => Ownership::Ours(record),
        _ => Ownership::Foreign { record },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn record(complete: bool) -> Record {
        let applied = json!({ "members": { "a": { "address": "192.0.2.1" } }, "size": 1.10 });
        Record {
            kind: "etcd_cluster".to_owned(),
            name: "main".to_owned(),
            id: "id-1".to_owned(),
            complete,
            applied: applied.as_object().unwrap().clone(),
            consumers: BTreeSet::from(["control-plane-1".to_owned()]),
        }
    }

    #[test]
    fn a_record_is_readable() {
        let text = r#"{
  "kind": "etcd_cluster",
  "name": "main",
  "id": "id-1",
  "complete": true,
  "applied": {},
  "consumers": [
    "control-plane-1"
  ]
}
"#;
        let record = Record { applied: Map::new(), ..record(true) };
        assert_eq!(record.print().unwrap(), text);
        assert_eq!(Record::parse(FORMAT, text.as_bytes()).unwrap(), record);
    }

    #[test]
    fn what_is_no_record_of_ours_is_refused() {
        let check = |format, text: &str, refusal: &str| {
            let refused = Record::parse(format, text.as_bytes()).unwrap_err();
            assert_eq!(refused.to_string(), refusal, "{text}");
        };
        check(
            2,
            r#"{"whatever": [1]}"#,
            "it has format 2, and this provider reads up to 1: use a later provider",
        );
        check(1, "", "it is not a record");
        check(1, "[]", "it is not a record");
        check(1, r#"{"kind": "etcd_cluster"}"#, "it is not a record");
        let text = record(true).print().unwrap();
        check(1, &text[..text.len() / 2], "it is not a record");
        check(1, &text.replacen("\"id\"", "\"extra\": 1, \"id\"", 1), "it is not a record");
    }

    #[test]
    fn a_host_tells_whose_it_is() {
        let check = |record: Option<&Record>, kind: &str, name: &str, id: Option<&str>| {
            let text = record.map(|it| it.print().unwrap());
            let claim = Claim {
                kind: kind.to_owned(),
                name: name.to_owned(),
                id: id.map(str::to_owned),
                given: None,
            };
            match ownership(text.as_ref().map(|it| (FORMAT, it.as_bytes())), &claim).unwrap() {
                Ownership::None => "none",
                Ownership::OurUnfinished(_) => "our unfinished",
                Ownership::Ours(_) => "ours",
                Ownership::Foreign { .. } => "foreign",
                Ownership::NewerFormat(_) => "newer",
            }
        };
        let (complete, half) = (record(true), record(false));
        let etcd = "etcd_cluster";
        assert_eq!(check(None, etcd, "main", None), "none");
        assert_eq!(check(Some(&complete), etcd, "main", Some("id-1")), "ours");
        assert_eq!(check(Some(&half), etcd, "main", Some("id-1")), "our unfinished");
        assert_eq!(check(Some(&half), etcd, "main", None), "our unfinished");
        // Without a state it cannot be told from somebody else's cluster of the same name.
        assert_eq!(check(Some(&complete), etcd, "main", None), "foreign");
        assert_eq!(check(Some(&complete), etcd, "main", Some("id-2")), "foreign");
        let creates = Claim {
            kind: etcd.to_owned(),
            name: "main".to_owned(),
            id: None,
            given: Some("id-1".to_owned()),
        };
        let text = complete.print().unwrap();
        let finished = ownership(Some((FORMAT, text.as_bytes())), &creates).unwrap();
        assert_eq!(finished, Ownership::Ours(complete.clone()));
        assert_eq!(check(Some(&half), etcd, "main", Some("id-2")), "foreign");
        assert_eq!(check(Some(&half), etcd, "other", None), "foreign");
        assert_eq!(check(Some(&half), "control_plane", "main", None), "foreign");
    }

    #[test]
    fn a_later_record_is_known_as_such_and_a_damaged_one_is_no_absence() {
        let claim = Claim {
            kind: "etcd_cluster".to_owned(),
            name: "main".to_owned(),
            id: None,
            given: None,
        };
        let newer = ownership(Some((9, b"{}".as_slice())), &claim).unwrap();
        assert_eq!(newer, Ownership::NewerFormat(9));
        let damaged = ownership(Some((FORMAT, b"{".as_slice())), &claim);
        assert!(matches!(damaged, Err(RecordError::Malformed(_))));
    }

    proptest! {
        #[test]
        fn every_record_is_read_back(kind: String, name: String, id: String, complete: bool, key: String, value: i64) {
            let applied = Map::from_iter([(key.clone(), json!([value, key, null]))]);
            let record = Record { kind, name, id, complete, applied, consumers: BTreeSet::from([key]) };
            prop_assert_eq!(Record::parse(FORMAT, record.print().unwrap().as_bytes()).unwrap(), record);
        }
    }
}
