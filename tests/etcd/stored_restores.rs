//! Data that comes back out of an object store, and what a store may hold that is not restored.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Pid;
use serde_json::Value;

use crate::backups::ABC;
use crate::gateway::{ACCESS, files};
use crate::local::{Local, for_each_engine_with_etcd};
use crate::restores::{get, restore, wipe};
use crate::stores::{Backed, YEARLY};

for_each_engine_with_etcd![; once what_all_hosts_have_lost_comes_out_of_a_store,];

const STORE: &str = "store = \"s\"";
/// Below it lies what was not proven.
const UNPROVEN: &str = "var/lib/ha/etcd-prod/unproven";

/// The cluster with these arguments, and `number` of snapshots that were asked for.
fn wish(it: &Backed, cluster: &str, number: u32) {
    let more = format!("retention = {{ last = 5 }}\n  triggers = {{ it = \"{number}\" }}");
    it.wish_of(cluster, YEARLY, &more);
}

fn members(on: &Local) -> [Vec<Pid>; 3] {
    ABC.map(|it| on.processes(it, "etcd"))
}

fn edited(text: &[u8], attribute: &str, value: &Value) -> Vec<u8> {
    let mut manifest: Value = serde_json::from_slice(text).unwrap();
    manifest[attribute] = value.clone();
    manifest.to_string().into_bytes()
}

/// What it holds, by the names of its objects.
fn content(it: &Backed) -> Vec<(PathBuf, Vec<u8>)> {
    let all = it.store.objects().into_iter();
    all.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn what_all_hosts_have_lost_comes_out_of_a_store(on: &Local) {
    let Some(it) = Backed::new(on) else { return };
    wish(&it, "", 0);
    it.apply();
    on.etcdctl("a", &["put", "fruit", "apple"]);
    wish(&it, "", 1);
    it.apply();
    on.etcdctl("a", &["put", "later", "pear"]);
    what_does_not_fit_is_refused(&it, on);

    for node in ABC {
        wipe(on, node);
    }
    wish(&it, &restore(1, STORE), 1);
    it.plan().says("prove the newest verified snapshot in the store s");
    it.apply();
    it.changes_nothing();
    for node in ABC {
        assert_eq!(get(on, node, "fruit"), "apple", "{node}");
        assert_eq!(get(on, node, "later"), "", "{node}");
        assert!(!on.root(node).join(UNPROVEN).exists(), "{node}");
    }
    it.keeps_its_secrets();
    a_lost_state_repeats_nothing(&it, on);

    // Hosts and state are lost: a new cluster begins with what the old one has left in the store.
    for node in ABC {
        wipe(on, node);
    }
    fs::remove_file(on.path("terraform.tfstate")).unwrap();
    let (manifest, _) = it.stored().remove(1);
    let name = manifest["name"].as_str().unwrap();
    wish(&it, &restore(2, &format!("{STORE}, snapshot = \"{name}\"")), 1);
    it.plan().says(&format!("prove the snapshot {name} in the store s"));
    it.apply();
    it.changes_nothing();
    assert_eq!((get(on, "b", "fruit"), get(on, "c", "more")), ("apple".to_owned(), String::new()));
    it.run(&["destroy", "-auto-approve"]).succeeds();
}

/// Each is told before any member notices, and nothing of it stays.
fn what_does_not_fit_is_refused(it: &Backed, on: &Local) {
    let wanted = |snapshot: &str| {
        let more = format!("{STORE}, snapshot = \"{snapshot}\", discard_current_data = true");
        wish(it, &restore(1, &more), 1);
    };
    let before = (members(on), content(it));
    let is_as_before = || {
        assert_eq!(members(on), before.0);
        assert_eq!(get(on, "b", "later"), "pear");
        for node in ABC {
            assert!(!on.root(node).join(UNPROVEN).exists(), "{node}");
        }
    };
    let all = it.stored();
    let [(older, _), (newer, data)] = &all[..] else { panic!("{all:?}") };
    let name = newer["name"].as_str().unwrap();
    wanted(name);
    it.run_as(ACCESS, "hunter2-of-nobody", &["apply", "-auto-approve"])
        .fails()
        .says("status 403 Forbidden, SignatureDoesNotMatch")
        .never_says("hunter2-of-nobody");
    is_as_before();
    wanted("prod.x.20200101T000000Z");
    it.apply_fails().says("it has no verified snapshot prod.x.20200101T000000Z");
    is_as_before();
    it.store.kill();
    wanted(name);
    it.apply_fails().says("the store s");
    it.store.start();
    is_as_before();

    let beside = |manifest: &Value| {
        data.with_file_name(format!("{}.json", manifest["name"].as_str().unwrap()))
    };
    let (own, other) = (beside(newer), fs::read(beside(older)).unwrap());
    let text = fs::read(&own).unwrap();
    let refused = |path: &Path, changed: Option<&[u8]>, words: &str| {
        let whole = fs::read(path).unwrap();
        match changed {
            Some(changed) => fs::write(path, changed).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        it.apply_fails().says(words);
        fs::write(path, whole).unwrap();
        is_as_before();
    };
    refused(&own, None, &format!("{name} does not count: it has no manifest"));
    let swapped = format!("it is the manifest of {}", older["name"]);
    refused(&own, Some(&other), &swapped);
    // Made to fit by its name alone.
    refused(&own, Some(&edited(&other, "name", &newer["name"])), "its data is gone");
    let words = "is of another cluster (prod, another)";
    refused(&own, Some(&edited(&text, "cluster_resource", &"another".into())), words);
    let words = "its data is not what its manifest describes";
    refused(&own, Some(&edited(&text, "revision", &1.into())), words);
    let mut damaged = fs::read(data).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    refused(data, Some(&damaged), &format!("{name} is damaged: its digest is another"));
    assert_eq!(content(it), before.1);
}

/// `restore` still stands in the configuration. The number is on the hosts.
fn a_lost_state_repeats_nothing(it: &Backed, on: &Local) {
    on.etcdctl("a", &["put", "more", "plum"]);
    let before = members(on);
    fs::remove_file(on.path("terraform.tfstate")).unwrap();
    it.apply_fails().says("bring it back by");
    assert_eq!(members(on), before);
    let root = on.root("b").display().to_string();
    it.run(&["import", "ha_etcd_cluster.this", &format!("prod@local:{root}")]).succeeds();
    it.run(&["import", "ha_etcd_backup.this", &format!("prod/x@local:{root}")]).succeeds();
    it.apply();
    it.changes_nothing();
    assert_eq!(members(on), before);
    assert_eq!(get(on, "c", "more"), "plum");
    let hosts = files(&on.path("hosts"));
    let aside = hosts.iter().filter(|it| it.to_string_lossy().contains(".aside-before-"));
    assert_eq!(aside.count(), 0, "nothing was there to be kept at the restore");
}
