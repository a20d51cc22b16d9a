//! A configuration of which not all is known, made whole, so that the rest can be judged before anything is built.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::model::{AuditModel, ComponentModel, ControlPlaneModel, NodeModel, nodes};
use crate::resources::checks::ip;
use crate::resources::etcd_access::EtcdAccessModel;
use crate::resources::filled::Fill;
use crate::resources::hosts::written_address;
use crate::tfplugin::value::Value;

/// Ranges and addresses that nobody else has: of the network 0, which is no place for hosts, and of the discard prefix of
/// version 6 (RFC 6666).
struct Free {
    services: &'static str,
    pods: &'static str,
    etcd: &'static str,
    node: fn(u16) -> IpAddr,
}

const V4: Free = Free {
    services: "0.1.0.0/16",
    pods: "0.2.0.0/16",
    etcd: "https://0.3.0.1:2379",
    node: |at| IpAddr::V4(Ipv4Addr::from(u32::from(at))),
};

const V6: Free = Free {
    services: "100:0:0:1::/112",
    pods: "100:0:0:200::/56",
    etcd: "https://[100:0:0:3::1]:2379",
    node: |at| IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 4, 0, 0, 0, at)),
};

/// In place of what was left out stands its default, and in place of what is not known what nobody refuses. The second
/// tells whether all is known.
pub(super) fn filled(model: &ControlPlaneModel) -> (ControlPlaneModel, bool) {
    let mut it = model.clone();
    let mut is_whole = true;
    let free = if is_v6(model) { V6 } else { V4 };
    let one = |it: &str| vec![it.to_owned()];
    for (ranges, free) in [(&mut it.service_cidrs, free.services), (&mut it.pod_cidrs, free.pods)] {
        if ranges.is_unknown() {
            (*ranges, is_whole) = (Value::Known(one(free)), false);
        }
    }
    // What must fit to each other is judged together or not at all.
    if it.tls_min_version.is_unknown() || it.tls_cipher_suites.is_unknown() {
        (it.tls_min_version, it.tls_cipher_suites) = (Value::Null, Value::Null);
        is_whole = false;
    }
    if it.service_account_issuer.is_unknown() {
        (it.service_account_issuer, is_whole) = (Value::Null, false);
    }
    let mut fill = Fill(is_whole);
    fill.text(&mut it.name, "x");
    fill.text(&mut it.version, "1.34.0");
    fill.text(&mut it.endpoint, "api.invalid:6443");
    fill.text(&mut it.etcd_prefix, "/registry");
    fill.value(&mut it.port, 6443);
    fill.value(&mut it.service_cidrs, one("10.96.0.0/12"));
    fill.value(&mut it.pod_cidrs, one("10.244.0.0/16"));
    fill.text(&mut it.cluster_domain, "cluster.local");
    for component in [&mut it.api_server, &mut it.controller_manager, &mut it.scheduler] {
        fill.value(component, ComponentModel::default());
        if let Value::Known(ComponentModel { extra_args, environment }) = component {
            fill.value(extra_args, Vec::new());
            fill.value(environment, BTreeMap::new());
        }
    }
    fill.value(&mut it.feature_gates, BTreeMap::new());
    fill.value(&mut it.enable_admission_plugins, BTreeSet::new());
    fill.value(&mut it.disable_admission_plugins, BTreeSet::new());
    fill.value(&mut it.audit_log, true);
    fill.value(&mut it.audit, AuditModel::default());
    if let Value::Known(AuditModel { policy, max_age, max_backups, max_size }) = &mut it.audit {
        if policy.is_unknown() {
            (*policy, fill.0) = (Value::Null, false);
        }
        fill.value(max_age, 30);
        fill.value(max_backups, 10);
        fill.value(max_size, 100);
    }
    fill.text(&mut it.encryption_at_rest, "secretbox");
    let paths = ["/livez", "/readyz", "/healthz"].map(str::to_owned);
    fill.value(&mut it.anonymous_paths, BTreeSet::from(paths));
    fill.text(&mut it.tls_min_version, "1.2");
    fill.value(&mut it.shutdown_delay, Duration::from_secs(5));
    fill.value(&mut it.recovery_recipients, Vec::new());
    fill.value(&mut it.lost_hosts, BTreeSet::new());
    fill.value(&mut it.deletion_protection, true);
    fill.text(&mut it.on_destroy, "keep");
    etcd(&mut it.etcd, &mut fill, free.etcd);
    let alone = BTreeMap::from([("x".to_owned(), NodeModel::default())]);
    fill.value(&mut it.nodes, alone);
    if let Value::Known(nodes) = &mut it.nodes {
        for (node, at) in nodes.values_mut().zip(1..) {
            fill.place(&mut node.host, &mut node.address, (free.node)(at));
        }
    }
    (it, fill.0)
}

fn etcd(etcd: &mut Value<EtcdAccessModel>, fill: &mut Fill, free: &str) {
    fill.value(etcd, EtcdAccessModel::default());
    let Value::Known(EtcdAccessModel { endpoints, generation, .. }) = etcd else { return };
    fill.value(generation, 0);
    // Left out as a whole, it is not known either.
    fill.value(endpoints, vec![Value::Known(free.to_owned())]);
    for endpoint in endpoints.known_mut().into_iter().flatten() {
        fill.text(endpoint, free);
    }
}

/// The family of what is known: that of services comes first, and nodes have the same.
fn is_v6(model: &ControlPlaneModel) -> bool {
    if let Some(first) = model.service_cidrs.known().and_then(|it| it.first()) {
        return first.contains(':');
    }
    let known =
        nodes(model).find_map(|(_, it)| ip(written_address(&it.host, &it.address).known()?));
    known.is_some_and(|it| it.is_ipv6())
}
