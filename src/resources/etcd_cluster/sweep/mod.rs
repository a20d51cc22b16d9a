//! The operations of a cluster, [swept](Story).

mod restores;
mod stories;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::actions::etcd::fake::Machines;
use crate::resources::etcd_cluster::EtcdCluster;
use crate::resources::trial::{self, Cast, Terraform};
use crate::tfplugin::api::erase_resource;

/// How the provider reaches each host.
const HOSTS: [&str; 6] =
    ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"];

/// Versions of etcd that can be had.
const VERSIONS: [&str; 4] = ["3.5.33", "3.6.14", "3.6.16", "3.7.1"];

type Story = trial::Story<crate::actions::etcd::fake::Programs>;

static CAST: Cast<crate::actions::etcd::fake::Programs> = Cast {
    engine: new_engine,
    machines: || Machines::new(&HOSTS),
    resource: "ha_etcd_cluster",
    id: "prod@192.0.2.1",
    plain,
    beside: clusters,
    // At the end of a cluster there is no quorum to keep.
    may_end_so: |it| it.ends_with("stops"),
    most: 24,
};

fn new_engine() -> Terraform {
    let digest = |version: &&str| {
        (format!("etcd-v{version}-linux-amd64.tar.gz"), Json::from("a".repeat(64)))
    };
    let checksums: serde_json::Map<_, _> = VERSIONS.iter().map(digest).collect();
    let s3 = json!({"bucket": "b", "access_key": "x", "secret_key": "y"});
    let provider =
        json!({"artifacts": {"checksums": checksums}, "object_stores": {"s": {"s3": s3}}});
    Terraform::new(erase_resource(EtcdCluster), provider)
}

/// How many snapshots there are, and who was asked, depends on how often it was begun.
fn plain(line: &str) -> String {
    if line.contains("/snapshots/") { "there is a snapshot".to_owned() } else { line.to_owned() }
}

fn clusters(machines: &Machines) -> Vec<String> {
    let clusters: BTreeMap<_, _> = machines.clusters();
    let in_words = |members: Vec<(u64, String, String)>| {
        let mut members: Vec<_> = members.into_iter().map(|it| it.2).collect();
        members.sort();
        members.join(", ")
    };
    clusters.into_values().map(in_words).collect()
}

fn story(before: &[Json], last: Json) -> Story {
    Story::new(&CAST, before, last)
}

/// A wish for members as in "a1 b2 c3@9": the key, its host, and the last number of its address where that is another.
fn wish(members: &str, more: Json) -> Json {
    let member = |it: &str| {
        let (key, rest) = it.split_at(1);
        let (host, at) = rest.split_once('@').unwrap_or((rest, rest));
        let address = HOSTS[host.parse::<usize>().unwrap() - 1];
        (key.to_owned(), json!({"host": {"address": address}, "address": format!("10.0.0.{at}")}))
    };
    let members: serde_json::Map<_, _> = members.split(' ').map(member).collect();
    let mut wish = json!({
        "name": "prod", "version": "3.6.16", "members": members, "deletion_protection": false,
    });
    if let (Some(wish), Json::Object(more)) = (wish.as_object_mut(), more) {
        wish.extend(more);
    }
    wish
}
