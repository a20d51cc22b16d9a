//! Plans as an engine makes them, from a configuration and a state, in tables. No host is asked.
#![allow(clippy::needless_pass_by_value, reason = "the rows of a table are values")]

use serde_json::{Value as Json, json};

use super::*;
use crate::resources::planned::{self, edited, planned};
use crate::tfplugin::value::Datum;

fn cluster(names: &str, id: &str) -> Json {
    let names: Vec<_> = names.split_whitespace().collect();
    let address = |name: &str| format!("192.0.2.{}", name.as_bytes()[0] - b'a' + 1);
    let host = |name: &&str| {
        let at = address(name);
        ((*name).to_owned(), json!({"host": {"address": at}, "address": at}))
    };
    json!({
        "id": id, "name": "prod", "generation": 0,
        "ca_certificate": "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n",
        "endpoints": names.iter().map(|it| format!("https://{}:2379", address(it))).collect::<Vec<_>>(),
        "hosts": names.iter().map(host).collect::<serde_json::Map<_, _>>(),
    })
}

/// A backup of three, with these attributes instead.
fn backup(edit: &Json) -> Json {
    let it = json!({
        "name": "nightly", "cluster": cluster("a b c", "7"), "schedule": "0 2 * * *",
        "directory": "/srv/etcd", "retention": {"last": 7},
    });
    edited(it, edit)
}

fn applied(edit: &Json, drift: &[&str]) -> (EtcdBackupModel, Datum) {
    planned::applied(&backup(edit), |model: &mut EtcdBackupModel| {
        model.id = "1".into();
        model.drift = Value::Known(drift.iter().map(|it| (*it).to_owned()).collect());
    })
}

/// What a plan says: errors and warnings with their paths, and steps.
async fn told(prior: Option<(Json, &[&str])>, edit: Json) -> Vec<String> {
    let prior = prior.map(|(edit, drift)| applied(&edit, drift));
    let (found, change) = planned(&EtcdBackup, &backup(&edit), prior, Kept::default()).await;
    shown(&found).into_iter().chain(change.into_iter().flat_map(|it| it.steps)).collect()
}

fn shown(diags: &Diagnostics) -> Vec<String> {
    diags.iter().map(|it| format!("{}: {}", it.path(), it.summary())).collect()
}

#[tokio::test]
async fn a_plan_says_what_an_apply_will_do() {
    let check = async |prior: Option<(Json, &[&str])>, edit: Json, expected: &[&str]| {
        assert_eq!(told(prior, edit.clone()).await, expected, "{edit}");
    };
    let mortal = "directory: The snapshots are where the data is";
    check(
        None,
        json!({}),
        &[
            mortal,
            "claim a, b, c",
            "write the schedule of backups on a, b, c",
            "take a snapshot on a",
            "start backups on a, b, c",
            "record on a, b, c what was applied",
        ],
    )
    .await;
    let same = || Some((json!({}), &[][..]));
    check(same(), json!({}), &[]).await;
    let online = [
        "write the schedule of backups on a, b, c",
        "start backups on a, b, c",
        "record on a, b, c what was applied",
    ];
    check(same(), json!({"schedule": "0 3 * * *"}), &online).await;
    check(same(), json!({"retention": {"daily": 3}}), &online).await;
    let takes = |then: &[&'static str]| -> Vec<&'static str> {
        [&online[..1], &["take a snapshot on a"], &online[1..]]
            .concat()
            .into_iter()
            .chain(then.iter().copied())
            .collect()
    };
    check(same(), json!({"triggers": {"now": "1"}}), &takes(&[])).await;
    check(
        Some((json!({}), &["the newest verified snapshot misses a slot"])),
        json!({}),
        &takes(&[])[..3],
    )
    .await;
    check(
        Some((json!({}), &["b: etcd-backup-prod_nightly.service does not run"])),
        json!({}),
        &online[..2],
    )
    .await;
    let moved = |place: &str, it: Json| {
        let mut cluster = cluster("a b c", "7");
        *cluster.pointer_mut(place).unwrap() = it;
        json!({"cluster": cluster})
    };
    check(same(), moved("/generation", json!(1)), &takes(&[])).await;
    let host = json!({"address": "192.0.2.2", "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP9rMlDHw9+CRoOBB0b/kZqVTHVXJTdBzHMO8zmcHcFG"});
    check(same(), moved("/hosts/b/host", host), &takes(&[])).await;
    check(
        same(),
        json!({"cluster": cluster("a c d", "7")}),
        &[
            "claim d",
            "write the schedule of backups on a, c, d",
            "take a snapshot on a",
            "start backups on a, c, d",
            "end backups on b, whose snapshots stay",
            "record on a, c, d what was applied",
        ],
    )
    .await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_path() {
    let check = async |edit: Json, expected: &str| {
        assert_eq!(told(None, edit.clone()).await, [expected], "{edit}");
    };
    check(json!({"schedule": "0 25 * * *"}), "schedule: No snapshot would ever be taken").await;
    check(json!({"time_zone": "Mars/Base"}), "time_zone: No snapshot would ever be taken").await;
    check(json!({"retention": {}}), "retention: No snapshot is wished to stay").await;
    check(json!({"retention": {"last": 0}}), "retention: No snapshot is wished to stay").await;
    check(json!({"directory": null}), ": Snapshots have nowhere to go").await;
    check(json!({"store": "x"}), "directory: Snapshots have two places to go").await;
    let store = json!({"store": "x", "directory": null});
    check(store, "store: `store` names what the provider does not have").await;
    let other = told(Some((json!({}), &[])), json!({"cluster": cluster("a b c", "8")})).await;
    assert_eq!(other, ["cluster.id: A backup stays with its cluster"]);
    // What is not known yet is not judged.
    let unknown = json!({"schedule": "?", "directory": "?", "cluster": "?"});
    assert_eq!(told(None, unknown).await, [""; 0]);
}
