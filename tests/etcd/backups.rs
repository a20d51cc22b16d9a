//! Backups that hosts take by themselves: from the first snapshot to the last.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::local::{Local, NODES, VERSION, for_each_engine_with_etcd};

for_each_engine_with_etcd![
    snapshots_are_taken_checked_and_forgotten;
    once one_host_takes_each_slot_and_another_when_it_is_down,
];

pub(crate) const ABC: [&str; 3] = ["a", "b", "c"];
/// Two slots of every minute, and what they wait for each other.
const LONG: Duration = Duration::from_secs(200);

/// A cluster of three and its backup; `more` are arguments of the backup.
fn wish(on: &Local, schedule: &str, more: &str) {
    let member = |it: &&str| on.element(it, on.address(it));
    let members: String = ABC.iter().map(member).collect();
    on.config(&format!(
        "resource \"ha_etcd_cluster\" \"this\" {{\n  name = \"prod\"\n  version = \"{VERSION}\"\n  \
         deletion_protection = false\n  on_destroy = \"purge\"\n  members = {{\n{members}  }}\n}}\n\
         resource \"ha_etcd_backup\" \"this\" {{\n  name = \"x\"\n  cluster = ha_etcd_cluster.this.access\n  \
         schedule = \"{schedule}\"\n  directory = \"/srv/etcd\"\n  {more}\n}}\n\
         data \"ha_etcd_snapshots\" \"x\" {{\n  cluster = ha_etcd_cluster.this.access\n  directory = \"/srv/etcd\"\n  \
         name = \"x\"\n  depends_on = [ha_etcd_backup.this]\n}}\n\
         output \"newest\" {{\n  value = data.ha_etcd_snapshots.x.newest_verified\n}}\n"
    ));
}

/// Manifests of all hosts, the oldest first, each with the data beside it.
fn manifests(on: &Local) -> Vec<(Value, PathBuf)> {
    let mut found = Vec::new();
    for node in NODES {
        let Ok(folder) = fs::read_dir(on.root(node).join("srv/etcd")) else { continue };
        for path in folder.map(|it| it.unwrap().path()) {
            if path.extension().is_some_and(|it| it == "json") {
                let manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                found.push((manifest, path.with_extension("db.zst")));
            }
        }
    }
    found.sort_by_key(|it| it.0["taken"].as_i64());
    found
}

fn snapshots_are_taken_checked_and_forgotten(on: &Local) {
    // Once a year: only what is asked for is taken.
    let yearly = "0 0 1 1 *";
    wish(on, yearly, "retention = { last = 3 }");
    on.apply().says("The snapshots are where the data is");
    on.plan_is_empty();
    let all = manifests(on);
    let [(manifest, data)] = &all[..] else { panic!("{all:?}") };
    let bytes = fs::read(data).unwrap();
    let digest = Sha256::digest(&bytes);
    let hex = digest.iter().fold(String::new(), |text, it| format!("{text}{it:02x}"));
    assert_eq!(manifest["sha256"], hex);
    assert_eq!(manifest["size"], bytes.len());
    assert_eq!(manifest["etcd_version"], VERSION);
    assert_eq!(manifest["slot"], Value::Null);
    let state = fs::read_to_string(on.path("terraform.tfstate")).unwrap();
    assert!(state.contains(manifest["name"].as_str().unwrap()), "{state}");

    // Asked for, and what is more than is wished goes.
    for it in 0..3 {
        on.etcdctl("a", &["put", "fruit", &it.to_string()]);
        wish(on, yearly, &format!("retention = {{ last = 3 }}\n  triggers = {{ it = \"{it}\" }}"));
        on.plan().says("take a snapshot on a");
        on.apply();
    }
    assert_eq!(manifests(on).len(), 3);

    // By the words of etcd it is what the manifest says.
    let (manifest, data) = manifests(on).pop().unwrap();
    let whole = on.path("whole.db");
    let unpacked = zstd_of(&fs::read(data).unwrap());
    assert_eq!(manifest["database_size"], unpacked.len());
    fs::write(&whole, unpacked).unwrap();
    let status = Command::new(on.programs.join("etcdutl"))
        .args(["snapshot", "status", "--write-out=json"])
        .arg(&whole)
        .output()
        .unwrap();
    let told: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(told["revision"], manifest["revision"]);

    // A service that does not run, one that was edited, and a snapshot that does not count are told and mended.
    for pid in on.processes("b", "ha-agent") {
        if is_backup(pid.as_raw_nonzero().get()) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    let unit = on.root("c").join("etc/systemd/system/etcd-backup-prod_x.service");
    let text = fs::read_to_string(&unit).unwrap();
    fs::write(&unit, text + "# mine\n").unwrap();
    let damaged = manifests(on).remove(0).1;
    fs::write(&damaged, "short").unwrap();
    on.plan()
        .says("c: /etc/systemd/system/etcd-backup-prod_x.service was edited")
        .says("does not count: it has 5 bytes instead of");
    on.apply();
    on.plan_is_empty();
    assert!(!damaged.exists());
    assert_eq!(manifests(on).len(), 3);

    // The state is lost and comes back.
    let id = on.stored_of("ha_etcd_backup", "this").unwrap()["attributes"]["id"].clone();
    let mut state = on.state();
    let is_other = |it: &Value| it["type"] != "ha_etcd_backup";
    state["resources"].as_array_mut().unwrap().retain(is_other);
    fs::write(on.path("terraform.tfstate"), state.to_string()).unwrap();
    on.apply_fails().says("bring it back by");
    let key = format!("prod/x@local:{}", on.root("b").display());
    on.run(&["import", "ha_etcd_backup.this", &key]).succeeds();
    on.plan_is_empty();
    assert_eq!(on.stored_of("ha_etcd_backup", "this").unwrap()["attributes"]["id"], id);

    on.destroy();
    assert_eq!(manifests(on).len(), 3);
    for node in ABC {
        assert!(on.processes(node, "ha-agent").is_empty(), "{node}");
        assert!(!on.root(node).join("etc/etcd-backup/prod_x.json").exists(), "{node}");
    }
}

fn one_host_takes_each_slot_and_another_when_it_is_down(on: &Local) {
    wish(on, "* * * * *", "retention = { last = 9 }\n  on_destroy = \"purge\"");
    on.apply();
    let scheduled = || -> Vec<(i64, String)> {
        let all = manifests(on).into_iter();
        let slot = all.filter_map(|(it, _)| {
            Some((it["slot"].as_i64()?, it["member"].as_str().unwrap().to_owned()))
        });
        slot.collect()
    };
    let first = wait_for("the first slot", || scheduled().pop());
    // Before the others are told, somebody who dies has taken it for nothing, and another takes it too.
    let told = ["get", "", "--from-key", "--limit=1", "--print-value-only"];
    wait_for("what the others are told", || {
        (on.etcdctl(&first.1, &told) == first.0.to_string()).then_some(())
    });
    // Who leads is gone, with all that it runs.
    let root = format!("{}/", on.root(&first.1).display());
    for (pid, _) in crate::local_hosts::processes_of(&root) {
        let _ = kill_process(pid, Signal::KILL);
    }
    let next = wait_for("another host", || scheduled().into_iter().find(|it| it.1 != first.1));
    assert!(next.0 <= first.0 + 120, "{next:?} {first:?}");
    let slots: Vec<_> = scheduled().into_iter().map(|it| it.0).collect();
    let mut once = slots.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), slots.len(), "{slots:?}");
    on.plan().says(&format!("{}: etcd-backup-prod_x.service does not run", first.1));
    on.apply();
    on.destroy();
    assert!(manifests(on).is_empty());
}

/// Waits for a state with a bound: two slots of every minute, and what hosts wait for each other.
pub(crate) fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let until = Instant::now() + LONG;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "no {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

pub(crate) fn is_backup(pid: i32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|it| {
        let text = String::from_utf8_lossy(&it).into_owned();
        text.contains("\0backup\0") || text.contains("etcd-backup-prod_x.service")
    })
}

fn zstd_of(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::decode_all(bytes).unwrap()
}
