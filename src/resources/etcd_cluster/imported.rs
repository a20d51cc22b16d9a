//! A cluster whose state was lost: what its hosts remember.

use std::collections::BTreeMap;

use super::model::{EtcdClusterModel, complete, members};
use crate::actions::etcd::Look;
use crate::domain::etcd::ClusterId;
use crate::engine::record::Record;
use crate::resources::recorded;
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::value::Value;

/// The state that the record of a host tells of, but for what only a look can tell.
pub(super) fn restored(record: &Record) -> Result<EtcdClusterModel, Diagnostics> {
    let has_any = |it: &EtcdClusterModel| members(it).next().is_some();
    let mut state = recorded::restored(record, "etcd cluster", "members", has_any)?;
    state.id = record.id.as_str().into();
    (state.cluster_id, state.ca_certificate) = (Value::Null, Value::Null);
    complete(&mut state);
    Ok(state)
}

/// What only the hosts know, where an import could not tell it.
pub(super) fn learn(state: &mut EtcdClusterModel, looks: &BTreeMap<String, Look>) {
    let ours = || looks.values().filter(|it| it.is_ours());
    if state.ca_certificate.is_null()
        && let Some(authority) = ours().find_map(Look::authority)
    {
        state.ca_certificate = Value::Known(authority);
    }
    if state.cluster_id.is_null()
        && let Some(access) = state.access.known_mut()
    {
        // What the record does not tell, once `restore` was left out again.
        let reached = ours().map(Look::generation).max().unwrap_or_default();
        let reached = i64::try_from(reached).unwrap_or_default();
        let shown = access.generation.known().copied().unwrap_or_default();
        access.generation = Value::Known(shown.max(reached));
    }
    if state.cluster_id.is_null()
        && let Some(id) = ours().find_map(Look::cluster)
    {
        state.cluster_id = Value::Known(ClusterId(id).to_string());
    }
    complete(state);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::domain::etcd::Refusal;
    use crate::engine::Stopped;
    use crate::resources::etcd_cluster::EtcdCluster;
    use crate::resources::etcd_cluster::wish;
    use crate::resources::hosted::way_out;

    fn record(applied: Json) -> Record {
        let Json::Object(applied) = applied else { panic!("{applied}") };
        let (kind, name, id) = ("etcd_cluster".to_owned(), "prod".to_owned(), "1".to_owned());
        Record { kind, name, id, complete: true, applied, consumers: BTreeSet::new() }
    }

    fn refused(applied: Json) -> String {
        restored(&record(applied)).unwrap_err().iter().next().unwrap().detail().to_owned()
    }

    #[test]
    fn the_record_holds_the_whole_configuration() {
        let applied = json!({
            "version": "3.6.16",
            "members": {
                "a": {"host": {"address": "h", "user": "ops", "port": 2222, "transport": "ssh"}, "address": "192.0.2.1"},
                "b": {"host": {"address": "192.0.2.2", "connection": "edge", "transport": "ssh"}},
            },
            "client_port": 1, "peer_port": 2, "metrics_port": 3,
            "data_dir": "/data", "wal_dir": "/wal",
            "heartbeat_interval": "200ms", "election_timeout": "2s",
            "quota_backend_bytes": 1_u64 << 32, "auto_compaction_retention": "1h",
            "extra_args": ["--max-txn-ops=256"], "environment": {"A": "b"},
            "certificates": {"validity": "24h", "extra_sans": ["x"], "ca_validity": "48h", "key_algorithm": "ecdsa-p256"},
            "restore": {
                "generation": 3, "from": "snapshot", "store": "s", "file": "f", "directory": "/d", "snapshot": "x",
                "discard_current_data": true, "clients_stopped": true,
            },
            "lost_hosts": ["b"], "deletion_protection": false, "on_destroy": "purge",
            "timeouts": {"create": "1h"},
        });
        let state = restored(&record(applied.clone())).unwrap();
        let recorded = wish::applied(&state);
        let mut missing = recorded.keys().filter(|it| applied.get(it.as_str()).is_none());
        assert_eq!(missing.next(), None, "this test does not set it");
        let again = restored(&record(Json::Object(recorded))).unwrap();
        assert_eq!(state, again);
        let computed = (&state.id, &state.name, &state.cluster_id, &state.ca_certificate);
        assert_eq!(computed, (&"1".into(), &"prod".into(), &Value::Null, &Value::Null));
        let endpoints = state.endpoints.known().unwrap();
        assert_eq!(endpoints[..], ["https://192.0.2.1:1".into(), "https://192.0.2.2:1".into()]);
        assert!(state.drift.known().unwrap().is_empty());
        assert!(state.timeouts.known().unwrap().create.is_known());
    }

    #[test]
    fn an_old_record_has_the_defaults_of_what_came_later() {
        let member = json!({"host": {"address": "192.0.2.1"}});
        let state =
            restored(&record(json!({"version": "3.6.16", "members": {"a": member}}))).unwrap();
        assert_eq!(state.client_port, 2379.into());
        assert_eq!(
            state.members.known().unwrap()["a"].host.known().unwrap().transport,
            "ssh".into()
        );
        assert!(wish::desired(&state).unwrap().is_ok());
    }

    #[test]
    fn what_makes_no_cluster_is_refused() {
        assert!(refused(json!({})).contains("it has no members"));
        assert!(refused(json!({"members": "x"})).contains("\"prod\": "));
        let member = json!({"host": {"address": "a b"}});
        let said = refused(json!({"members": {"a": member}}));
        assert!(said.contains("`members[\"a\"].host.address` must be"), "{said}");
    }

    #[test]
    fn a_create_over_a_complete_cluster_names_the_import() {
        let member = json!({"host": {"address": "192.0.2.1", "port": 22}});
        let planned = restored(&record(json!({"version": "3.6.16", "members": {"a": member}})));
        let planned = planned.unwrap();
        let name = || "a".parse().unwrap();
        let foreign = Refusal::Foreign { name: name(), owner: "it".to_owned() };
        let way = way_out::<EtcdCluster>(&Stopped::Refused(Box::new(foreign)), &planned).unwrap();
        let command = "`terraform import ha_etcd_cluster.NAME prod@192.0.2.1:22`";
        assert!(way.contains(command), "{way}");
        let other = Refusal::ForeignData { name: name() };
        assert_eq!(way_out::<EtcdCluster>(&Stopped::Refused(Box::new(other)), &planned), None);
    }
}
