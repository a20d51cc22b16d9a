//! A state that was lost, and its way back.

use std::fs;

use crate::local::{Local, for_each_engine_with_etcd};

for_each_engine_with_etcd![a_lost_state_comes_back_by_any_host, what_cannot_be_imported_says_why,];

const ABC: [&str; 3] = ["a", "b", "c"];
const STATE: &str = "terraform.tfstate";

fn id(on: &Local, name: &str, node: &str) -> String {
    format!("{name}@local:{}", on.root(node).display())
}

fn a_lost_state_comes_back_by_any_host(on: &Local) {
    // Spellings that differ from those that a record keeps.
    let settings = "deletion_protection = false\n  on_destroy = \"purge\"\n  heartbeat_interval = \"0.1s\"\n  \
                    timeouts = { update = \"60m\" }";
    on.wish(&ABC, settings);
    on.settle();
    on.etcdctl("a", &["put", "fruit", "apple"]);
    let mut before = on.attributes();
    fs::remove_file(on.path(STATE)).unwrap();

    // A create would be of another cluster on these hosts: it tells how this one comes back.
    let command = format!("terraform import ha_etcd_cluster.NAME {}", id(on, "prod", "a"));
    on.apply_fails().says("belongs to the etcd_cluster \"prod\"").says(&command);
    assert!(!on.path(STATE).exists() || on.is_empty());

    let pids = ABC.map(|it| on.processes(it, "etcd"));
    on.import(&id(on, "prod", "b")).says("Import successful!");
    on.plan_is_empty();
    let mut after = on.attributes();
    assert_eq!(after["timeouts"]["update"], "1h");
    for text in [&mut before, &mut after] {
        for spelled in ["timeouts", "heartbeat_interval"] {
            text.as_object_mut().unwrap().remove(spelled);
        }
    }
    assert_eq!(after, before);
    if on.knows_identity() {
        let identity = on.identity();
        assert_eq!(identity["address"], on.address("b"));
        assert_eq!(identity["root"], on.root("b").to_str().unwrap());
    }

    let (address, root) = (on.address("c"), on.root("c"));
    let mut blocks = vec![format!("id = \"{}\"", id(on, "prod", "c"))];
    if on.knows_identity() {
        blocks.push(format!(
            "identity = {{ name = \"prod\", address = \"{address}\", transport = \"local\", root = \"{}\" }}",
            root.display()
        ));
    }
    for block in blocks {
        fs::remove_file(on.path(STATE)).unwrap();
        let text = format!("import {{\n  to = ha_etcd_cluster.this\n  {block}\n}}\n");
        fs::write(on.path("import.tf"), text).unwrap();
        on.settle().says("1 imported, 0 added, 0 changed, 0 destroyed");
        if on.knows_identity() {
            assert_eq!(on.identity()["address"], address);
        }
    }
    fs::remove_file(on.path("import.tf")).unwrap();
    assert_eq!(ABC.map(|it| on.processes(it, "etcd")), pids);

    // It is managed as before. The identity leaves with its host.
    on.wish(&["a"], &format!("{settings}\n  quota_backend_bytes = 1073741824"));
    on.plan().says("remove c from the cluster");
    on.settle();
    assert_eq!(on.etcdctl("a", &["get", "fruit", "--print-value-only"]), "apple");
    if on.knows_identity() {
        assert_eq!(on.identity()["address"], on.address("a"));
    }
    on.destroy();
    assert!(!on.root("a").join("var/lib/etcd/prod").exists());
}

fn what_cannot_be_imported_says_why(on: &Local) {
    on.wish(&["a"], "");
    let check = |id: &str, said: &str| {
        on.import_fails(id).says(said);
    };
    let own = id(on, "prod", "a");
    check("prod", "\"prod\": it names no host. It is `<name>@[user@]<address>[:port]`");
    check("prod@local:srv", "\"srv\" must be an absolute path");
    check(&own, "The host of the etcd_cluster \"prod\" does not answer");
    on.settle();
    fs::remove_file(on.path(STATE)).unwrap();
    let absent = "it has no record of that name; it has those of etcd_cluster \"prod\"";
    check(&id(on, "other", "a"), absent);

    let path = on.root("a").join("var/lib/ha-agent/records/etcd_cluster-prod");
    let text = fs::read_to_string(&path).unwrap();
    let change = |from: &str, to: &str, said: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        fs::write(&path, changed).unwrap();
        check(&own, said);
    };
    change(
        "format 1\n",
        "format 9\n",
        "it has format 9, and this provider reads up to 1: use a later provider",
    );
    change(
        "\"complete\": true",
        "\"complete\": false",
        "Do not import it: an apply with this name and these hosts goes on from there",
    );
    change("\"members\": {", "\"folks\": {", "The etcd_cluster \"prod\": it has no members");
    change("{", "[", "its record cannot be read: it is not a record");
    fs::write(&path, &text).unwrap();
    on.import(&own).says("Import successful!");
    on.plan_is_empty();
}
