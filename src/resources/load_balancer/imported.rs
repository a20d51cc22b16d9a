//! A balancer whose state was lost: what its hosts remember.

use super::model::{LoadBalancerModel, complete, nodes};
use crate::engine::record::Record;
use crate::resources::recorded;
use crate::tfplugin::diagnostics::Diagnostics;

/// The state that the record of a host tells of.
pub(super) fn restored(record: &Record) -> Result<LoadBalancerModel, Diagnostics> {
    let has_any = |it: &LoadBalancerModel| nodes(it).next().is_some();
    let mut state = recorded::restored(record, "balancer", "nodes", has_any)?;
    state.id = record.id.as_str().into();
    complete(&mut state);
    Ok(state)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::resources::load_balancer::wish;

    fn record(applied: Json) -> Record {
        let Json::Object(applied) = applied else { panic!("{applied}") };
        let (kind, name, id) = ("load_balancer".to_owned(), "api".to_owned(), "1".to_owned());
        Record { kind, name, id, complete: true, applied, consumers: BTreeSet::new() }
    }

    #[test]
    fn the_record_holds_the_whole_configuration() {
        let applied = json!({
            "engine": "haproxy",
            "nodes": {
                "a": {"host": {"address": "h", "user": "ops"}, "address": "192.0.2.1", "interface": "eth0", "priority": 7},
                "b": {"host": {"address": "192.0.2.2"}},
            },
            "port": 7443, "bind_address": "192.0.2.9", "backends": {"x": "192.0.2.7:6443"},
            "balance": "source",
            "health_check": {
                "protocol": "tcp", "ca_certificate": "x", "server_name": "a.b", "path": "/x",
                "interval": "1s", "fast_interval": "2s", "timeout": "3s", "fall": 4, "rise": 5,
            },
            "proxy_timeouts": {"connect": "1s", "idle": "2h", "tunnel": "3h", "drain": "4h"},
            "max_connections": 100,
            "virtual_ip": {
                "address": "192.0.2.9/24", "router_id": 7, "interface": "eth1", "advertise_interval": "1s",
            },
            "metrics_port": 8404, "install": "never", "lost_hosts": ["c"],
            "timeouts": {"create": "1h"},
        });
        let state = restored(&record(applied.clone())).unwrap();
        let recorded = wish::applied(&state);
        let mut missing = recorded.keys().filter(|it| applied.get(it.as_str()).is_none());
        assert_eq!(missing.next(), None, "this test does not set it");
        let again = restored(&record(Json::Object(recorded))).unwrap();
        assert_eq!(state, again);
        assert_eq!(state.addresses.known().unwrap()[..], ["192.0.2.9".into()]);
        assert!(wish::desired(&state).unwrap().is_ok());
    }

    #[test]
    fn what_makes_no_balancer_is_refused() {
        let refused = |it: Json| {
            restored(&record(it)).unwrap_err().iter().next().unwrap().detail().to_owned()
        };
        assert!(refused(json!({})).contains("it has no nodes"));
        assert!(refused(json!({"nodes": "x"})).contains("\"api\": "));
    }
}
