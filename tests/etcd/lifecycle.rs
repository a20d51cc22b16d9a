//! From bare hosts to none.

use std::fs;

use rustix::process::{Signal, kill_process};

use crate::local::{Local, for_each_engine_with_etcd};
use crate::snapshots;

for_each_engine_with_etcd![
    a_cluster_comes_up_changes_is_repaired_and_goes,
    a_cluster_grows_and_shrinks,
    a_lost_quorum_is_told_and_what_is_only_recorded_is_recorded_meanwhile,
    what_cannot_be_is_refused_with_its_path,
];

const ABC: [&str; 3] = ["a", "b", "c"];

fn holds_the_fruit(on: &Local, node: &str) {
    assert_eq!(on.etcdctl(node, &["get", "fruit", "--print-value-only"]), "apple", "{node}");
}

fn a_cluster_comes_up_changes_is_repaired_and_goes(on: &Local) {
    on.wish(&ABC, "");
    on.plan().says("start the first members a, b, c");
    on.settle();
    on.etcdctl("a", &["put", "fruit", "apple"]);
    for node in ABC {
        holds_the_fruit(on, node);
    }
    let state = on.attributes();
    assert_eq!(state["endpoints"].as_array().unwrap().len(), 3);
    assert_eq!(state["access"]["id"], state["id"]);
    assert!(state["ca_certificate"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE"));
    let text = fs::read_to_string(on.path("terraform.tfstate")).unwrap();
    assert!(!text.contains("PRIVATE KEY"));

    // New settings, one member after the other.
    let before = ABC.map(|it| on.processes(it, "etcd"));
    on.wish(&ABC, "quota_backend_bytes = 1073741824");
    on.plan().says("restart etcd on a with 3.6.16 and its new settings");
    on.settle();
    for (node, before) in ABC.iter().zip(before) {
        assert_ne!(on.processes(node, "etcd"), before, "{node}");
        holds_the_fruit(on, node);
    }

    // What is only recorded restarts nothing.
    let before = ABC.map(|it| on.processes(it, "etcd"));
    let last =
        "quota_backend_bytes = 1073741824\n  deletion_protection = false\n  on_destroy = \"purge\"";
    on.destroy_fails().says("The etcd cluster is protected");
    on.wish(&ABC, last);
    on.settle();
    assert_eq!(ABC.map(|it| on.processes(it, "etcd")), before);

    // A member that is down is told of and started again.
    for program in ["ha-agent", "etcd"] {
        for pid in on.processes("b", program) {
            // It may have gone with its supervisor.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    on.plan().says("b: etcd-prod.service does not run");
    on.settle();
    holds_the_fruit(on, "b");

    on.destroy();
    for node in ABC {
        assert!(on.processes(node, "etcd").is_empty(), "{node}");
        assert!(!on.root(node).join("etc/etcd-prod").exists(), "{node}");
        assert!(!on.root(node).join("var/lib/etcd/prod").exists(), "{node}");
    }
}

fn a_cluster_grows_and_shrinks(on: &Local) {
    on.wish(&["a"], "deletion_protection = false");
    on.settle();
    on.etcdctl("a", &["put", "fruit", "apple"]);
    on.wish(&ABC, "deletion_protection = false");
    on.plan().says("add b as a learner").says("give c a vote");
    on.settle();
    for node in ABC {
        holds_the_fruit(on, node);
    }
    assert_eq!(on.etcdctl("c", &["member", "list"]).lines().count(), 3);

    snapshots::fill(on, "c");
    on.wish(&["c"], "deletion_protection = false");
    on.plan()
        .says("keep a verified snapshot of c on its host, in /var/lib/ha/etcd-prod/snapshots")
        .says("remove a from the cluster")
        .says("3 members become one");
    on.settle();
    snapshots::holds_one(on, "c");
    holds_the_fruit(on, "c");
    assert_eq!(on.etcdctl("c", &["member", "list"]).lines().count(), 1);
    assert!(on.processes("a", "etcd").is_empty());
    assert!(!on.root("a").join("etc/etcd-prod").exists());

    on.destroy().says("The data of the etcd cluster was kept");
    let kept = fs::read_dir(on.root("c").join("var/lib/etcd")).unwrap().count();
    assert_eq!(kept, 1);
}

/// Stops or wakes the members of these nodes. They do not notice, and neither does a service manager.
fn signal(on: &Local, nodes: &[&str], signal: Signal) {
    for pid in nodes.iter().flat_map(|it| on.processes(it, "etcd")) {
        kill_process(pid, signal).unwrap();
    }
}

fn a_lost_quorum_is_told_and_what_is_only_recorded_is_recorded_meanwhile(on: &Local) {
    on.wish(&ABC, "");
    on.settle();
    signal(on, &["b", "c"], Signal::STOP);
    on.wish(&ABC, "deletion_protection = false\n  lost_hosts = [\"c\"]");
    let is_told = || on.plan().has("a cannot serve, for there is no quorum");
    assert!((0..10).any(|_| is_told()), "that there is no quorum is not told");
    on.apply();
    let record =
        fs::read_to_string(on.root("a").join("var/lib/ha-agent/records/etcd_cluster-prod"))
            .unwrap();
    assert!(record.contains("\"lost_hosts\": [\n      \"c\""), "{record}");
    signal(on, &["b", "c"], Signal::CONT);
    let is_well = || !on.plan().has("needs attention");
    assert!((0..30).any(|_| is_well()), "the quorum does not come back");
    on.plan_is_empty();
    on.destroy();
}

fn what_cannot_be_is_refused_with_its_path(on: &Local) {
    let check = |nodes: &[&str], more: &str, said: &str| {
        on.wish(nodes, more);
        on.plan_fails().says(said);
    };
    check(&["a", "b"], "", "a new cluster has 1, 3, 5 or 7 members, not 2");
    check(&ABC, "election_timeout = \"200ms\"", "election_timeout");
    check(&ABC, "extra_args = [\"--data-dir=/x\"]", "extra_args[0]");
    check(&ABC, "client_port = 2380", "the three ports differ, and none is 0");
}
