//! What is refused, and what is put back.

use std::fs;
use std::net::{SocketAddr, TcpListener};

use crate::backend::{ask, wait_until};
use crate::workspace::{PORT, Wish, Workspace, for_each_engine_with_haproxy};

for_each_engine_with_haproxy![
    what_cannot_be_is_refused_with_its_path,
    what_does_not_come_up_is_put_back,
    files_of_others_are_left_alone,
    an_outage_behind_it_blocks_nothing,
];

fn what_cannot_be_is_refused_with_its_path(on: &Workspace) {
    let both = ["lb1", "lb2"];
    for (more, sentence) in [
        ("bind_address = \"0.0.0.0\"", "it is the address of no single host"),
        ("metrics_port = 6443", "port and metrics_port differ"),
        ("virtual_ip = { address = \"10.0.0.9/24\", router_id = 7 }", "lb1 is a local host"),
        ("proxy_timeouts = { connect = \"1500us\" }", "a time is of whole milliseconds"),
    ] {
        on.wish(&both, &["cp1"], more);
        on.plan_fails().says(sentence);
    }
    let text = fs::read_to_string(on.path("main.tf")).unwrap();
    let text = text.replace("proxy_timeouts = { connect = \"1500us\" }", "");
    for hostile in ["a\\n b", "a\\\"b", "a#b", "a%%b", "a{}", "a b", "$${a}"] {
        for (from, to, path) in [
            ("name = \"api\"", format!("name = \"{hostile}\""), "name"),
            ("    cp1 = \"", format!("    \"{hostile}\" = \""), "backends["),
            (
                "health_check = {",
                format!("health_check = {{ path = \"/{hostile}\","),
                "health_check.path",
            ),
            (
                "health_check = {",
                format!("health_check = {{ server_name = \"{hostile}\","),
                "health_check.server_name",
            ),
        ] {
            assert!(text.contains(from));
            fs::write(on.path("main.tf"), text.replace(from, &to)).unwrap();
            on.plan_fails().says(path);
        }
    }
    assert!(!on.root("lb1").exists(), "nothing was made");
}

fn what_does_not_come_up_is_put_back(on: &Workspace) {
    let both = ["lb1", "lb2"];
    on.wish(&both, &["cp1"], "");
    on.settle();
    // The file is without fault, and the port is taken.
    let port = PORT + 1;
    let taken = TcpListener::bind(SocketAddr::new(on.address("lb1"), port)).unwrap();
    let wish = Wish { port, more: String::new() };
    on.wish_for(&both, &["cp1"], &wish);
    on.apply_fails()
        .says("lb1 does not serve with this configuration, and no other node gets it")
        .says("What was reached is in the state.");
    for node in both {
        assert_eq!(ask(on.front(node), &on.trust).as_deref(), Some("cp1"), "{node}");
        let config = on.root(node).join("etc/balancer-api/haproxy.cfg");
        let text = fs::read_to_string(config).unwrap();
        assert!(text.contains(&format!("bind {}:{PORT}\n", on.address(node))), "{text}");
    }
    drop(taken);
    on.settle();
    for node in both {
        let front = SocketAddr::new(on.address(node), port);
        assert_eq!(ask(front, &on.trust).as_deref(), Some("cp1"), "{node}");
    }
    on.destroy();
}

fn files_of_others_are_left_alone(on: &Workspace) {
    let config = on.root("lb1").join("etc/balancer-api/haproxy.cfg");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, "# mine\n").unwrap();
    on.wish(&["lb1", "lb2"], &["cp1"], "");
    on.apply_fails().says("/etc/balancer-api/haproxy.cfg on lb1 is there already");
    assert_eq!(fs::read_to_string(&config).unwrap(), "# mine\n");
    fs::remove_file(&config).unwrap();
    on.settle();
    on.destroy();
}

fn an_outage_behind_it_blocks_nothing(on: &Workspace) {
    on.servers["cp1"].set_ready(false);
    on.wish(&["lb1"], &["cp1"], "");
    on.settle();
    // Until its checks have failed, HAProxy takes a server that it was just given for one that is up.
    wait_until("the checks fail", || ask(on.front("lb1"), &on.trust).is_none());
    on.servers["cp1"].set_ready(true);
    on.wish(&["lb1"], &["cp1"], "max_connections = 1000");
    on.settle();
    assert_eq!(ask(on.front("lb1"), &on.trust).as_deref(), Some("cp1"));
    on.destroy();
}
