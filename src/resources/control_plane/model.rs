//! What is written about a control plane.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use crate::domain::kubernetes::{AuditPolicy, Domain, Endpoint, Issuer, Prefix, Version};
use crate::domain::name::{ClusterName, Name};
use crate::model;
use crate::resources::certificates::CertificatesModel;
use crate::resources::control_plane_access::{
    ControlPlaneAccessHostModel, ControlPlaneAccessModel,
};
use crate::resources::etcd_access::EtcdAccessModel;
use crate::resources::host::HostModel;
use crate::resources::hosts::{is_one_machine, written_address};
use crate::tfplugin::model::{Timeouts, same_duration};
use crate::tfplugin::value::{Datum, Set, Value};

const EVERYTHING: &str = "all three components";
const API_SERVER: &str = "API server";

model! {
    /// A Kubernetes control plane on hosts that exist already: API server, controller manager and scheduler on each node,
    /// against an external cluster of etcd. It is brought up, grown, shrunk, reconfigured and upgraded one node at a time,
    /// and an API server serves during each step. A control plane of one node pauses while it restarts.
    ///
    /// Keys of authorities, service accounts and Secrets lie on the nodes alone, the same on all of them. Without them no
    /// snapshot of etcd can be read: they are lost when the last node is. With `recovery_recipients` there is a bundle that
    /// brings them back: keep a copy of it, and the private key that opens it, where neither the nodes nor the state are.
    ///
    /// Controller manager and scheduler talk to the API server of their own node. There is no kubelet on the nodes: webhooks
    /// and aggregated APIs need an address that the nodes reach.
    ///
    /// A create that stops midway is not recorded; what was done is noted on the hosts, and an apply goes on from there.
    pub(crate) struct ControlPlaneModel {
        /// Given at create, and kept on the hosts for life.
        id: Value<String> = computed(),
        /// Part of the units `kube-apiserver-<name>`, `kube-controller-manager-<name>` and `kube-scheduler-<name>` and of
        /// paths: lower-case letters, digits and `-`.
        name: Value<String> = required().refuses_change().check(text("1 to 40 lower-case letters, digits and `-`, none at the ends", |it| it.parse::<ClusterName>().is_ok())),
        /// Version of Kubernetes, from 1.34 on. One minor at a time, and never lower.
        version: Value<String> = required().restarts(EVERYTHING).check(text("a version such as `1.34.4`", |it| it.parse::<Version>().is_ok())),
        /// Where clients find the control plane: `host:port`, a literal. Its host is a name in the certificates of the API
        /// servers; it need not resolve while this resource is applied.
        endpoint: Value<String> = required().changes_online().check(text("`host:port`, such as `api.example.test:6443` or `[2001:db8::1]:6443`", |it| it.parse::<Endpoint>().is_ok())),
        /// The cluster of etcd: `access` of an `ha_etcd_cluster`. Another authority needs another `generation`, as after a
        /// restore.
        etcd: Value<EtcdAccessModel> = required().changes("restarts the API server when endpoints change, and everything when the generation does"),
        /// Below which objects lie in etcd. A create over objects that none of the hosts has the keys for is refused.
        etcd_prefix: Value<String> = optional().default("/registry").refuses_change().check(text("a path of letters, digits, `-`, `_`, `.` and `/`, such as `/registry`", |it| it.parse::<Prefix>().is_ok())),
        /// Nodes by a stable name. May be added, removed and replaced in place.
        nodes: Value<BTreeMap<String, NodeModel>> = required().changes("nodes join and leave in place, one at a time"),
        /// Port of the API servers, bound to the address of each node.
        port: Value<u16> = optional().default(6443).refuses_change(),
        /// Addresses of services: one range, or one of each family. They overlap neither `pod_cidrs` nor the nodes.
        service_cidrs: Value<Vec<String>> = optional().default(texts(&["10.96.0.0/12"])).refuses_change(),
        /// Addresses of pods: one range, or one of each family.
        pod_cidrs: Value<Vec<String>> = optional().default(texts(&["10.244.0.0/16"])).refuses_change(),
        /// Domain of services.
        cluster_domain: Value<String> = optional().default("cluster.local").refuses_change().check(text("labels of lower-case letters, digits and `-`, such as `cluster.local`", |it| it.parse::<Domain>().is_ok())),
        /// Who vouches for tokens of service accounts. `https://kubernetes.default.svc.<cluster_domain>` when left out.
        service_account_issuer: Value<String> = optional().refuses_change().check(text("a URL that begins with `https://`, without spaces and quotes", |it| it.parse::<Issuer>().is_ok())),
        /// More for the API servers.
        api_server: Value<ComponentModel> = optional().default(Datum::Map(BTreeMap::new())).restarts(API_SERVER),
        /// More for the controller managers.
        controller_manager: Value<ComponentModel> = optional().default(Datum::Map(BTreeMap::new())).restarts("controller manager"),
        /// More for the schedulers.
        scheduler: Value<ComponentModel> = optional().default(Datum::Map(BTreeMap::new())).restarts("scheduler"),
        /// Feature gates of all components, by name.
        feature_gates: Value<BTreeMap<String, bool>> = optional().default(Datum::Map(BTreeMap::new())).restarts(EVERYTHING),
        /// Admission plugins beside those that are on.
        enable_admission_plugins: Value<BTreeSet<String>> = optional().default(Datum::Set(Set(Vec::new()))).restarts(API_SERVER),
        /// Admission plugins that are switched off.
        disable_admission_plugins: Value<BTreeSet<String>> = optional().default(Datum::Set(Set(Vec::new()))).restarts(API_SERVER),
        /// Whether requests are logged, to `/var/log/kubernetes-<name>/audit.log` of the node that has served them.
        audit_log: Value<bool> = optional().default(true).restarts(API_SERVER),
        /// What is logged, and how much is kept.
        audit: Value<AuditModel> = optional().default(Datum::Map(BTreeMap::new())).restarts(API_SERVER),
        /// How Secrets are encrypted in etcd: `secretbox` or `none`. The key is made on a host, and is the same on all.
        encryption_at_rest: Value<String> = optional().default("secretbox").refuses_change().check(one_of(&["secretbox", "none"])),
        /// Paths of the API that need no credentials. Empty closes them; the check of a balancer then fails.
        anonymous_paths: Value<BTreeSet<String>> = optional().default(paths(&["/livez", "/readyz", "/healthz"])).restarts(API_SERVER),
        /// Lowest version of TLS that components accept: `1.2` or `1.3`.
        tls_min_version: Value<String> = optional().default("1.2").restarts(EVERYTHING).check(one_of(&["1.2", "1.3"])),
        /// Cipher suites for TLS 1.2, as Go names them. Those with authenticated encryption when left out.
        tls_cipher_suites: Value<Vec<String>> = optional().restarts(EVERYTHING),
        /// From the moment that an API server which ends says it is not ready until it takes no more connections: at least
        /// twice the time in which the balancer notices.
        shutdown_delay: Value<Duration> = optional().default("5s").same_when(same_duration).restarts(API_SERVER),
        /// How certificates are made. They are renewed when a third of their time is left, and read anew without a restart.
        certificates: Value<CertificatesModel> = optional().default(Datum::Map(BTreeMap::new())).changes_online(),
        /// Public keys of age, `age1…`, whose owners can open `recovery_bundle`. While it is empty and Secrets are encrypted,
        /// a plan warns.
        recovery_recipients: Value<Vec<String>> = optional().default(Datum::List(Vec::new())).changes_online(),
        /// A copy of `recovery_bundle` that was kept elsewhere, and is opened with `recovery_identity` of the provider. Used
        /// at create, and when no node has the keys any more: the nodes are set up anew in place then, as the plan tells.
        /// Otherwise it is ignored. The etcd that holds the objects must be there.
        recover_from: Value<String> = optional().records_change().check(text("a text that begins with `-----BEGIN AGE ENCRYPTED FILE-----`", |it| it.trim_start().starts_with("-----BEGIN AGE ENCRYPTED FILE-----"))),
        /// Nodes whose machines are gone for ever: neither a destroy nor a recovery waits for them.
        lost_hosts: Value<BTreeSet<String>> = optional().default(Datum::Set(Set(Vec::new()))).records_change(),
        /// Refuses to destroy the control plane.
        deletion_protection: Value<bool> = optional().default(true).records_change(),
        /// What a destroy does with the keys: `keep` moves them aside on each host, `purge` deletes them. The objects stay in
        /// etcd either way.
        on_destroy: Value<String> = optional().default("keep").records_change().check(one_of(&["keep", "purge"])),
        /// Certificate of the authority of the API, in PEM.
        ca_certificate: Value<String> = computed(),
        /// API servers by the names of their nodes, each `address:port`: `backends` of an `ha_load_balancer`.
        api_servers: Value<BTreeMap<String, Value<String>>> = computed(),
        /// The keys of authorities, service accounts and Secrets, encrypted on a node to `recovery_recipients`: a text of
        /// age, which its own tool opens as well. It changes with the recipients, and with the keys. Null without
        /// recipients.
        recovery_bundle: Value<String> = computed(),
        /// What an apply would mend, in sentences. Empty: all is as planned.
        drift: Value<Vec<String>> = computed().planned_as(Datum::List(Vec::new())),
        /// What other resources need to use the control plane. It holds no secret.
        access: Value<ControlPlaneAccessModel> = computed(),
        /// How long each operation may take.
        timeouts: Value<Timeouts> = timeouts(1800, 5400, 30, 600),
    }
}

model! {
    /// A node.
    pub(crate) struct NodeModel {
        /// The machine that it runs on.
        host: Value<HostModel> = required(),
        /// The address that its API server is bound to. `host.address` when left out, which must be an IP address then.
        address: Value<String> = optional().changes("its components restart"),
    }
}

model! {
    /// What a component gets beside what the provider gives it.
    pub(crate) struct ComponentModel {
        /// More arguments, each `--flag=value`. What the provider sets itself is refused, and what the program does not
        /// know is found out before anything restarts.
        extra_args: Value<Vec<String>> = optional().default(Datum::List(Vec::new())),
        /// Variables of the process.
        environment: Value<BTreeMap<String, String>> = optional().default(Datum::Map(BTreeMap::new())),
    }
}

model! {
    /// What is logged, and how much is kept.
    pub(crate) struct AuditModel {
        /// A policy in YAML. When left out: who did what to which object, without what was in it.
        policy: Value<String> = optional().check(text("YAML with `apiVersion: audit.k8s.io/v1` and `kind: Policy`", |it| it.parse::<AuditPolicy>().is_ok())),
        /// Days that a file is kept.
        max_age: Value<i64> = optional().default(30).check(between(1, 100_000)),
        /// Files that are kept.
        max_backups: Value<i64> = optional().default(10).check(between(1, 100_000)),
        /// Size of a file, in MB.
        max_size: Value<i64> = optional().default(100).check(between(1, 1_000_000)),
    }
}

fn texts(words: &[&str]) -> Datum {
    Datum::List(words.iter().map(|it| Datum::from(*it)).collect())
}

fn paths(words: &[&str]) -> Datum {
    Datum::Set(Set(words.iter().map(|it| Datum::from(*it)).collect()))
}

/// The nodes, as far as they are known.
pub(super) fn nodes(model: &ControlPlaneModel) -> impl Iterator<Item = (&String, &NodeModel)> {
    model.nodes.known().into_iter().flatten()
}

/// Everything computed that follows from what is configured and from what is known of the control plane.
pub(super) fn complete(model: &mut ControlPlaneModel) {
    if model.nodes.is_unknown() {
        (model.api_servers, model.access) = (Value::Unknown, Value::Unknown);
        return;
    }
    let port = model.port.clone();
    let server = |node: &NodeModel| match (written_address(&node.host, &node.address), &port) {
        (Value::Known(address), Value::Known(port)) => {
            let ip = crate::resources::checks::ip(&address);
            let at = ip.map(|it| SocketAddr::new(it, *port).to_string());
            Value::Known(at.unwrap_or_else(|| format!("{address}:{port}")))
        }
        _ => Value::Unknown,
    };
    let host = |it: &NodeModel| ControlPlaneAccessHostModel {
        host: it.host.known().map_or(Value::Unknown, |it| Value::Known(it.clone())),
        address: written_address(&it.host, &it.address),
    };
    let servers = nodes(model).map(|(key, it)| (key.clone(), server(it)));
    let hosts: BTreeMap<_, _> = nodes(model).map(|(key, it)| (key.clone(), host(it))).collect();
    model.api_servers = Value::Known(servers.collect());
    model.access = Value::Known(ControlPlaneAccessModel {
        id: model.id.clone(),
        name: model.name.clone(),
        endpoint: model.endpoint.clone(),
        ca_certificate: model.ca_certificate.clone(),
        hosts: Value::Known(hosts),
        port: model.port.clone(),
    });
}

/// The second, with what is only recorded as in the first.
pub(super) fn with_recorded(from: &ControlPlaneModel, of: ControlPlaneModel) -> ControlPlaneModel {
    let mut of = ControlPlaneModel {
        recover_from: from.recover_from.clone(),
        lost_hosts: from.lost_hosts.clone(),
        deletion_protection: from.deletion_protection.clone(),
        on_destroy: from.on_destroy.clone(),
        timeouts: from.timeouts.clone(),
        ..of
    };
    // How hosts of etcd are reached matters when something is done there.
    if let (Value::Known(now), Value::Known(etcd)) = (&from.etcd, &mut of.etcd) {
        etcd.hosts = now.hosts.clone();
    }
    of
}

/// Whether the second differs at most in what is only recorded.
pub(super) fn is_only_recorded(one: &ControlPlaneModel, other: &ControlPlaneModel) -> bool {
    with_recorded(one, other.clone()) == *one
}

/// Whether the second differs at most in what is only recorded and in how hosts are reached: their machines and the
/// addresses that the control plane uses are meant to be the same. Drift is no edit.
pub(super) fn is_only_way(one: &ControlPlaneModel, other: &ControlPlaneModel) -> bool {
    let before: BTreeMap<_, _> = nodes(one).collect();
    let mut moved = other.clone();
    for (key, node) in moved.nodes.known_mut().into_iter().flatten() {
        let now = (&node.host, &node.address);
        let is_same = |it: &&&NodeModel| is_one_machine((&it.host, &it.address), now);
        let Some(was) = before.get(key).filter(is_same) else { return false };
        *node = (*was).clone();
    }
    complete(&mut moved);
    let mut one = ControlPlaneModel { drift: moved.drift.clone(), ..one.clone() };
    complete(&mut one);
    is_only_recorded(&one, &moved)
}

/// The name, which has passed its check in `hosts`.
pub(super) fn name(key: &str) -> Option<Name> {
    key.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::tfplugin::model::configured;

    fn model(host: &Json, address: &Json, more: &Json) -> ControlPlaneModel {
        let etcd = json!({
            "id": "7", "name": "prod", "endpoints": ["https://192.0.2.9:2379"], "generation": 0,
            "ca_certificate": "-----BEGIN CERTIFICATE-----\n",
            "hosts": {"x": {"host": {"address": "e"}, "address": "192.0.2.9"}},
        });
        let nodes = json!({"a": {"host": host, "address": address}});
        let mut all = json!({
            "name": "prod", "version": "1.34.4", "endpoint": "a:1", "etcd": etcd, "nodes": nodes,
        });
        for (key, value) in more.as_object().unwrap() {
            all[key] = value.clone();
        }
        let mut model: ControlPlaneModel = configured(&all).unwrap();
        (model.id, model.ca_certificate) = ("1".into(), "PEM".into());
        complete(&mut model);
        model
    }

    #[test]
    fn a_way_to_a_host_is_more_than_a_record_and_less_than_another_machine() {
        let before = model(&json!({"address": "h"}), &json!("192.0.2.1"), &json!({}));
        let check = |host: Json, address: Json, more: Json, expected: bool| {
            let now = model(&host, &address, &more);
            assert_eq!(is_only_way(&now, &before), expected, "{host} {address} {more}");
        };
        let at = || json!("192.0.2.1");
        check(json!({"address": "h"}), at(), json!({}), true);
        check(json!({"address": "i", "port": 1}), at(), json!({"lost_hosts": ["a"]}), true);
        check(json!({"address": "192.0.2.1"}), json!(null), json!({}), true);
        check(json!({"address": "i"}), json!("192.0.2.2"), json!({}), false);
        check(json!({"address": "i"}), at(), json!({"audit_log": false}), false);
        let local = json!({"address": "127.0.0.2", "transport": "local", "root": "/a"});
        check(local, at(), json!({}), false);
    }

    #[test]
    fn how_hosts_of_etcd_are_reached_is_only_recorded() {
        let (host, address) = (json!({"address": "h"}), json!("192.0.2.1"));
        let before = model(&host, &address, &json!({}));
        let mut now = before.clone();
        let etcd = now.etcd.known_mut().unwrap();
        let way = HostModel { address: "f".into(), ..HostModel::default() };
        etcd.hosts.known_mut().unwrap().get_mut("x").unwrap().host = Value::Known(way);
        assert!(now != before && is_only_recorded(&now, &before));
        now.etcd.known_mut().unwrap().generation = Value::Known(1);
        assert!(!is_only_recorded(&now, &before));
    }
}
