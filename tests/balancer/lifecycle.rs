//! From bare hosts to none.

use std::fs;

use rustix::process::{Signal, kill_process};

use crate::backend::{Client, ask, wait_until};
use crate::workspace::{Workspace, for_each_engine_with_haproxy};

for_each_engine_with_haproxy![
    a_balancer_comes_up_changes_is_repaired_and_goes,
    nodes_join_and_leave,
    a_lost_state_is_found_again,
    the_status_is_told_and_never_fails,
];

fn serves(on: &Workspace, node: &str, names: &[&str]) {
    let front = on.front(node);
    wait_until(&format!("{node} leads to {names:?}"), || {
        ask(front, &on.trust).is_some_and(|it| names.contains(&it.as_str()))
    });
}

fn a_balancer_comes_up_changes_is_repaired_and_goes(on: &Workspace) {
    on.wish(&["lb1", "lb2"], &["cp1", "cp2"], "");
    on.plan().says("start HAProxy on lb1").says("start HAProxy on lb2");
    on.settle();
    for node in ["lb1", "lb2"] {
        serves(on, node, &["cp1", "cp2"]);
    }
    let state = on.attributes();
    assert_eq!(state["addresses"].as_array().unwrap().len(), 2);
    assert_eq!(state["addresses"][0], on.address("lb1").to_string());
    assert_eq!(state["access"]["id"], state["id"]);

    // A backend comes while the process runs.
    let mut client = Client::connect(on.front("lb1"), &on.trust).unwrap();
    let first = client.ask().unwrap();
    let before = on.processes("lb1");
    on.wish(&["lb1", "lb2"], &["cp1", "cp2", "cp3"], "");
    on.settle();
    assert_eq!(on.processes("lb1"), before, "nothing was started");
    on.servers["cp1"].set_ready(false);
    on.servers["cp2"].set_ready(false);
    serves(on, "lb2", &["cp3"]);
    on.servers["cp1"].set_ready(true);
    on.servers["cp2"].set_ready(true);
    serves(on, "lb2", &["cp1", "cp2"]);

    // It goes again, and keeps the connections that it has.
    let mut client = if client.ask().is_some() {
        client
    } else {
        Client::connect(on.front("lb1"), &on.trust).unwrap()
    };
    let kept = client.ask().unwrap_or(first);
    let rest: Vec<_> = ["cp1", "cp2", "cp3"].into_iter().filter(|it| *it != kept).collect();
    on.wish(&["lb1", "lb2"], &rest, "");
    on.settle();
    assert_eq!(client.ask().as_deref(), Some(kept.as_str()), "the connection was cut");
    for _ in 0..6 {
        assert_ne!(ask(on.front("lb1"), &on.trust), Some(kept.clone()), "it still gets new ones");
    }

    // Anything else is a reload, in which no connection is lost either.
    let mut client = Client::connect(on.front("lb1"), &on.trust).unwrap();
    let name = client.ask();
    assert!(name.is_some());
    on.wish(&["lb1", "lb2"], &rest, "max_connections = 1000\n  balance = \"roundrobin\"");
    on.settle();
    assert_eq!(client.ask(), name, "the connection was cut");
    serves(on, "lb1", &rest);

    // What somebody has edited is seen, and mended.
    let config = on.root("lb2").join("etc/balancer-api/haproxy.cfg");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("retries 2", "retries 3")).unwrap();
    on.plan().says("lb2: /etc/balancer-api/haproxy.cfg was edited");
    on.settle();
    assert_eq!(fs::read_to_string(&config).unwrap(), text);

    // A process that was killed comes back by itself.
    for process in on.processes("lb1") {
        // One may have ended with the other.
        let _ = kill_process(process, Signal::KILL);
    }
    serves(on, "lb1", &rest);

    on.destroy();
    for node in ["lb1", "lb2"] {
        assert_eq!(on.processes(node), []);
        assert!(!on.root(node).join("etc/balancer-api").exists());
        assert!(ask(on.front(node), &on.trust).is_none());
    }
}

fn nodes_join_and_leave(on: &Workspace) {
    on.wish(&["lb1", "lb2"], &["cp1"], "");
    on.settle();
    on.wish(&["lb2", "lb3"], &["cp1"], "");
    on.plan().says("start HAProxy on lb3").says("remove the balancer from lb1");
    on.settle();
    serves(on, "lb2", &["cp1"]);
    serves(on, "lb3", &["cp1"]);
    assert_eq!(on.processes("lb1"), []);
    assert!(!on.root("lb1").join("etc/balancer-api").exists());
    on.destroy();
}

fn a_lost_state_is_found_again(on: &Workspace) {
    on.wish(&["lb1", "lb2"], &["cp1", "cp2"], "metrics_port = 8404");
    on.settle();
    let id = on.attributes()["id"].clone();
    fs::remove_file(on.path("terraform.tfstate")).unwrap();
    on.apply_fails()
        .says("belongs to the load_balancer \"api\" with the id")
        .says("terraform import");
    on.import(&format!("api@local:{}", on.root("lb2").display()));
    assert_eq!(on.attributes()["id"], id);
    on.plan_is_empty();
    on.destroy();
}

fn the_status_is_told_and_never_fails(on: &Workspace) {
    on.wish(&["lb1", "lb2"], &["cp1", "cp2"], "");
    on.settle();
    let status = "data \"ha_load_balancer_status\" \"this\" {\n  load_balancer = ha_load_balancer.this.access\n}\n\
        output \"nodes\" {\n  value = { for name, it in data.ha_load_balancer_status.this.nodes : name => it.serving }\n}\n\
        output \"backends\" {\n  value = keys(data.ha_load_balancer_status.this.backends)\n}\n\
        output \"holder\" {\n  value = data.ha_load_balancer_status.this.virtual_ip_holder\n}\n";
    fs::write(on.path("status.tf"), status).unwrap();
    on.settle();
    let outputs = on.outputs();
    assert_eq!(outputs["nodes"]["value"], serde_json::json!({"lb1": true, "lb2": true}));
    assert_eq!(outputs["backends"]["value"], serde_json::json!(["cp1", "cp2"]));
    fs::remove_file(on.path("status.tf")).unwrap();
    on.destroy();
}
