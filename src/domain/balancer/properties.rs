//! Whatever is wished: the files say that, and nothing else. Read back by the rules of the programs, not by ours.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use proptest::collection::btree_map;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::samples::{AUTHORITY, files, time, wish};
use super::*;
use crate::domain::name::Name;

/// The sections of a file of HAProxy: their heads, and their lines in words. A sign that quotes, escapes, expands or
/// begins a comment would need more than this (`doc/configuration.txt`, section 2.2).
fn sections(text: &str) -> BTreeMap<String, Vec<Vec<&str>>> {
    let (mut found, mut head) = (BTreeMap::<_, Vec<_>>::new(), String::new());
    for line in text.lines().skip(1) {
        assert!(!line.contains(['"', '\'', '\\', '#', '$']), "{line}");
        let words: Vec<_> = line.split_whitespace().collect();
        match words.first() {
            None => {}
            Some(&("global" | "defaults" | "frontend" | "backend" | "listen" | "cache")) => {
                head = words.join(" ");
                assert!(found.insert(head.clone(), Vec::new()).is_none(), "{head} is there twice");
            }
            Some(_) => found.entry(head.clone()).or_default().push(words),
        }
    }
    found
}

/// The words after this key of a section.
fn value<'a>(section: &'a [Vec<&str>], key: &str) -> &'a [&'a str] {
    let found: Vec<_> = section.iter().filter(|it| it.join(" ").starts_with(key)).collect();
    assert_eq!(found.len(), 1, "{key}");
    &found[0][key.split_whitespace().count()..]
}

fn milliseconds(words: &[&str]) -> Time {
    let [one] = words else { panic!("{words:?}") };
    time(one.strip_suffix("ms").unwrap().parse().unwrap())
}

/// The word after this one.
fn after<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().position(|it| *it == key).map(|at| words[at + 1])
}

/// What the file of a node says of the wish, with what it cannot say as it was wished.
fn read(text: &str, wished: &Wish) -> (Wish, SocketAddr) {
    let all = sections(text);
    let (global, defaults) = (&all["global"], &all["defaults"]);
    let (front, back) = (&all["frontend front"], &all["backend back"]);
    let servers: Vec<_> = back.iter().filter(|it| it[0] == "server").collect();
    let checks: Vec<_> = servers.iter().map(|it| &it[3..]).collect();
    assert!(checks.iter().all(|it| it == &checks[0]));
    let check = |key: &str| after(checks[0], key);
    let protocol = check("check-sni").map_or(Protocol::Tcp, |name| {
        let sent = value(back, "http-check send");
        assert_eq!(sent[sent.len() - 1], name, "one name for both");
        assert!(checks[0].windows(2).any(|it| it == ["verify", "required"]));
        Protocol::Https {
            authority: Authority::new(AUTHORITY).unwrap(),
            server_name: name.parse().unwrap(),
            path: after(sent, "uri").unwrap().parse().unwrap(),
        }
    });
    let bound = value(front, "bind");
    assert_eq!(bound.get(1) == Some(&"transparent"), wished.virtual_ip.is_some());
    let metrics = all.get("frontend metrics").map(|it| value(it, "bind")[0]);
    let balance = match value(back, "balance") {
        ["leastconn"] => Balance::Leastconn,
        ["roundrobin"] => Balance::Roundrobin,
        ["source"] => Balance::Source,
        other => panic!("{other:?}"),
    };
    let parts = 5 + usize::from(metrics.is_some());
    assert_eq!(all.len(), parts, "{:?}", all.keys());
    let found = Wish {
        port: bound[0].parse::<SocketAddr>().unwrap().port(),
        backends: servers
            .iter()
            .map(|it| (it[1].parse().unwrap(), it[2].parse().unwrap()))
            .collect(),
        balance,
        check: Check {
            protocol,
            interval: milliseconds(&[check("inter").unwrap()]),
            fast_interval: milliseconds(&[check("fastinter").unwrap()]),
            timeout: milliseconds(value(defaults, "timeout check")),
            fall: check("fall").unwrap().parse().unwrap(),
            rise: check("rise").unwrap().parse().unwrap(),
        },
        timeouts: Timeouts {
            connect: milliseconds(value(defaults, "timeout connect")),
            idle: milliseconds(value(defaults, "timeout client ")),
            tunnel: milliseconds(value(defaults, "timeout tunnel")),
            drain: milliseconds(value(global, "hard-stop-after")),
        },
        max_connections: value(global, "maxconn")[0].parse().unwrap(),
        metrics_port: metrics.map(|it| it.parse::<SocketAddr>().unwrap().port()),
        ..wished.clone()
    };
    (found, bound[0].parse().unwrap())
}

/// The blocks of a file of keepalived, each by its head, with its own lines.
fn blocks(text: &str) -> BTreeMap<String, Vec<Vec<&str>>> {
    let (mut found, mut open) = (BTreeMap::<_, Vec<_>>::new(), Vec::<String>::new());
    for line in text.lines().skip(1) {
        assert!(!line.contains(['!', '#', '$', '@']), "{line}");
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            ["}"] => drop(open.pop().unwrap()),
            [head @ .., "{"] => {
                open.push(head.join(" "));
                assert!(found.insert(open.join("/"), Vec::new()).is_none());
            }
            _ => found.entry(open.join("/")).or_default().push(words),
        }
    }
    assert!(open.is_empty());
    found
}

fn any_key() -> impl Strategy<Value = Name> {
    "[A-Za-z0-9._-]{1,63}".prop_map(|it| it.parse().unwrap())
}

fn any_time() -> impl Strategy<Value = Time> {
    (1_u64..=24 * 24 * 3_600_000).prop_map(time)
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|it| IpAddr::from(Ipv4Addr::from_bits(it))),
        any::<u128>().prop_map(|it| IpAddr::from(Ipv6Addr::from_bits(it))),
    ]
}

fn any_protocol() -> impl Strategy<Value = Protocol> {
    let name = "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?([.][a-z]{1,9}){0,3}";
    let https = (name, "/[A-Za-z0-9._~/?=&-]{0,50}").prop_filter_map("a name", |(name, path)| {
        Some(Protocol::Https {
            authority: Authority::new(AUTHORITY).unwrap(),
            server_name: name.parse().ok()?,
            path: path.parse().unwrap(),
        })
    });
    prop_oneof![https, Just(Protocol::Tcp)]
}

prop_compose! {
    fn any_virtual_ip()(
        address in any_address(), prefix in 1_u8..=128, router_id in 1_u8..=255,
        interface in option::of("[a-z0-9._-]{1,15}"), hundredths in 1_u64..=4000,
    ) -> Option<VirtualIp> {
        Some(VirtualIp {
            address: Network::new(address, prefix)?,
            router_id: router_id.try_into().ok()?,
            interface: interface.and_then(|it| it.parse().ok()),
            advertisement: Advertisement::new(Duration::from_millis(10 * hundredths)).ok()?,
        })
    }
}

prop_compose! {
    fn any_wish()(
        name in "[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?",
        nodes in btree_map(any_key(), (any_address(), option::of(1_u8..=254)), 1..4),
        backends in btree_map(any_key(), (any_address(), 1_u16..), 1..6),
        (port, metrics_port, bind_address) in (1_u16.., option::of(1_u16..), option::of(any_address())),
        balance in select(&[Balance::Leastconn, Balance::Roundrobin, Balance::Source]),
        (protocol, fall, rise) in (any_protocol(), 1_u8.., 1_u8..),
        times in prop::array::uniform7(any_time()),
        max_connections in 1..=MOST_CONNECTIONS,
        virtual_ip in prop_oneof![Just(None), any_virtual_ip()],
    ) -> Wish {
        let place = |(address, priority)| Place { address, priority, is_local: false, interface: None };
        let [interval, fast_interval, timeout, connect, idle, tunnel, drain] = times;
        Wish {
            name: name.parse().unwrap(),
            nodes: nodes.into_iter().map(|(key, it)| (key, place(it))).collect(),
            backends: backends.into_iter().map(|(key, it)| (key, it.into())).collect(),
            port, bind_address, balance, max_connections, virtual_ip, metrics_port,
            check: Check {
                protocol, interval, fast_interval, timeout,
                fall: fall.try_into().unwrap(), rise: rise.try_into().unwrap(),
            },
            timeouts: Timeouts { connect, idle, tunnel, drain },
            ..wish()
        }
    }
}

proptest! {
    #[test]
    fn the_file_of_a_proxy_says_what_is_wished(wished in any_wish()) {
        // What does not fit is refused, and has no file.
        let Ok(desired) = Desired::new(wished) else { return Ok(()) };
        for place in desired.nodes.values() {
            let text = proxy(&desired, place, &files(&desired)).text;
            let (found, bound) = read(&text, &desired);
            prop_assert_eq!(&found, &*desired);
            prop_assert_eq!(bound, desired.binds(place));
        }
    }

    #[test]
    fn the_file_of_keepalived_says_what_is_wished(wished in any_wish(), interface in "[a-z0-9_-]{1,15}") {
        let Ok(desired) = Desired::new(wished) else { return Ok(()) };
        let interface = interface.parse().unwrap();
        for (key, place) in &desired.nodes {
            let Some(text) = vrrp(&desired, key, &interface, &files(&desired)) else { continue };
            let wished = desired.virtual_ip.as_ref().unwrap();
            let all = blocks(&text);
            prop_assert_eq!(all.len(), 6);
            let name = format!("vrrp_instance {}", desired.name);
            let own = &all[&name];
            let one = |key: &str| value(own, key)[0];
            prop_assert_eq!(one("virtual_router_id").parse(), Ok(wished.router_id));
            prop_assert_eq!(one("priority").parse(), Ok(desired.priority(key)));
            prop_assert_eq!(one("unicast_src_ip").parse(), Ok(place.address));
            prop_assert_eq!(one("advert_int"), wished.advertisement.to_string());
            let peers = all[&format!("{name}/unicast_peer")].iter().map(|it| it[0].parse::<IpAddr>().unwrap());
            let others = desired.nodes.iter().filter(|(other, _)| *other != key);
            prop_assert!(peers.eq(others.map(|(_, it)| it.address)));
            let held = &all[&format!("{name}/virtual_ipaddress")];
            let address = wished.address.to_string();
            prop_assert_eq!(held, &vec![vec![address.as_str(), "dev", interface.as_str()]]);
        }
    }

    #[test]
    fn no_two_nodes_have_one_priority(wished in any_wish()) {
        let Ok(desired) = Desired::new(wished) else { return Ok(()) };
        let all: std::collections::BTreeSet<_> = desired.nodes.keys().map(|it| desired.priority(it)).collect();
        prop_assert_eq!(all.len(), desired.nodes.len());
    }
}
