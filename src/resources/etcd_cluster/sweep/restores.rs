//! Restores, one after the other.

use serde_json::{Value as Json, json};

use super::{HOSTS, Machines, Story, story, wish};
use crate::domain::backup::{Compression, Manifest};

const UNIT: &str = "etcd-prod.service";

fn restore(more: Json) -> Json {
    let mut usual = json!({"generation": 1, "directory": "/srv/etcd"});
    if let (Some(usual), Json::Object(more)) = (usual.as_object_mut(), more) {
        usual.extend(more);
    }
    json!({ "restore": usual })
}

/// On the second host lies a snapshot of the cluster, as its record calls it, and an older one.
fn keep_snapshots(machines: &Machines) {
    keep_snapshots_in(machines, &[1], "/srv/etcd");
}

fn keep_snapshots_in(machines: &Machines, hosts: &[usize], folder: &str) {
    let all = machines.host(HOSTS[0]).contents();
    let record = all.iter().find_map(|it| it.strip_prefix("etcd_cluster-prod "));
    let id = record.and_then(|it| it.split("\\\"id\\\": \\\"").nth(1)?.split('\\').next());
    for (number, revision) in [(1, 5), (2, 7)] {
        let manifest = Manifest {
            name: format!("prod.n.{number}"),
            cluster: "prod".to_owned(),
            cluster_resource: id.unwrap_or_default().to_owned(),
            etcd_version: "3.6.14".to_owned(),
            compression: Compression::None,
            taken: number,
            revision,
            ..Manifest::empty()
        };
        let data = format!("the data of snapshot {number}");
        let text = manifest.print().unwrap();
        for host in hosts.iter().map(|it| machines.host(HOSTS[*it])) {
            host.edit(&format!("{folder}/{}", manifest.file()), data.as_bytes());
            host.edit(&format!("{folder}/{}.json", manifest.name), text.as_bytes());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_snapshot_takes_the_place_of_what_is_there() {
    let last = wish("a1 b2 c3", restore(json!({"discard_current_data": true})));
    let before = wish("a1 b2 c3", json!({}));
    Story { event: keep_snapshots, ..story(&[before], last) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn two_of_three_that_were_rebuilt_come_back_with_a_snapshot() {
    let event = |it: &Machines| {
        keep_snapshots(it);
        for at in [0, 2] {
            it.host(HOSTS[at]).rebuild(&format!("new {at}"));
        }
    };
    let mut last = wish("a1 b2 c3", restore(json!({})));
    for (key, at) in [("a", 0), ("c", 2)] {
        let machine = crate::host::fake::FakeHost::new(&format!("new {at}"));
        last["members"][key]["host"]["host_key"] = machine.host_key().into();
    }
    let before = wish("a1 b2 c3", json!({"wal_dir": "/var/lib/etcd-log/prod"}));
    last["wal_dir"] = before["wal_dir"].clone();
    Story { event, ..story(&[before], last) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn the_member_that_is_left_gives_its_data_to_all() {
    let event = |it: &Machines| {
        for at in [0, 2] {
            it.host(HOSTS[at]).rebuild(&format!("new {at}"));
        }
        it.host(HOSTS[1]).crash(UNIT);
    };
    let mut last = wish("a1 b2 c3", json!({"restore": {"generation": 1, "from": "survivor"}}));
    for (key, at) in [("a", 0), ("c", 2)] {
        let machine = crate::host::fake::FakeHost::new(&format!("new {at}"));
        last["members"][key]["host"]["host_key"] = machine.host_key().into();
    }
    Story { event, ..story(&[wish("a1 b2 c3", json!({}))], last) }.sweep().await;
}

/// All of them look into the same store.
#[tokio::test(start_paused = true)]
async fn a_store_gives_back_what_all_hosts_have_lost() {
    let event = |it: &Machines| {
        keep_snapshots_in(it, &[0, 1, 2], "/store");
        for at in &HOSTS[..3] {
            let host = it.host(at);
            host.crash(UNIT);
            host.wipe("/var/lib/etcd/prod");
        }
    };
    let last = wish("a1 b2 c3", restore(json!({"directory": null, "store": "s"})));
    Story { event, ..story(&[wish("a1 b2 c3", json!({}))], last) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn new_hosts_begin_with_a_snapshot() {
    let last = wish("a1 b2 c3", restore(json!({"snapshot": "prod.n.1"})));
    Story { event: keep_snapshots, ..story(&[], last) }.sweep().await;
}

/// Other machines altogether; those of before are left, with the snapshot.
#[tokio::test(start_paused = true)]
async fn a_cluster_moves_with_a_snapshot() {
    let last = wish("d4 e5 f6", restore(json!({"discard_current_data": true})));
    let before = wish("a1 b2 c3", json!({}));
    Story { event: keep_snapshots, ..story(&[before], last) }.sweep().await;
}

/// Makes a manifest on the second host that of another cluster.
fn another(machines: &Machines, path: &str) {
    let host = machines.host(HOSTS[1]);
    let mut manifest: Json = serde_json::from_slice(&host.file(path).unwrap()).unwrap();
    manifest["cluster_resource"] = "another".into();
    host.edit(path, manifest.to_string().as_bytes());
}

async fn refused(event: fn(&Machines), last: Json, words: &str) {
    let machines = Machines::new(&HOSTS);
    let mut terraform = super::new_engine();
    terraform.apply(&machines, Some(&wish("a1 b2 c3", json!({})))).await.unwrap();
    event(&machines);
    let before = machines.clusters();
    let done = terraform.apply(&machines, Some(&last)).await;
    let why = done.unwrap_err();
    assert!(why.contains(words), "{why}");
    assert_eq!(machines.clusters(), before);
    assert_eq!(machines.breaches(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_must_not_be_restored_leaves_the_cluster_as_it_is() {
    let given_up = |more: Json| {
        let mut all = json!({"discard_current_data": true});
        if let (Some(all), Json::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
        }
        wish("a1 b2 c3", restore(all))
    };
    let nothing = |_: &Machines| ();
    refused(nothing, given_up(json!({})), "no host that answers has a verified snapshot").await;
    let quorum = wish("a1 b2 c3", restore(json!({})));
    refused(keep_snapshots, quorum, "the cluster has a quorum").await;
    let other = |it: &Machines| {
        keep_snapshots(it);
        another(it, "/srv/etcd/prod.n.2.json");
    };
    let named = given_up(json!({"snapshot": "prod.n.2"}));
    refused(other, named, "prod.n.2 is of another cluster (prod, another)").await;
    let stored = || given_up(json!({"directory": null, "store": "s"}));
    let why = "the store s: it has no verified snapshot of the cluster prod";
    refused(nothing, stored(), why).await;
    // Where the cluster has only a name yet, another of the same name could be meant.
    let two = |it: &Machines| {
        keep_snapshots(it);
        another(it, "/srv/etcd/prod.n.1.json");
    };
    let machines = Machines::new(&HOSTS);
    two(&machines);
    let new = wish("a1 b2 c3", restore(json!({})));
    let why = super::new_engine().apply(&machines, Some(&new)).await.unwrap_err();
    assert!(why.contains("are of two clusters that are both called prod"), "{why}");
    assert!(machines.clusters().is_empty());
    let minor = |it: &Machines| {
        keep_snapshots(it);
        let path = "/srv/etcd/prod.n.2.json";
        let text = String::from_utf8(it.host(HOSTS[1]).file(path).unwrap()).unwrap();
        it.host(HOSTS[1]).edit(path, text.replace("3.6.14", "3.5.33").as_bytes());
    };
    refused(minor, given_up(json!({})), "prod.n.2 is of etcd 3.5.33").await;
    let silent = |it: &Machines| {
        keep_snapshots(it);
        it.host(HOSTS[2]).set_silent(true);
    };
    refused(silent, given_up(json!({})), "c cannot be reached, and every member is restored").await;
}

/// Half of the hosts have switched: nothing but the same restore goes on.
#[tokio::test(start_paused = true)]
async fn a_restore_is_not_left_half_done() {
    let machines = Machines::new(&HOSTS);
    let mut terraform = super::new_engine();
    let before = wish("a1 b2 c3", json!({}));
    terraform.apply(&machines, Some(&before)).await.unwrap();
    keep_snapshots(&machines);
    machines.keep_moments();
    let last = wish("a1 b2 c3", restore(json!({"discard_current_data": true})));
    let mut engine = terraform.clone();
    engine.apply(&machines, Some(&last)).await.unwrap();
    let is_switch = |it: &String| it.contains("put what was prepared");
    let moments = machines.moments();
    let second = moments.iter().filter(|it| is_switch(&it.next)).nth(1).unwrap();
    let machines = second.resume();
    let why = terraform
        .apply(&machines, Some(&wish("a1 b2 c3", json!({"election_timeout": "2s"}))))
        .await;
    let why = why.unwrap_err();
    assert!(why.contains("a restore of generation 1 was begun and is not at its end"), "{why}");
    terraform.apply(&machines, Some(&last)).await.unwrap();
    assert!(terraform.is_content(&machines, Some(&last)).await);
    assert_eq!(machines.breaches(), [""; 0]);
}

/// The number is kept on the hosts.
#[tokio::test(start_paused = true)]
async fn a_state_that_was_lost_repeats_no_restore() {
    let machines = Machines::new(&HOSTS);
    let mut terraform = super::new_engine();
    terraform.apply(&machines, Some(&wish("a1 b2 c3", json!({})))).await.unwrap();
    keep_snapshots(&machines);
    let old = terraform.clone();
    let last = wish("a1 b2 c3", restore(json!({"discard_current_data": true})));
    terraform.apply(&machines, Some(&last)).await.unwrap();
    let restored = machines.clusters();
    let mut without = terraform.anew();
    without.goes_on(&machines, Some(&last), ("ha_etcd_cluster", "prod@192.0.2.1")).await.unwrap();
    assert_eq!(machines.clusters(), restored);
    // Nor does one that is older than the restore.
    let mut old = old;
    old.apply(&machines, Some(&last)).await.unwrap();
    assert_eq!(machines.clusters(), restored);
    assert!(old.is_content(&machines, Some(&last)).await);
    // Once more, on purpose.
    let again = restore(json!({"generation": 2, "discard_current_data": true}));
    old.apply(&machines, Some(&wish("a1 b2 c3", again))).await.unwrap();
    assert_ne!(machines.clusters(), restored);
}
