//! Members whose data is gone, and hosts that are.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::process::{Signal, kill_process};

use crate::engine::Engine;
use crate::local::{Local, for_each_engine_with_etcd};
use crate::processes::until;

for_each_engine_with_etcd![
    a_member_without_its_data_is_replaced_as_the_plan_says,
    hosts_that_are_gone_are_recorded_and_left_behind,
];

const ABC: [&str; 3] = ["a", "b", "c"];

/// As a power cut does it.
fn end(on: &Local, node: &str) {
    for program in ["ha-agent", "etcd"] {
        for pid in on.processes(node, program) {
            // It may have gone with its supervisor.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn holds_the_fruit(on: &Local, node: &str) {
    assert_eq!(on.etcdctl(node, &["get", "fruit", "--print-value-only"]), "apple", "{node}");
}

/// Its id, which no other member ever has.
fn id(on: &Local, node: &str) -> String {
    let list = on.etcdctl("a", &["member", "list"]);
    let line = list.lines().find(|it| it.contains(&format!(", {node}, "))).unwrap();
    line.split(',').next().unwrap().to_owned()
}

/// Until the others have elected another leader there is no quorum to be told of.
fn elect(on: &Local, nodes: [&str; 2]) {
    assert!((0..20).any(|_| nodes.iter().all(|it| on.serves(it))), "the others elect nobody");
}

fn a_member_without_its_data_is_replaced_as_the_plan_says(on: &Local) {
    let rest =
        "deletion_protection = false\n  on_destroy = \"purge\"\n  wal_dir = \"/var/lib/wal/prod\"";
    on.wish(&ABC, rest);
    on.settle();
    on.etcdctl("a", &["put", "fruit", "apple"]);

    // The disk of the data was lost, that of the log was not.
    let before = id(on, "b");
    end(on, "b");
    fs::remove_dir_all(on.root("b").join("var/lib/etcd/prod")).unwrap();
    elect(on, ["a", "c"]);
    on.plan()
        .says("b: the data of the member is not there")
        .says("remove b from the cluster")
        .says("give b a vote");
    on.settle();
    holds_the_fruit(on, "b");
    assert_ne!(id(on, "b"), before);

    // The machine was built anew, and shows the key that it had.
    let before = id(on, "c");
    end(on, "c");
    for entry in fs::read_dir(on.root("c")).unwrap() {
        fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    elect(on, ["a", "b"]);
    on.plan()
        .says("c: the host has no record of the cluster")
        .says("remove c from the cluster")
        .says("give c a vote");
    on.settle();
    holds_the_fruit(on, "c");
    assert_ne!(id(on, "c"), before);
    assert_eq!(on.etcdctl("a", &["member", "list"]).lines().count(), 3);

    // Of two that are gone the third cannot make a cluster.
    for node in ["b", "c"] {
        end(on, node);
        fs::remove_dir_all(on.root(node).join("var/lib/etcd/prod")).unwrap();
    }
    on.plan().says("the data of b, c is not there, and the other members are no quorum");
    on.destroy();
}

/// A disk that changes what it was given: only the hashes of the members tell it.
#[test]
fn a_member_with_other_data_is_replaced() {
    let Some(on) = &Local::new(Engine::Tofu) else { return };
    let rest = "deletion_protection = false\n  extra_args = [\"--corrupt-check-time=1s\"]";
    on.wish(&ABC, rest);
    on.settle();
    on.etcdctl("a", &["put", "fruit", "apple"]);
    // The leader compares the others with itself.
    let victim = ["b", "c"].into_iter().find(|it| !leads(on, it)).unwrap();
    let before = id(on, victim);
    let data = on.root(victim).join("var/lib/etcd/prod/member/snap/db");
    until("the value is on its disk", || (0 < rot(&data, b"apple", b"grape")).then_some(()));
    until("etcd notices it", || {
        on.etcdctl("a", &["alarm", "list"]).contains("CORRUPT").then_some(())
    });

    on.plan()
        .says(&format!("{victim}: the data of the member differs from that of the others"))
        .says(&format!("remove {victim} from the cluster"))
        .says(&format!("give {victim} a vote"));
    on.settle();
    holds_the_fruit(on, victim);
    assert_ne!(id(on, victim), before);
    assert_eq!(on.etcdctl("a", &["alarm", "list"]), "");
    on.etcdctl(victim, &["put", "fruit", "pear"]);
    on.destroy();
}

fn leads(on: &Local, node: &str) -> bool {
    let status = on.etcdctl(node, &["endpoint", "status", "-w", "json"]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let status = &status[0]["Status"];
    status["leader"] == status["header"]["member_id"]
}

/// Writes over each place of a file where this is, in the file itself: who has it mapped sees it. Says how many there were.
fn rot(file: &Path, what: &[u8], instead: &[u8]) -> usize {
    let content = fs::read(file).unwrap();
    let places = content.windows(what.len()).enumerate().filter(|(_, it)| *it == what);
    let opened = fs::File::options().write(true).open(file).unwrap();
    places.map(|(at, _)| opened.write_all_at(instead, at.try_into().unwrap()).unwrap()).count()
}

fn hosts_that_are_gone_are_recorded_and_left_behind(on: &Local) {
    on.wish(&ABC, "");
    on.settle();
    for node in ABC {
        end(on, node);
        let root = on.root(node);
        fs::rename(&root, on.path(node)).unwrap();
        // What is no directory is no host.
        fs::write(&root, "").unwrap();
    }

    // Another way to a host, which nobody can try out, and what is only recorded.
    on.wish(&ABC, "deletion_protection = false\n  lost_hosts = [\"c\"]");
    let text = fs::read_to_string(on.path("main.tf")).unwrap();
    let (address, other) = (on.address("a"), on.address("e"));
    let way = format!("host = {{ address = \"{address}\"");
    let instead = format!("address = \"{address}\", host = {{ address = \"{other}\"");
    assert!(text.contains(&way));
    fs::write(on.path("main.tf"), text.replace(&way, &instead)).unwrap();
    on.apply()
        .says("The way to a host was recorded, and not tried out")
        .says("none of a, b, c answers");
    on.plan_is_empty();

    on.destroy_fails().says("a, b cannot be reached to be cleaned").says("put it into lost_hosts");
    for node in ["a", "b"] {
        fs::remove_file(on.root(node)).unwrap();
        fs::rename(on.path(node), on.root(node)).unwrap();
    }
    on.destroy().says("A lost host of the etcd cluster was not cleaned").says(
        "c does not answer: its data and its copy of the cluster's keys stay on that machine",
    );
    assert!(!on.root("a").join("etc/etcd-prod").exists());
    assert!(on.path("c").join("etc/etcd-prod").exists());
}
