//! What is written about a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::restore::{RestoreModel, grows, shown};
use crate::domain::etcd::{ClusterName, Folder, Name, Version};
use crate::model;
use crate::resources::certificates::CertificatesModel;
use crate::resources::etcd_access::{EtcdAccessHostModel, EtcdAccessModel};
use crate::resources::host::HostModel;
use crate::resources::hosts::{is_one_machine, written_address};
use crate::tfplugin::model::{Timeouts, same_duration};
use crate::tfplugin::value::{Datum, Set, Value};

model! {
    /// An etcd cluster with TLS whose members run as services on hosts that exist already. It is brought up, grown,
    /// shrunk, reconfigured and upgraded one member at a time, and never below its quorum.
    ///
    /// Before a minor upgrade and before a member leaves, a verified snapshot is kept on the host of a member that stays,
    /// in `/var/lib/ha/etcd-<name>/snapshots`; the newest two stay there. It counts once its digest is right, every page that a
    /// restore would read was read, and it is as new as the member was; otherwise nothing goes on.
    ///
    /// A create that stops midway is not recorded; what was done is noted on the hosts, and an apply goes on from
    /// there. The keys of the cluster's authority never leave its hosts.
    pub(crate) struct EtcdClusterModel {
        /// Given at create, and kept on the hosts for life.
        id: Value<String> = computed(),
        /// Part of the cluster's token, its unit `etcd-<name>` and its paths: lower-case letters, digits and `-`.
        name: Value<String> = required().refuses_change().check(text("1 to 40 lower-case letters, digits and `-`, none at the ends", |it| it.parse::<ClusterName>().is_ok())),
        /// Version of etcd, at least 3.5.33, 3.6.14 or 3.7.1. One minor at a time, and never lower.
        version: Value<String> = required().restarts("etcd").check(text("a version such as `3.6.16`", |it| it.parse::<Version>().is_ok())),
        /// Members by a stable name: 1, 3, 5 or 7 at create, and 7 at most.
        members: Value<BTreeMap<String, EtcdMemberModel>> = required().changes("members join and leave in place, one at a time"),
        /// Port for clients.
        client_port: Value<u16> = optional().default(2379).refuses_change(),
        /// Port for members.
        peer_port: Value<u16> = optional().default(2380).refuses_change(),
        /// Port for metrics, plain HTTP on loopback; on a local host on its address.
        metrics_port: Value<u16> = optional().default(2381).refuses_change(),
        /// Directory with the data. `/var/lib/etcd/<name>` when left out.
        data_dir: Value<String> = optional().refuses_change().check(text("an absolute path of letters, digits, `-`, `_`, `.` and `/`", |it| it.parse::<Folder>().is_ok())),
        /// Directory with the log, for a disk of its own. Inside `data_dir` when left out.
        wal_dir: Value<String> = optional().refuses_change().check(text("an absolute path of letters, digits, `-`, `_`, `.` and `/`", |it| it.parse::<Folder>().is_ok())),
        /// Between two heartbeats of the leader.
        heartbeat_interval: Value<Duration> = optional().default("100ms").same_when(same_duration).restarts("etcd"),
        /// Without a heartbeat until another is elected; at least five heartbeats, at most `50s`.
        election_timeout: Value<Duration> = optional().default("1s").same_when(same_duration).restarts("etcd"),
        /// The most that the data may take, in bytes; at most 8 GiB.
        quota_backend_bytes: Value<u64> = optional().default(2_147_483_648_i64).restarts("etcd"),
        /// How much history is kept. `0s`: clients compact, as API servers of Kubernetes do.
        auto_compaction_retention: Value<Duration> = optional().default("0s").same_when(same_duration).restarts("etcd"),
        /// More arguments, each `--flag=value`. What the provider sets itself is refused.
        extra_args: Value<Vec<String>> = optional().default(Datum::List(Vec::new())).restarts("etcd"),
        /// Variables of the process, none of them etcd's own.
        environment: Value<BTreeMap<String, String>> = optional().default(Datum::Map(BTreeMap::new())).restarts("etcd"),
        /// How certificates are made. They are renewed when a third of their time is left.
        certificates: Value<CertificatesModel> = optional().default(Datum::Map(BTreeMap::new())),
        /// Replaces the data by that of a snapshot, on all members. Also at create, on new hosts.
        ///
        /// The snapshot is proven before any member notices. What is restored is made beside the present data, which is kept
        /// beside it afterwards. Members of before cannot come back, and no revision comes twice, so clients that watch list
        /// anew.
        restore: Value<RestoreModel> = optional().changes("a higher `generation` replaces the data; everything else is only recorded"),
        /// Members whose machines are gone for ever: neither a destroy nor a restore waits for them.
        lost_hosts: Value<BTreeSet<String>> = optional().default(Datum::Set(Set(Vec::new()))).records_change(),
        /// Refuses to destroy the cluster.
        deletion_protection: Value<bool> = optional().default(true).records_change(),
        /// What a destroy does with the data: `keep` moves it aside, `purge` deletes it. What a restore has replaced stays in any case.
        on_destroy: Value<String> = optional().default("keep").records_change().check(one_of(&["keep", "purge"])),
        /// Id that etcd gave to the cluster, in hexadecimal digits.
        cluster_id: Value<String> = computed(),
        /// URLs for clients, in the order of the names of the members.
        endpoints: Value<Vec<Value<String>>> = computed(),
        /// Certificate of the cluster's authority, in PEM.
        ca_certificate: Value<String> = computed(),
        /// What an apply would mend, in sentences. Empty: all is as planned.
        drift: Value<Vec<String>> = computed().planned_as(Datum::List(Vec::new())),
        /// What other resources need to use the cluster. It holds no secret.
        access: Value<EtcdAccessModel> = computed(),
        /// How long each operation may take.
        timeouts: Value<Timeouts> = timeouts(1200, 3600, 30, 600),
    }
}

model! {
    /// A member.
    pub(crate) struct EtcdMemberModel {
        /// The machine that it runs on.
        host: Value<HostModel> = required(),
        /// The address that the cluster uses. `host.address` when left out, which must be an IP address then.
        address: Value<String> = optional().changes("the others are told, and the member restarts"),
    }
}

/// The members, as far as they are known.
pub(super) fn members(
    model: &EtcdClusterModel,
) -> impl Iterator<Item = (&String, &EtcdMemberModel)> {
    model.members.known().into_iter().flatten()
}

/// Everything computed that follows from what is configured and from what is known of the cluster.
pub(super) fn complete(model: &mut EtcdClusterModel) {
    if model.members.is_unknown() {
        (model.endpoints, model.access) = (Value::Unknown, Value::Unknown);
        return;
    }
    let port = model.client_port.clone();
    let endpoint =
        |member: &EtcdMemberModel| match (written_address(&member.host, &member.address), &port) {
            (Value::Known(address), Value::Known(port)) => {
                let ip = crate::resources::checks::ip(&address);
                let at = ip.map(|it| std::net::SocketAddr::new(it, *port).to_string());
                Value::Known(format!(
                    "https://{}",
                    at.unwrap_or_else(|| format!("{address}:{port}"))
                ))
            }
            _ => Value::Unknown,
        };
    let endpoints: Vec<_> = members(model).map(|(_, it)| endpoint(it)).collect();
    let host = |it: &EtcdMemberModel| EtcdAccessHostModel {
        host: it.host.known().map_or(Value::Unknown, |it| Value::Known(it.clone())),
        address: written_address(&it.host, &it.address),
    };
    let hosts: BTreeMap<_, _> = members(model).map(|(key, it)| (key.clone(), host(it))).collect();
    let generation = shown(model);
    model.endpoints = Value::Known(endpoints.clone());
    model.access = Value::Known(EtcdAccessModel {
        id: model.id.clone(),
        name: model.name.clone(),
        endpoints: Value::Known(endpoints),
        ca_certificate: model.ca_certificate.clone(),
        hosts: Value::Known(hosts),
        generation,
    });
}

/// Whether etcd would be started with the same arguments, addresses aside.
pub(super) fn has_same_settings(one: &EtcdClusterModel, other: &EtcdClusterModel) -> bool {
    one.heartbeat_interval == other.heartbeat_interval
        && one.election_timeout == other.election_timeout
        && one.quota_backend_bytes == other.quota_backend_bytes
        && one.auto_compaction_retention == other.auto_compaction_retention
        && one.extra_args == other.extra_args
        && one.environment == other.environment
}

/// The second, with what is only recorded as in the first.
pub(super) fn with_recorded(from: &EtcdClusterModel, of: EtcdClusterModel) -> EtcdClusterModel {
    // Of a restore only that it has been made is recorded.
    let restore = if grows(Some(&of), from) == Some(false) { &from.restore } else { &of.restore };
    EtcdClusterModel {
        restore: restore.clone(),
        lost_hosts: from.lost_hosts.clone(),
        deletion_protection: from.deletion_protection.clone(),
        on_destroy: from.on_destroy.clone(),
        timeouts: from.timeouts.clone(),
        ..of
    }
}

/// Whether the second differs at most in what is only recorded.
pub(super) fn is_only_recorded(one: &EtcdClusterModel, other: &EtcdClusterModel) -> bool {
    with_recorded(one, other.clone()) == *one
}

/// Whether the second differs at most in what is only recorded and in how hosts are reached: their machines and the
/// addresses that the cluster uses are meant to be the same. Drift is no edit.
pub(super) fn is_only_way(one: &EtcdClusterModel, other: &EtcdClusterModel) -> bool {
    let before: BTreeMap<_, _> = members(one).collect();
    let mut moved = other.clone();
    for (key, member) in moved.members.known_mut().into_iter().flatten() {
        let now = (&member.host, &member.address);
        let is_same = |it: &&&EtcdMemberModel| is_one_machine((&it.host, &it.address), now);
        let Some(was) = before.get(key).filter(is_same) else { return false };
        *member = (*was).clone();
    }
    complete(&mut moved);
    let mut one = EtcdClusterModel { drift: moved.drift.clone(), ..one.clone() };
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

    fn model(host: &Json, address: &Json, more: &Json) -> EtcdClusterModel {
        let members = json!({"a": {"host": host, "address": address}});
        let mut all = json!({"name": "prod", "version": "3.6.16", "members": members});
        for (key, value) in more.as_object().unwrap() {
            all[key] = value.clone();
        }
        let mut model: EtcdClusterModel = configured(&all).unwrap();
        model.id = "1".into();
        (model.cluster_id, model.ca_certificate) = ("c1".into(), "PEM".into());
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
        check(json!({"address": "i", "port": 1, "user": "u"}), at(), json!({}), true);
        check(
            json!({"address": "i", "connection": "edge"}),
            at(),
            json!({"lost_hosts": ["a"]}),
            true,
        );
        check(json!({"address": "i"}), json!("192.0.2.2"), json!({}), false);
        check(json!({"address": "192.0.2.1"}), json!(null), json!({}), true);
        check(json!({"address": "192.0.2.2"}), json!(null), json!({}), false);
        check(json!({"address": "i"}), at(), json!({"election_timeout": "2s"}), false);
        check(json!({"address": "i"}), at(), json!({"version": "3.7.1"}), false);
        let local = json!({"address": "127.0.0.2", "transport": "local", "root": "/a"});
        check(local, at(), json!({}), false);
        let drift = Value::Known(vec!["a: etcd-prod.service does not run".to_owned()]);
        assert!(is_only_way(&before, &EtcdClusterModel { drift, ..before.clone() }));
        let mut two = before.clone();
        let members = two.members.known_mut().unwrap();
        members.insert("b".to_owned(), members["a"].clone());
        assert!(!is_only_way(&two, &before) && !is_only_way(&before, &two));
    }
}
