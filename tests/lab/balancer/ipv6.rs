//! A virtual IP of the other family, on a network where SSH goes another way.

use std::net::SocketAddr;

use super::front::{Front, LBS};
use crate::backend::ask;
use crate::engine::Engine;
use crate::processes::until;
use crate::program::run;

const BOTH: [usize; 2] = [0, 1];
/// None of the nodes.
const OTHER: usize = 2;
const VIRTUAL_IP: &str = "fd77::200";

fn address(host: usize) -> String {
    format!("fd77::{}", 10 + host)
}

/// For as long as a host is on: each of the lab, and this machine.
fn address_all(on: &Front) {
    for host in [0, 1, OTHER] {
        address_one(on, host);
    }
    run("ip", &["-6", "address", "add", "fd77::1/64", "dev", on.lab.name(), "nodad"]).unwrap();
}

fn address_one(on: &Front, host: usize) {
    let link = format!("fe80::{}", 10 + host);
    for it in [link, address(host)] {
        on.lab.ssh(host, &format!("ip -6 address add {it}/64 dev host0 nodad"));
    }
}

fn wish(on: &Front) {
    let node = |(key, host): (&str, usize)| {
        let (way, own) = (on.lab.address(host), address(host));
        format!("    {key} = {{ host = {{ address = \"{way}\" }}, address = \"{own}\" }}\n")
    };
    let nodes: String = LBS.map(node).concat();
    let server = on.servers.address(&on.lab, 0);
    on.at.config(&format!(
        "resource \"ha_load_balancer\" \"this\" {{\n  name = \"api\"\n  port = {}\n  \
         virtual_ip = {{ address = \"{VIRTUAL_IP}/64\", router_id = 71 }}\n  nodes = {{\n{nodes}  }}\n  \
         backends = {{ cp0 = \"{server}\" }}\n  health_check = {{ ca_certificate = file(\"ca.crt\") }}\n}}\n",
        on.to().port(),
    ));
}

#[test]
fn a_virtual_ip_of_ipv6_is_found_where_others_have_it_and_moves() {
    let Some(on) = Front::new(Engine::Tofu, 3) else { return };
    address_all(&on);
    wish(&on);
    let take = |what: &str| {
        on.lab.ssh(OTHER, &format!("ip -6 address {what} {VIRTUAL_IP}/64 dev host0 nodad"));
    };
    take("add");
    on.at.apply_fails().says("says that it has this address already");
    for host in BOTH {
        on.is_bare(host);
    }
    take("delete");

    on.settle("bring-up");
    let to: SocketAddr = format!("[{VIRTUAL_IP}]:{}", on.to().port()).parse().unwrap();
    let holder = |hosts: &[usize]| {
        until("an answer", || ask(to, &on.trust));
        until("one holder", || match on.lab.holders(VIRTUAL_IP, hosts)[..] {
            [one] => Some(one),
            _ => None,
        })
    };
    let first = holder(&BOTH);
    let heir = 1 - first;
    on.lab.cut_power(first);
    assert_eq!(holder(&[heir]), heir);
    on.lab.start(first);
    address_one(&on, first);
    until("its proxy runs", || (on.pid(first, "haproxy-api") != "0").then_some(()));
    on.at.plan_is_empty();
    assert_eq!(holder(&BOTH), heir, "who comes back moves nothing");
    on.at.destroy();
    for host in BOTH {
        on.is_bare(host);
        assert_eq!(on.lab.holders(VIRTUAL_IP, &[host]), [0; 0], "h{host}");
    }
}
