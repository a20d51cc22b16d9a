//! Every refusal of a plan: the attribute at fault, and the way out. No host is asked.
//!
//! | what is written | test |
//! |---|---|
//! | one attribute by itself | `what_cannot_be_is_refused_where_it_is_written` |
//! | what means something in a file of a program | `what_means_something_in_a_file_is_refused_with_its_path` |
//! | nodes and their addresses | `nodes_are_told_from_each_other` |
//! | `virtual_ip` beside the rest | `an_address_that_moves_is_one_that_can` |
//! | `backends` | `backends_are_others_than_the_balancer_and_each_other` |
//! | what is fixed at create | `what_is_fixed_at_create_cannot_be_changed` |
//! | values that are not known yet | `what_is_known_is_judged_while_the_rest_is_not` |
//!
//! What only hosts can tell is refused by the planner, which is tabled in `domain/balancer/tables`, and found in
//! `actions/balancer`:
//!
//! | on the hosts | refused as | seen on real hosts |
//! |---|---|---|
//! | files of others | `ForeignFile` | `lab balancer::life` |
//! | a balancer of another id, a later format | `Foreign`, `Newer` | `tests/balancer`, here only planned |
//! | a port that is taken | `engine/preflight`, `Unfit::Port` | `lab balancer::refusals` |
//! | fewer open files than `max_connections` needs | `TooFewFiles` | here only planned |
//! | the virtual IP on somebody else, before and after | `AddressTaken`, `AddressShared` | `lab balancer::refusals` |
//! | the router id of somebody else | `RouterIdTaken` | `lab balancer::refusals` |
//! | no interface in the network of the virtual IP | `NoNetwork` | `lab balancer::refusals` |
//! | no programs, and `install = "never"` | `NoPrograms` | `lab balancer::refusals` |
//! | one machine twice | `SameMachine` | here only planned |
//! | what does not come up | `DidNotComeUp` | `lab balancer::life`, `tests/balancer` |
//! | the only node that serves is to end | `WouldStopLast` | here only planned |

use serde_json::{Value as Json, json};

use super::*;

async fn check(edit: Json, path: &str, words: &str) {
    expect(&plan_of(None, &edit).await, &edit, path, words);
}

async fn passes(prior: Option<Json>, edit: Json) {
    let found = plan_of(prior.as_ref(), &edit).await;
    assert!(found.is_empty(), "{edit}: {found:?}");
}

/// The health check, with this instead.
fn health(edit: Json) -> Json {
    let mut check = json!({"protocol": "tcp"});
    for (key, value) in edit.as_object().unwrap() {
        check[key] = value.clone();
    }
    json!({"health_check": check})
}

/// The virtual IP, with this instead.
fn virtual_ip(edit: Json) -> Json {
    let mut virtual_ip = json!({"address": "192.0.2.100/24", "router_id": 71});
    for (key, value) in edit.as_object().unwrap() {
        virtual_ip[key] = value.clone();
    }
    json!({"virtual_ip": virtual_ip})
}

#[tokio::test]
async fn what_cannot_be_is_refused_where_it_is_written() {
    passes(None, json!({})).await;
    let name = "1 to 40 lower-case letters, digits and `-`, none at the ends";
    check(json!({"name": "Api"}), "name", name).await;
    check(json!({"name": "a".repeat(41)}), "name", name).await;
    check(json!({"engine": "nginx"}), "engine", "one of `haproxy`").await;
    check(json!({"port": 0}), "port", "no program listens on port 0").await;
    check(json!({"port": 65_536}), "port", "65535").await;
    let ports = "port and metrics_port differ, and none is 0";
    check(json!({"metrics_port": 6443}), "metrics_port", ports).await;
    check(json!({"metrics_port": 0}), "metrics_port", ports).await;
    check(json!({"bind_address": "0.0.0.0"}), "bind_address", "of no single host").await;
    check(json!({"bind_address": "here"}), "bind_address", "is no IP address").await;
    check(json!({"balance": "random"}), "balance", "one of `leastconn`").await;
    check(json!({"install": "always"}), "install", "one of `package`").await;
    check(json!({"max_connections": 0}), "max_connections", "from 1 to 1000000").await;
    check(json!({"max_connections": 1_000_001}), "max_connections", "from 1 to").await;

    let times = "whole milliseconds, from 1ms to 24 days";
    for name in ["connect", "idle", "tunnel", "drain"] {
        let path = format!("proxy_timeouts.{name}");
        check(json!({"proxy_timeouts": {name: "1500us"}}), &path, times).await;
        check(json!({"proxy_timeouts": {name: "0s"}}), &path, times).await;
        check(json!({"proxy_timeouts": {name: "577h"}}), &path, times).await;
    }
    for name in ["interval", "fast_interval", "timeout"] {
        check(health(json!({name: "0s"})), &format!("health_check.{name}"), times).await;
    }
    for name in ["fall", "rise"] {
        check(health(json!({name: 0})), &format!("health_check.{name}"), "from 1 to 255").await;
        check(health(json!({name: 256})), &format!("health_check.{name}"), "from 1 to").await;
    }
    check(health(json!({"protocol": "http"})), "health_check.protocol", "one of `https`").await;
    let authority = "health_check.ca_certificate";
    check(health(json!({"protocol": "https"})), authority, "whom to believe").await;
    let broken = health(json!({"protocol": "https", "ca_certificate": "PEM"}));
    check(broken, authority, "no certificate to believe").await;

    let id = "from 1 to 255";
    check(virtual_ip(json!({"router_id": 0})), "virtual_ip.router_id", id).await;
    check(virtual_ip(json!({"router_id": 256})), "virtual_ip.router_id", id).await;
    let interval = "every 10ms to 40s, in steps of 10ms";
    for wrong in ["5ms", "305ms", "41s"] {
        let path = "virtual_ip.advertise_interval";
        check(virtual_ip(json!({"advertise_interval": wrong})), path, interval).await;
    }
}

#[tokio::test]
async fn what_means_something_in_a_file_is_refused_with_its_path() {
    for hostile in
        ["a\nb", "a\"b", "a'b", "a#b", "a%b", "a{b}", "a$b", "a b", "a\\b", "a;b", "a\0b"]
    {
        let name = "1 to 40 lower-case letters";
        check(json!({"name": hostile}), "name", name).await;
        let path = health(json!({"path": format!("/{hostile}")}));
        check(path, "health_check.path", "a path that begins with").await;
        let server = health(json!({"server_name": hostile}));
        check(server, "health_check.server_name", "a DNS name").await;
        let interface = virtual_ip(json!({"interface": hostile}));
        check(interface, "virtual_ip.interface", "1 to 15 letters").await;
        let address = virtual_ip(json!({"address": format!("192.0.2.100/24{hostile}")}));
        check(address, "virtual_ip.address", "with the length of its prefix").await;
        let mut nodes = nodes_of("lb1 lb2");
        nodes["lb1"]["interface"] = hostile.into();
        check(json!({"nodes": nodes}), "nodes[\"lb1\"].interface", "1 to 15 letters").await;

        let backend = json!({"backends": {hostile: "192.0.2.21:6443"}});
        let found = plan_of(None, &backend).await;
        let path = found.iter().next().map(|it| it.path().to_string()).unwrap_or_default();
        assert!(found.has_errors() && path.starts_with("backends["), "{found:?}");
        let endpoint = json!({"backends": {"cp1": format!("192.0.2.21:6443{hostile}")}});
        check(endpoint, "backends[\"cp1\"]", "an IP address and a port").await;
    }
    // What HAProxy would verify as an address is no name.
    check(health(json!({"server_name": "192.0.2.1"})), "health_check.server_name", "no IP").await;
}

#[tokio::test]
async fn nodes_are_told_from_each_other() {
    let one = json!({"nodes": nodes_of("lb1"), "virtual_ip": null});
    passes(None, one).await;
    check(json!({"nodes": {}, "virtual_ip": null}), "nodes", "at least 1 node").await;
    check(json!({"nodes": nodes_of("lb1")}), "nodes", "at least 2 nodes with a virtual IP").await;
    let many: Vec<_> = (0..201).map(|it| format!("lb{it}")).collect();
    let elsewhere = json!({"cp1": "198.51.100.1:6443"});
    let nodes = nodes_of(&many.join(" "));
    let many = json!({"nodes": nodes, "backends": elsewhere, "virtual_ip": null});
    check(many, "nodes", "more than there are priorities").await;

    let with = |key: &str, value: Json| {
        let mut nodes = nodes_of("lb1 lb2");
        nodes["lb2"][key] = value;
        json!({ "nodes": nodes })
    };
    let at = |what: &str| format!("nodes[\"lb2\"].{what}");
    check(with("address", "192.0.2.11".into()), &at("address"), "Give each its own").await;
    check(with("address", "0.0.0.0".into()), &at("address"), "of no single host").await;
    check(with("address", "127.0.0.1".into()), &at("address"), "only where every host is").await;
    check(with("address", "node".into()), &at("address"), "must be an IP address").await;
    check(with("host", json!({"address": "node"})), &at("address"), "is a name").await;
    check(with("priority", 0.into()), &at("priority"), "from 1 to 254").await;
    check(with("priority", 255.into()), &at("priority"), "from 1 to 254").await;
    let mut same = with("priority", 7.into());
    same["nodes"]["lb1"]["priority"] = 7.into();
    check(same, &at("priority"), "lb1 and lb2 have the same priority 7").await;
    let named = json!({"a b": {"host": {"address": "192.0.2.1"}}});
    check(json!({"nodes": named, "virtual_ip": null}), "nodes[\"a b\"]", "no name of").await;
}

#[tokio::test]
async fn an_address_that_moves_is_one_that_can() {
    let address = async |text: &str, words: &str| {
        check(virtual_ip(json!({"address": text})), "virtual_ip.address", words).await;
    };
    address("192.0.2.100", "with the length of its prefix").await;
    address("192.0.2.0/24", "is the address of no single host in its network").await;
    address("192.0.2.255/24", "is the address of no single host in its network").await;
    address("127.0.0.9/8", "is the address of no single host in its network").await;
    address("224.0.0.18/24", "is the address of no single host in its network").await;
    address("192.0.2.11/24", "lb1 has this address for itself").await;
    let mut nodes = nodes_of("lb1 lb2");
    nodes["lb2"]["address"] = "2001:db8::2".into();
    let family = "of another family than the virtual IP";
    check(json!({"nodes": nodes}), "nodes[\"lb2\"].address", family).await;
    let local = |at: u8| {
        let host = json!({"address": format!("127.0.0.{at}"), "transport": "local", "root": format!("/r{at}")});
        json!({ "host": host })
    };
    let found = plan_of(None, &json!({"nodes": {"lb1": local(2), "lb2": local(3)}})).await;
    let told: Vec<_> = found.iter().map(|it| format!("{}: {}", it.path(), it.detail())).collect();
    assert!(told.iter().all(|it| it.starts_with("virtual_ip: ") && it.contains("is a local host")));
    assert_eq!(told.len(), 2, "{told:?}");
}

#[tokio::test]
async fn backends_are_others_than_the_balancer_and_each_other() {
    let backends = async |edit: Json, path: &str, words: &str| {
        check(json!({ "backends": edit }), path, words).await;
    };
    backends(json!({}), "backends", "at least one backend").await;
    let at = "backends[\"b\"]";
    let with = |it: &str| json!({"a": "192.0.2.21:6443", "b": it});
    backends(with("192.0.2.21:6443"), at, "a and b have the same address").await;
    backends(with("192.0.2.100:6443"), at, "is where lb1 listens itself").await;
    backends(with("0.0.0.0:6443"), at, "nobody can connect to").await;
    backends(with("192.0.2.22:0"), at, "nobody can connect to").await;
    backends(with("api.example.test:6443"), at, "an IP address and a port").await;
    backends(with("192.0.2.22"), at, "an IP address and a port").await;
    let metrics = json!({"backends": with("192.0.2.12:9000"), "metrics_port": 9000});
    check(metrics, at, "is where lb2 listens itself").await;
    // An API server beside the balancer, on the address of the node.
    passes(None, json!({"backends": {"a": "192.0.2.11:6443"}})).await;
    let both = json!({"backends": {"a": "192.0.2.11:6443"}, "virtual_ip": null});
    check(both, "backends[\"a\"]", "is where lb1 listens itself").await;
}

#[tokio::test]
async fn what_is_fixed_at_create_cannot_be_changed() {
    let prior = json!({});
    let edit = json!({"name": "other"});
    let way_out = "Set it back, or create a second resource beside this one and move over.";
    expect(&plan_of(Some(&prior), &edit).await, &edit, "name", way_out);
    let all = json!({
        "port": 7443, "nodes": nodes_of("lb1 lb2 lb3"), "backends": {"x": "192.0.2.30:6443"},
        "balance": "source", "max_connections": 9000, "metrics_port": 9000,
        "virtual_ip": {"address": "192.0.2.101/24", "router_id": 72}, "lost_hosts": ["lb9"],
    });
    passes(Some(prior), all).await;
}

#[tokio::test]
async fn what_is_known_is_judged_while_the_rest_is_not() {
    let with = |key: &str, value: Json| {
        let mut nodes = nodes_of("lb1 lb2");
        nodes["lb1"]["host"]["address"] = "?".into();
        json!({"nodes": nodes, key: value})
    };
    passes(None, with("port", 6443.into())).await;
    check(with("balance", "random".into()), "balance", "one of `leastconn`").await;
    check(with("max_connections", 0.into()), "max_connections", "from 1 to").await;
    for unknown in ["nodes", "backends", "virtual_ip", "health_check", "port", "name"] {
        passes(None, json!({unknown: "?"})).await;
    }
    passes(None, health(json!({"protocol": "https", "ca_certificate": "?"}))).await;
}
