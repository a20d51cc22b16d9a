//! Data that comes back: from a snapshot on the hosts, from one on this machine, and from the one member that is left.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::local::{Local, VERSION, for_each_engine_with_etcd};
use crate::processes::{Running, children, until};

for_each_engine_with_etcd![
    what_was_deleted_comes_back;
    once two_of_three_and_then_all_come_back,
];

const ABC: [&str; 3] = ["a", "b", "c"];
const DIRECTORY: &str = "directory = \"/srv/etcd\"";

/// A cluster of three, and its backup; `trigger` takes a snapshot, `more` are arguments of the cluster.
fn wish(on: &Local, trigger: &str, more: &str) {
    let member = |it: &&str| on.element(it, on.address(it));
    let members: String = ABC.iter().map(member).collect();
    on.config(&format!(
        "resource \"ha_etcd_cluster\" \"this\" {{\n  name = \"prod\"\n  version = \"{VERSION}\"\n  \
         deletion_protection = false\n  on_destroy = \"purge\"\n  {more}\n  members = {{\n{members}  }}\n}}\n\
         resource \"ha_etcd_backup\" \"this\" {{\n  name = \"x\"\n  cluster = ha_etcd_cluster.this.access\n  \
         schedule = \"0 0 1 1 *\"\n  retention = {{ last = 5 }}\n  directory = \"/srv/etcd\"\n  \
         triggers = {{ it = \"{trigger}\" }}\n  on_destroy = \"purge\"\n}}\n"
    ));
}

pub(crate) fn restore(generation: u32, more: &str) -> String {
    format!("restore = {{ generation = {generation}, {more} }}")
}

pub(crate) fn get(on: &Local, node: &str, key: &str) -> String {
    on.etcdctl(node, &["get", key, "--print-value-only"])
}

/// The last change that a member knows of.
fn revision(on: &Local, node: &str) -> u64 {
    let told = on.etcdctl(node, &["endpoint", "status", "--write-out=json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    told[0]["Status"]["header"]["revision"].as_u64().unwrap()
}

fn cluster_id(on: &Local) -> String {
    let stored = on.stored_of("ha_etcd_cluster", "this").unwrap();
    stored["attributes"]["cluster_id"].as_str().unwrap().to_owned()
}

/// As a power cut does it, with or without what is on the disk.
fn end(on: &Local, node: &str) {
    for program in ["ha-agent", "etcd"] {
        for pid in on.processes(node, program) {
            // It may have gone with its supervisor.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

pub(crate) fn wipe(on: &Local, node: &str) {
    end(on, node);
    for entry in fs::read_dir(on.root(node)).unwrap() {
        fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
}

/// Snapshots on a node, the oldest first.
fn stored(on: &Local, node: &str) -> Vec<PathBuf> {
    let Ok(folder) = fs::read_dir(on.root(node).join("srv/etcd")) else { return Vec::new() };
    let mut all: Vec<_> = folder.map(|it| it.unwrap().path()).collect();
    all.retain(|it| it.extension().is_some_and(|it| it == "zst"));
    all.sort();
    all
}

/// What its service is started with.
fn unit(on: &Local, node: &str) -> Vec<u8> {
    fs::read(on.root(node).join("etc/systemd/system/etcd-prod.service")).unwrap()
}

/// Neither for an heir, while all were stopped, nor for what the data of another adds up to, while all were started.
fn waited_for_nobody(on: &Local, node: &str) {
    let log = fs::read_to_string(on.root(node).join("var/log/ha/etcd-prod.log")).unwrap();
    let in_vain = log.lines().filter(|it| {
        it.contains("leader transfer took too long")
            || it.contains("failed hash kv request") && it.contains("deadline exceeded")
    });
    assert_eq!(in_vain.collect::<Vec<_>>(), [""; 0], "{node}");
}

fn what_was_deleted_comes_back(on: &Local) {
    wish(on, "0", "");
    on.settle();
    on.etcdctl("a", &["put", "fruit", "apple"]);
    wish(on, "1", "");
    on.settle();
    on.etcdctl("a", &["del", "fruit"]);
    on.etcdctl("a", &["put", "later", "pear"]);
    let (before, old) = (revision(on, "b"), cluster_id(on));

    // Not by the way, and not what is damaged.
    wish(on, "1", &restore(1, DIRECTORY));
    on.plan_fails().says("the cluster has a quorum").says("discard_current_data");
    let given_up = format!("{DIRECTORY}, discard_current_data = true");
    let holder = ABC.into_iter().find(|it| !stored(on, it).is_empty()).unwrap();
    let newest = stored(on, holder).pop().unwrap();
    let whole = fs::read(&newest).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&newest, damaged).unwrap();
    wish(on, "1", &restore(1, &given_up));
    let units = ABC.map(|it| unit(on, it));
    on.apply_fails().says("cannot be restored: ");
    assert_eq!(ABC.map(|it| unit(on, it)), units);
    assert_eq!(get(on, "c", "later"), "pear");
    fs::write(&newest, &whole).unwrap();

    // The provider is killed when members are stopped; the next run goes on.
    on.plan().says("stop etcd on a, b, c").says("keep what was there beside");
    let mut command = on.command(&["apply", "-auto-approve"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = Running::new(command.spawn().unwrap());
    let is_down = || ABC.iter().any(|it| on.processes(it, "etcd").is_empty());
    until("the members stop", || is_down().then_some(()));
    for pid in children(running.pid()) {
        let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL);
    }
    assert!(!running.end().status.success());
    // Agents finish the step that they had begun.
    let next = until("the locks are free", || {
        let run = on.run(&["apply", "-auto-approve"]);
        (!run.has("another run is at work")).then_some(run)
    });
    next.succeeds();
    on.plan_is_empty();
    for node in ABC {
        assert_eq!(get(on, node, "fruit"), "apple", "{node}");
        assert_eq!(get(on, node, "later"), "", "{node}");
        assert!(before + 900_000_000 < revision(on, node), "{node}");
        let data = on.root(node).join("var/lib/etcd");
        let names = fs::read_dir(data).unwrap();
        let names: Vec<_> =
            names.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(names.iter().filter(|it| it.starts_with("prod.aside-before-")).count(), 1);
        assert_eq!(names.len(), 2, "{names:?}");
        waited_for_nobody(on, node);
    }
    assert_ne!(cluster_id(on), old);
    on.etcdctl("a", &["put", "more", "plum"]);

    // Its number is used, whatever else is edited, and in no state a lower one is taken.
    wish(on, "1", &restore(1, "from = \"survivor\""));
    on.apply();
    on.plan_is_empty();
    assert_eq!(get(on, "b", "more"), "plum");
    wish(on, "1", "");
    on.apply();
    on.plan_is_empty();
    let state = on.stored_of("ha_etcd_cluster", "this").unwrap();
    assert_eq!(state["attributes"]["access"]["generation"], 1);

    // From this machine, and once more: revisions never come again.
    let before = revision(on, "b");
    let kept = on.path(newest.file_name().unwrap().to_str().unwrap());
    fs::write(&kept, &whole).unwrap();
    let given_up = format!("file = \"{}\", discard_current_data = true", kept.display());
    wish(on, "1", &restore(2, &given_up));
    on.apply_fails().says("which tells what it is");
    let manifest = newest.with_extension("").with_extension("json");
    let beside = kept.with_extension("").with_extension("json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(
        &beside,
        text.replace(&format!("\"etcd_version\": \"{VERSION}\""), "\"etcd_version\": \"3.5.33\""),
    )
    .unwrap();
    on.apply_fails().says("is of etcd 3.5.33");
    let id = &state["attributes"]["id"].as_str().unwrap();
    fs::write(&beside, text.replace(id, "another")).unwrap();
    on.apply_fails().says("is of another cluster (prod, another)");
    assert_eq!(get(on, "b", "more"), "plum");
    fs::write(&beside, &text).unwrap();
    on.apply();
    on.plan_is_empty();
    assert_eq!((get(on, "c", "fruit"), get(on, "c", "more")), ("apple".to_owned(), String::new()));
    assert!(before < revision(on, "c"));
    on.destroy();
}

fn two_of_three_and_then_all_come_back(on: &Local) {
    wish(on, "0", "");
    on.settle();
    on.etcdctl("a", &["put", "fruit", "apple"]);
    wish(on, "1", "");
    on.settle();
    on.etcdctl("a", &["put", "later", "pear"]);
    let holder = ABC.into_iter().find(|it| !stored(on, it).is_empty()).unwrap();
    let newest = stored(on, holder).pop().unwrap();
    let kept = on.path(newest.file_name().unwrap().to_str().unwrap());
    fs::copy(&newest, &kept).unwrap();
    let json = |it: &PathBuf| it.with_extension("").with_extension("json");
    fs::copy(json(&newest), json(&kept)).unwrap();

    // Two are gone: what the third has is all there is.
    wipe(on, "a");
    wipe(on, "b");
    on.plan().says("the data of a, b is not there, and the other members are no quorum");
    wish(on, "1", &restore(1, "from = \"survivor\""));
    on.plan().says("prove the data of a member that is left");
    on.apply();
    on.plan_is_empty();
    for node in ABC {
        assert_eq!(get(on, node, "later"), "pear", "{node}");
    }

    // All are: a copy of the snapshot was kept elsewhere.
    for node in ABC {
        wipe(on, node);
    }
    wish(on, "1", &restore(2, &format!("file = \"{}\"", kept.display())));
    on.apply();
    on.plan_is_empty();
    for node in ABC {
        assert_eq!(
            (get(on, node, "fruit"), get(on, node, "later")),
            ("apple".to_owned(), String::new())
        );
    }
    on.destroy();
}
