//! A control plane whose state was lost: what its hosts remember.

use std::collections::BTreeMap;

use super::model::{ControlPlaneModel, complete, nodes};
use crate::actions::kubernetes::Look;
use crate::engine::record::Record;
use crate::resources::recorded;
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::value::Value;

/// The state that the record of a host tells of, but for what only a look can tell.
pub(super) fn restored(record: &Record) -> Result<ControlPlaneModel, Diagnostics> {
    let has_any = |it: &ControlPlaneModel| nodes(it).next().is_some();
    let mut state = recorded::restored(record, "control plane", "nodes", has_any)?;
    state.id = record.id.as_str().into();
    (state.ca_certificate, state.recovery_bundle) = (Value::Null, Value::Null);
    complete(&mut state);
    Ok(state)
}

/// What only the hosts know, where an import could not tell it.
pub(super) fn learn(state: &mut ControlPlaneModel, looks: &BTreeMap<String, Look>) {
    if state.ca_certificate.is_null()
        && let Some(ca) = looks.values().filter(|it| it.is_ours()).find_map(Look::authority)
    {
        state.ca_certificate = Value::Known(ca);
    }
    complete(state);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::domain::kubernetes::Refusal;
    use crate::engine::Stopped;
    use crate::resources::control_plane::ControlPlane;
    use crate::resources::control_plane::wish;
    use crate::resources::hosted::way_out;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n";

    fn record(applied: Json) -> Record {
        let Json::Object(applied) = applied else { panic!("{applied}") };
        let (kind, name, id) = ("control_plane".to_owned(), "prod".to_owned(), "1".to_owned());
        Record { kind, name, id, complete: true, applied, consumers: BTreeSet::new() }
    }

    fn etcd() -> Json {
        let host = json!({"address": "e", "user": "ops", "port": 2222, "transport": "ssh"});
        json!({
            "id": "7", "name": "prod", "endpoints": ["https://192.0.2.9:2379"], "ca_certificate": PEM,
            "hosts": {"a": {"host": host, "address": "192.0.2.9"}}, "generation": 3,
        })
    }

    #[test]
    fn the_record_holds_the_whole_configuration() {
        let component = |flag: &str| json!({"extra_args": [flag], "environment": {"A": "b"}});
        let applied = json!({
            "version": "1.35.1", "endpoint": "api.example.test:443", "etcd": etcd(),
            "etcd_prefix": "/other",
            "nodes": {
                "a": {"host": {"address": "h", "user": "ops", "port": 2222, "transport": "ssh"}, "address": "192.0.2.1"},
                "b": {"host": {"address": "192.0.2.2", "connection": "edge", "transport": "ssh"}},
            },
            "port": 7443, "service_cidrs": ["10.97.0.0/16", "fd00::/112"],
            "pod_cidrs": ["10.245.0.0/16", "fd01::/56"], "cluster_domain": "example.test",
            "service_account_issuer": "https://issuer.example.test",
            "api_server": component("--v=2"), "controller_manager": component("--v=3"),
            "scheduler": component("--v=4"), "feature_gates": {"A": true},
            "enable_admission_plugins": ["PodNodeSelector"],
            "disable_admission_plugins": ["EventRateLimit"], "audit_log": false,
            "audit": {"policy": "apiVersion: audit.k8s.io/v1\nkind: Policy\n", "max_age": 1, "max_backups": 2, "max_size": 3},
            "encryption_at_rest": "none", "anonymous_paths": ["/readyz"],
            "tls_min_version": "1.2",
            "tls_cipher_suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
            "shutdown_delay": "9s",
            "certificates": {"validity": "24h", "extra_sans": ["x"], "ca_validity": "48h", "key_algorithm": "ecdsa-p256"},
            "recovery_recipients": ["age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"],
            "recover_from": "-----BEGIN AGE ENCRYPTED FILE-----",
            "lost_hosts": ["b"], "deletion_protection": false, "on_destroy": "purge",
            "timeouts": {"create": "1h"},
        });
        let state = restored(&record(applied.clone())).unwrap();
        let recorded = wish::applied(&state);
        let mut missing = recorded.keys().filter(|it| applied.get(it.as_str()).is_none());
        assert_eq!(missing.next(), None, "this test does not set it");
        let again = restored(&record(Json::Object(recorded))).unwrap();
        assert_eq!(state, again);
        let etcd = state.etcd.known().unwrap();
        assert_eq!((etcd.generation.clone(), &etcd.ca_certificate), (3.into(), &PEM.into()));
        let servers = state.api_servers.known().unwrap();
        assert_eq!(servers["a"], "192.0.2.1:7443".into());
        assert!(wish::desired(&state).unwrap().is_ok());
    }

    #[test]
    fn an_old_record_has_the_defaults_of_what_came_later() {
        let node = json!({"host": {"address": "192.0.2.1"}});
        let state = restored(&record(json!({
            "version": "1.34.4", "endpoint": "a:1", "etcd": etcd(), "nodes": {"a": node},
        })));
        let state = state.unwrap();
        assert_eq!((&state.port, &state.ca_certificate), (&6443.into(), &Value::Null));
        // An import leaves nothing unknown; the first read after it looks for the bundle.
        assert_eq!(state.recovery_bundle, Value::Null);
        assert!(wish::desired(&state).unwrap().is_ok());
    }

    #[test]
    fn what_makes_no_control_plane_is_refused() {
        let refused = |it: Json| {
            restored(&record(it)).unwrap_err().iter().next().unwrap().detail().to_owned()
        };
        assert!(refused(json!({})).contains("it has no nodes"));
        assert!(refused(json!({"nodes": "x"})).contains("\"prod\": "));
    }

    #[test]
    fn a_create_over_a_complete_control_plane_names_the_import() {
        let node = json!({"host": {"address": "192.0.2.1", "port": 22}});
        let planned = restored(&record(json!({"nodes": {"a": node}}))).unwrap();
        let name = || "a".parse().unwrap();
        let foreign = Refusal::Foreign { name: name(), owner: "it".to_owned() };
        let way = way_out::<ControlPlane>(&Stopped::Refused(Box::new(foreign)), &planned).unwrap();
        let command = "`terraform import ha_control_plane.NAME prod@192.0.2.1:22`";
        assert!(way.contains(command), "{way}");
        let other = Refusal::KeysLost;
        assert_eq!(way_out::<ControlPlane>(&Stopped::Refused(Box::new(other)), &planned), None);
    }
}
