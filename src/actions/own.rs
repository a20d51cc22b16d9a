//! An object as one run knows it: who it is, what is wished of it, and what its hosts remember of both.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::{Marker, Owner, begun_before, record_name, write_record};
use crate::domain::host;
use crate::engine::record::{Claim, Record};
use crate::host::{HostError, Locked};

/// Who an object is, and its configuration.
#[derive(Clone, Debug)]
pub struct Own {
    /// What hosts are asked for.
    pub claim: Claim,
    /// Of the object. A creation that was begun before brings its own.
    pub id: String,
    /// The configuration for the record.
    pub applied: Map<String, Json>,
}

impl Own {
    /// The object of this kind and name. `is_new`: no state knows it, so only an unfinished record can be its own.
    pub fn new(kind: &str, name: &str, id: &str, is_new: bool, applied: Map<String, Json>) -> Self {
        let claim = Claim {
            kind: kind.to_owned(),
            name: name.to_owned(),
            id: (!is_new).then(|| id.to_owned()),
            given: Some(id.to_owned()),
        };
        Self { claim, id: id.to_owned(), applied }
    }

    /// What a host is to remember, without those who live off the object.
    pub fn record(&self, complete: bool) -> Record {
        Record {
            kind: self.claim.kind.clone(),
            name: self.claim.name.clone(),
            id: self.id.clone(),
            complete,
            applied: self.applied.clone(),
            consumers: BTreeSet::new(),
        }
    }

    /// Whose a host is, as planners see it.
    pub fn owner(&self, recorded: &Owner) -> host::Owner {
        match recorded {
            Owner::Nobody => host::Owner::Nobody,
            Owner::OursUnfinished(_) => host::Owner::Unfinished,
            Owner::Ours(record) => host::Owner::Ours { is_current: record.applied == self.applied },
            Owner::Other(other) => host::Owner::Foreign(other.clone()),
            Owner::Newer(format) => host::Owner::Newer(*format),
        }
    }

    /// Goes on under the id with which a creation was begun that stopped midway. Whether it has another now: then the hosts
    /// have to be looked at once more, for what is complete under that id is ours.
    pub fn goes_on<'a>(&mut self, markers: impl IntoIterator<Item = &'a Marker>) -> bool {
        let begun = begun_before(markers).filter(|it| self.claim.id.is_none() && *it != self.id);
        let Some(id) = begun.map(str::to_owned) else { return false };
        self.claim.given = Some(id.clone());
        self.id = id;
        true
    }

    /// Brings the record of a host that is ours up to date, if it has one that is complete.
    ///
    /// # Errors
    /// As the calls that it is made of.
    pub async fn update_record(&self, host: &Locked) -> Result<(), HostError> {
        let records = host.records(&[&record_name(&self.claim)]).await?;
        let Owner::Ours(found) = Owner::of(&records, &self.claim) else { return Ok(()) };
        if found.applied == self.applied {
            return Ok(());
        }
        let record = Record { consumers: found.consumers, ..self.record(true) };
        write_record(host, &self.claim, &record).await
    }
}
