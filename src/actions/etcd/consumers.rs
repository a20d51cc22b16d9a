//! Control planes that use a cluster, as its hosts remember them: enough to stop their API servers before a restore.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::actions::notes::Journal;
use crate::actions::record_name;
use crate::engine::record::Claim;

/// By the ids of the control planes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::actions) struct Consumers(pub(in crate::actions) BTreeMap<String, Consumer>);

/// A control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// Part of its units.
    pub name: String,
    /// The ways to its nodes as the record of a control plane has them, by name. They hold no secret.
    pub hosts: Map<String, Json>,
}

impl Journal for Consumers {
    fn name(claim: &Claim) -> String {
        format!("{}.consumers", record_name(claim))
    }
}
