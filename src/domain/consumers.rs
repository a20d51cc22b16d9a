//! Control planes that use a cluster, as its hosts remember them: enough to stop their API servers before a restore, and to
//! know whose keys a snapshot needs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// By the ids of the control planes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Consumers(pub BTreeMap<String, Consumer>);

/// A control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// Part of its units.
    pub name: String,
    /// The ways to its nodes as the record of a control plane has them, by name. They hold no secret.
    pub hosts: Map<String, Json>,
    /// The fingerprint of the key that its Secrets are encrypted with. None: they are not, or nobody has said it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key: Option<String>,
}

impl Consumers {
    /// What it is called among the records of a host.
    pub fn record(cluster: &str) -> String {
        format!("etcd_cluster-{cluster}.consumers")
    }

    /// Fingerprints of the keys that Secrets are encrypted with, by the names of control planes.
    pub fn encryption_keys(&self) -> BTreeMap<String, String> {
        let key = |it: &Consumer| Some((it.name.clone(), it.encryption_key.clone()?));
        self.0.values().filter_map(key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_from_before_there_were_fingerprints_is_read() {
        let text = r#"{"1":{"name":"prod","hosts":{}}}"#;
        let mut found: Consumers = serde_json::from_str(text).unwrap();
        assert!(found.encryption_keys().is_empty());
        assert_eq!(serde_json::to_string(&found).unwrap(), text);
        found.0.get_mut("1").unwrap().encryption_key = Some("f".to_owned());
        let keys = BTreeMap::from([("prod".to_owned(), "f".to_owned())]);
        assert_eq!(found.encryption_keys(), keys);
    }
}
