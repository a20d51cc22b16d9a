//! A backup whose state was lost: what its hosts remember.

use super::model::{EtcdBackupModel, hosts};
use crate::engine::record::Record;
use crate::resources::recorded;
use crate::tfplugin::diagnostics::Diagnostics;

/// The state that the record of a host tells of; `name` is that of the backup alone.
pub(super) fn restored(record: &Record, name: &str) -> Result<EtcdBackupModel, Diagnostics> {
    let has_any = |it: &EtcdBackupModel| hosts(it).next().is_some();
    let record = Record { name: name.to_owned(), ..record.clone() };
    let mut state = recorded::restored(&record, "backup", "hosts", has_any)?;
    state.id = record.id.as_str().into();
    Ok(state)
}

/// What it is called for an import.
pub(super) fn called(model: &EtcdBackupModel) -> Option<String> {
    let cluster = model.cluster.known()?.name.known()?;
    Some(format!("{cluster}/{}", model.name.known()?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::resources::etcd_backup::wish;

    #[test]
    fn the_record_holds_the_whole_configuration() {
        let record = |applied: Json| {
            let Json::Object(applied) = applied else { panic!("{applied}") };
            let (kind, name) = ("etcd_backup".to_owned(), "prod_nightly".to_owned());
            let consumers = BTreeSet::new();
            Record { kind, name, id: "1".to_owned(), complete: true, applied, consumers }
        };
        let applied = json!({
            "cluster": {
                "id": "7", "name": "prod", "endpoints": ["https://192.0.2.1:2379"],
                "ca_certificate": "-----BEGIN CERTIFICATE-----",
                "hosts": {"a": {"host": {"address": "192.0.2.1"}, "address": "192.0.2.1"}},
                "generation": 0,
            },
            "schedule": "0 2 * * *", "time_zone": "Europe/Berlin", "store": null,
            "directory": "/srv/x",
            "retention": {"last": 1, "hourly": 2, "daily": 3, "weekly": 4, "monthly": 5},
            "compression": "none", "triggers": {"a": "b"}, "on_destroy": "purge",
            "timeouts": {"create": "1h"},
        });
        let state = restored(&record(applied.clone()), "nightly").unwrap();
        assert_eq!(called(&state).as_deref(), Some("prod/nightly"));
        let recorded = wish::applied(&state);
        let mut missing = recorded.keys().filter(|it| applied.get(it.as_str()).is_none());
        assert_eq!(missing.next(), None, "this test does not set it");
        let again = restored(&record(Json::Object(recorded)), "nightly").unwrap();
        assert_eq!(state, again);
        assert!(!wish::check(&state).has_errors());
        let said = restored(&record(json!({})), "nightly").unwrap_err();
        assert!(said.iter().next().unwrap().detail().contains("it has no hosts"));
    }
}
