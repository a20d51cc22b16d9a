//! What is written about a balancer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::balancer::{Interface, Network, ServerName, UriPath};
use crate::domain::name::ClusterName;
use crate::model;
use crate::resources::host::HostModel;
use crate::resources::hosts::written_address;
use crate::tfplugin::model::{Timeouts, same_duration};
use crate::tfplugin::value::{Datum, Set, Value};

model! {
    /// A balancer in front of API servers: HAProxy on hosts that exist already, and, with `virtual_ip`, an address that
    /// keepalived moves between them. TLS goes through to the API servers, whose health is checked at `/readyz`.
    ///
    /// Backends come and go while HAProxy runs; anything else is a reload in which no connection is lost. Each
    /// configuration is checked by the program itself, comes to one node after the other, and is put back where it
    /// does not come up. Files that somebody else has made are never overwritten.
    ///
    /// Before keepalived is started, the network is asked for others that have the virtual IP or its router id, and before
    /// the end of an apply whether somebody has it, too. While VRRP (protocol 112 of IP) is blocked between nodes, each of
    /// them has the virtual IP, and clients reach one or the other; that is told by a warning. Once it is let through again,
    /// all but one give it up within a second, and clients that went to another are led to the one within 5 seconds.
    ///
    /// A create that stops midway is not recorded; what was done is noted on the hosts, and an apply goes on from there.
    pub(crate) struct LoadBalancerModel {
        /// Given at create, and kept on the hosts for life.
        id: Value<String> = computed(),
        /// Part of the units `haproxy-<name>` and `keepalived-<name>` and of paths: lower-case letters, digits and `-`.
        name: Value<String> = required().refuses_change().check(text("1 to 40 lower-case letters, digits and `-`, none at the ends", |it| it.parse::<ClusterName>().is_ok())),
        /// The program.
        engine: Value<String> = optional().default("haproxy").refuses_change().check(one_of(&["haproxy"])),
        /// Nodes by a stable name; two at least with `virtual_ip`.
        nodes: Value<BTreeMap<String, BalancerNodeModel>> = required().changes("nodes join and leave in place, one at a time"),
        /// Port for clients.
        port: Value<u16> = required().changes_online(),
        /// Where clients connect. The virtual IP when left out, otherwise the address of each node.
        bind_address: Value<String> = optional().changes_online(),
        /// API servers by a stable name, each `address:port`: `api_servers` of an `ha_control_plane`.
        backends: Value<BTreeMap<String, String>> = required().changes_online(),
        /// Which backend the next connection goes to: `leastconn`, `roundrobin` or `source`.
        balance: Value<String> = optional().default("leastconn").changes_online().check(one_of(&["leastconn", "roundrobin", "source"])),
        /// How it is found out whether a backend serves.
        health_check: Value<HealthCheckModel> = required().changes_online(),
        /// How long things may take.
        proxy_timeouts: Value<ProxyTimeoutsModel> = optional().default(Datum::Map(BTreeMap::new())).changes_online(),
        /// Connections at the same time. Each takes two file descriptors, which the system grants when a process starts: a larger
        /// number restarts HAProxy, one node after the other, with the virtual IP elsewhere.
        max_connections: Value<i64> = optional().default(8000).changes_online().check(between(1, 1_000_000)),
        /// An address that one of the nodes has.
        virtual_ip: Value<VirtualIpModel> = optional().changes("the address moves host by host"),
        /// Port for metrics, plain HTTP on the address of each node. None when left out.
        metrics_port: Value<u16> = optional().changes_online(),
        /// `package` installs the programs from the distribution, `never` expects them. Local hosts always expect them.
        install: Value<String> = optional().default("package").changes_online().check(one_of(&["package", "never"])),
        /// Nodes whose machines are gone for ever: neither a destroy nor an update waits for them.
        lost_hosts: Value<BTreeSet<String>> = optional().default(Datum::Set(Set(Vec::new()))).records_change(),
        /// Where clients find the balancer: the virtual IP without its prefix, otherwise the address of every node, in
        /// the order of the names.
        addresses: Value<Vec<Value<String>>> = computed(),
        /// What an apply would mend, in sentences. Empty: all is as planned.
        drift: Value<Vec<String>> = computed().planned_as(Datum::List(Vec::new())),
        /// What other resources need to find the balancer. It holds no secret.
        access: Value<BalancerAccessModel> = computed(),
        /// How long each operation may take.
        timeouts: Value<Timeouts> = timeouts(600, 1200, 30, 600),
    }
}

model! {
    /// A node.
    pub(crate) struct BalancerNodeModel {
        /// The machine that it runs on.
        host: Value<HostModel> = required(),
        /// The address that it binds to, and where the other nodes reach it. `host.address` when left out, which must be
        /// an IP address then.
        address: Value<String> = optional().changes_online(),
        /// Where the virtual IP is to be. The interface that has the address of the node when left out.
        interface: Value<String> = optional().changes_online().check(text("1 to 15 letters, digits, `-`, `_` and `.`", |it| it.parse::<Interface>().is_ok())),
        /// The larger of two takes the virtual IP first. By the order of the names when left out.
        priority: Value<i64> = optional().changes_online().check(between(1, 254)),
    }
}

model! {
    /// How it is found out whether a backend serves.
    pub(crate) struct HealthCheckModel {
        /// `https` asks for a page and verifies the certificate, `tcp` connects.
        protocol: Value<String> = optional().default("https").changes_online().check(one_of(&["https", "tcp"])),
        /// Whom checks believe, in PEM. Required with `https`.
        ca_certificate: Value<String> = optional().changes_online(),
        /// The name in the certificate of every backend.
        server_name: Value<String> = optional().default("kubernetes").changes_online().check(text("a DNS name of letters, digits, `-` and `.`, and no IP address", |it| it.parse::<ServerName>().is_ok())),
        /// What answers with 200.
        path: Value<String> = optional().default("/readyz").changes_online().check(text("a path that begins with `/`, of letters, digits and `-._~/?=&`", |it| it.parse::<UriPath>().is_ok())),
        /// Between two checks.
        interval: Value<Duration> = optional().default("500ms").same_when(same_duration).changes_online(),
        /// Between two checks while the outcome is in doubt.
        fast_interval: Value<Duration> = optional().default("250ms").same_when(same_duration).changes_online(),
        /// For the answer.
        timeout: Value<Duration> = optional().default("300ms").same_when(same_duration).changes_online(),
        /// So many failures in a row take a backend out.
        fall: Value<i64> = optional().default(2).changes_online().check(between(1, 255)),
        /// So many successes in a row take it in.
        rise: Value<i64> = optional().default(2).changes_online().check(between(1, 255)),
    }
}

model! {
    /// How long things may take.
    pub(crate) struct ProxyTimeoutsModel {
        /// To connect to a backend.
        connect: Value<Duration> = optional().default("300ms").same_when(same_duration).changes_online(),
        /// Without a byte, while a connection begins.
        idle: Value<Duration> = optional().default("1h").same_when(same_duration).changes_online(),
        /// Without a byte, once both sides have spoken. Watches of Kubernetes are silent for long.
        tunnel: Value<Duration> = optional().default("4h").same_when(same_duration).changes_online(),
        /// How long an old process keeps its connections after a reload.
        drain: Value<Duration> = optional().default("1h").same_when(same_duration).changes_online(),
    }
}

model! {
    /// An address that one of the nodes has.
    pub(crate) struct VirtualIpModel {
        /// With the length of its prefix, such as `10.0.0.100/24`.
        address: Value<String> = required().changes("the address moves host by host").check(text("an address with the length of its prefix, such as `10.0.0.100/24`", |it| it.parse::<Network>().is_ok())),
        /// Number of the virtual router, unlike that of every other one of the network.
        router_id: Value<i64> = required().changes_online().check(between(1, 255)),
        /// Where the address is to be, on nodes that name no interface. The interface that has the address of the node
        /// when left out.
        interface: Value<String> = optional().changes_online().check(text("1 to 15 letters, digits, `-`, `_` and `.`", |it| it.parse::<Interface>().is_ok())),
        /// Between two advertisements. After three of them, and a little more, another node takes over.
        advertise_interval: Value<Duration> = optional().default("300ms").same_when(same_duration).changes_online(),
    }
}

model! {
    /// What other resources need to find a balancer. It holds no secret.
    pub(crate) struct BalancerAccessModel {
        /// Of the resource.
        id: Value<String> = required(),
        /// Of the balancer.
        name: Value<String> = required(),
        /// Hosts of the nodes, by name.
        hosts: Value<BTreeMap<String, BalancerAccessHostModel>> = required(),
    }
}

model! {
    /// A host and its address.
    pub(crate) struct BalancerAccessHostModel {
        /// The machine.
        host: Value<HostModel> = required(),
        /// The address that it binds to.
        address: Value<String> = required(),
    }
}

/// The nodes, as far as they are known.
pub(super) fn nodes(
    model: &LoadBalancerModel,
) -> impl Iterator<Item = (&String, &BalancerNodeModel)> {
    model.nodes.known().into_iter().flatten()
}

/// Everything computed that follows from what is configured.
pub(super) fn complete(model: &mut LoadBalancerModel) {
    let without_prefix = |it: &String| it.split('/').next().unwrap_or_default().to_owned();
    model.addresses = match &model.virtual_ip {
        Value::Unknown => Value::Unknown,
        Value::Known(it) => match &it.address {
            Value::Known(address) => Value::Known(vec![Value::Known(without_prefix(address))]),
            _ => Value::Known(vec![Value::Unknown]),
        },
        Value::Null if model.nodes.is_unknown() => Value::Unknown,
        Value::Null => Value::Known(
            nodes(model).map(|(_, it)| written_address(&it.host, &it.address)).collect(),
        ),
    };
    if model.nodes.is_unknown() {
        model.access = Value::Unknown;
        return;
    }
    let host = |it: &BalancerNodeModel| BalancerAccessHostModel {
        host: it.host.known().map_or(Value::Unknown, |it| Value::Known(it.clone())),
        address: written_address(&it.host, &it.address),
    };
    let hosts: BTreeMap<_, _> = nodes(model).map(|(key, it)| (key.clone(), host(it))).collect();
    let (id, name) = (model.id.clone(), model.name.clone());
    model.access = Value::Known(BalancerAccessModel { id, name, hosts: Value::Known(hosts) });
}

/// The second with what is only recorded of the first.
pub(super) fn with_recorded(from: &LoadBalancerModel, of: LoadBalancerModel) -> LoadBalancerModel {
    LoadBalancerModel { lost_hosts: from.lost_hosts.clone(), timeouts: from.timeouts.clone(), ..of }
}
