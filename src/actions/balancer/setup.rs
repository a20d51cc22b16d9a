//! What the actions know beyond the planner.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Map;

use crate::domain::balancer::Desired;
use crate::engine::record::{Claim, Record};
use crate::host::Hosts;

/// The wish, and what stands around it.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What the planner brings about.
    pub desired: Desired,
    /// Whose hosts they are.
    pub claim: Claim,
    /// The id of the balancer.
    pub id: String,
    /// The configuration for the record.
    pub applied: Map<String, serde_json::Value>,
    /// Whether there is a state.
    pub is_known: bool,
    /// Whether each node ran what is wished now when it was last seen, by its key.
    pub last: BTreeMap<String, bool>,
    /// Who has the agents.
    pub hosts: Arc<Hosts>,
}

impl Setup {
    pub(super) fn record(&self, complete: bool) -> Record {
        Record {
            kind: self.claim.kind.clone(),
            name: self.claim.name.clone(),
            id: self.id.clone(),
            complete,
            applied: self.applied.clone(),
            consumers: BTreeSet::new(),
        }
    }
}
