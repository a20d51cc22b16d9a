//! What a host remembers of an object beside its record: the journal that a planner reads.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::record_name;
use crate::engine::record::Claim;
use crate::host::{HostError, Locked, messages};

/// The format of the notes.
const FORMAT: u32 = 1;

/// What the notes of a kind of object are.
pub(super) trait Journal: Default + Serialize + DeserializeOwned {
    /// What the notes are called among the records. Names of objects have no dot.
    fn name(claim: &Claim) -> String {
        format!("{}.notes", record_name(claim))
    }

    /// From the records of a host. None: they cannot be read, which is no absence.
    fn of(records: &[messages::Record], claim: &Claim) -> Option<Self> {
        let name = Self::name(claim);
        match records.iter().find(|it| it.name == name) {
            None => Some(Self::default()),
            Some(it) if it.format == FORMAT => serde_json::from_slice(&it.content).ok(),
            Some(_) => None,
        }
    }

    /// Writes them down.
    async fn put(&self, host: &Locked, claim: &Claim) -> Result<(), HostError> {
        let name = Self::name(claim);
        let content = serde_json::to_vec_pretty(self).map_err(|err| HostError::Failed {
            host: host.name().clone(),
            call: format!("put the record {name}"),
            reason: err.to_string(),
        })?;
        let record = messages::Record { name, format: FORMAT, content: content.into() };
        host.put_record(record).await.map(drop)
    }
}
