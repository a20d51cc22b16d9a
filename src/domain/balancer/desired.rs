//! What a user wishes, in types that hold no invalid wish.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU8;
use std::ops::Deref;

use super::refusal::Refusal;
use super::text::{
    Advertisement, Authority, Interface, Network, RouterId, ServerName, Time, UriPath,
};
use crate::domain::name::{ClusterName, Name};

/// Where a node is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it binds to without a virtual IP, and where the other nodes reach it.
    pub address: IpAddr,
    /// Whether its host is this machine itself.
    pub is_local: bool,
    /// Where the virtual IP is to be. None: the interface of the address.
    pub interface: Option<Interface>,
    /// The larger of two takes the virtual IP first. None: by the order of the keys.
    pub priority: Option<u8>,
}

/// Which backend the next connection goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// The one with the fewest.
    Leastconn,
    /// One after the other.
    Roundrobin,
    /// By the address of the client.
    Source,
}

/// How it is found out whether a backend serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is asked.
    pub protocol: Protocol,
    /// Between two checks.
    pub interval: Time,
    /// Between two checks while the outcome is in doubt.
    pub fast_interval: Time,
    /// For the answer.
    pub timeout: Time,
    /// So many failures in a row take it out.
    pub fall: NonZeroU8,
    /// So many successes in a row take it in.
    pub rise: NonZeroU8,
}

/// What a check asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// For a page, over TLS.
    Https {
        /// Whom it believes.
        authority: Authority,
        /// The name in the certificate of every backend.
        server_name: ServerName,
        /// Answers with 200.
        path: UriPath,
    },
    /// For a connection.
    Tcp,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect to a backend.
    pub connect: Time,
    /// Without a byte.
    pub idle: Time,
    /// Without a byte, once both sides have spoken.
    pub tunnel: Time,
    /// Until an old process ends after a reload, with the connections that it still has.
    pub drain: Time,
}

/// An address that one of the nodes has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualIp {
    /// With its network.
    pub address: Network,
    /// Unlike that of every other virtual router of the network.
    pub router_id: RouterId,
    /// For all nodes that name none.
    pub interface: Option<Interface>,
    /// After three of them, and a little more, another node takes over.
    pub advertisement: Advertisement,
}

/// Where the programs come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Install {
    /// From the distribution.
    Package,
    /// They are there.
    Never,
}

/// Everything that a user wishes of a balancer, part by part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Of the balancer.
    pub name: ClusterName,
    /// By key.
    pub nodes: BTreeMap<Name, Place>,
    /// For clients.
    pub port: u16,
    /// Where clients connect, if that is neither the virtual IP nor the node's address.
    pub bind_address: Option<IpAddr>,
    /// By key.
    pub backends: BTreeMap<Name, SocketAddr>,
    /// Among them.
    pub balance: Balance,
    /// Of them.
    pub check: Check,
    /// Of connections.
    pub timeouts: Timeouts,
    /// At the same time.
    pub max_connections: u32,
    /// None: clients connect to the nodes.
    pub virtual_ip: Option<VirtualIp>,
    /// Where a node tells how it is, on its address.
    pub metrics_port: Option<u16>,
    /// Of the programs.
    pub install: Install,
    /// Nodes whose machines are gone for ever.
    pub lost_hosts: BTreeSet<Name>,
}

/// A [`Wish`] whose parts fit each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired(Wish);

/// More needs no balancer of this kind any more.
pub const MOST_CONNECTIONS: u32 = 1_000_000;

/// By key order, from this one downwards.
const FIRST_PRIORITY: u8 = 200;

/// A priority of 255 is that of the owner of an address, which this is not (RFC 5798).
const MOST_PRIORITY: u8 = 254;

impl Desired {
    /// A wish that can be followed.
    ///
    /// # Errors
    /// Everything that does not fit, each with the attribute that is at fault.
    pub fn new(wish: Wish) -> Result<Self, Vec<Refusal>> {
        let desired = Self(wish);
        let mut faults = Vec::new();
        desired.judge_nodes(&mut faults);
        desired.judge_ports(&mut faults);
        desired.judge_backends(&mut faults);
        desired.judge_virtual_ip(&mut faults);
        if faults.is_empty() { Ok(desired) } else { Err(faults) }
    }

    /// Where clients connect to on this node.
    pub fn binds(&self, place: &Place) -> SocketAddr {
        let virtual_ip = self.virtual_ip.as_ref().map(|it| it.address.address());
        let address = self.bind_address.or(virtual_ip).unwrap_or(place.address);
        SocketAddr::new(address, self.port)
    }

    /// Where clients find the balancer: the virtual IP, otherwise every node, in the order of the keys.
    pub fn addresses(&self) -> Vec<IpAddr> {
        match &self.virtual_ip {
            Some(it) => vec![it.address.address()],
            None => self.nodes.values().map(|it| it.address).collect(),
        }
    }

    /// What decides who has the virtual IP first: what is written, otherwise what is free, the first key before the next.
    pub fn priority(&self, key: &Name) -> u8 {
        let taken: BTreeSet<u8> = self.nodes.values().filter_map(|it| it.priority).collect();
        let mut free = (1..=FIRST_PRIORITY).rev().filter(|it| !taken.contains(it));
        let mut found = 1;
        for (other, place) in &self.nodes {
            let own = place.priority.or_else(|| free.next()).unwrap_or(1);
            if other == key {
                found = own;
            }
        }
        found
    }

    /// The files that so many connections need: one to the client and one to the backend, and a few for the program.
    pub fn open_files(&self) -> u64 {
        2 * u64::from(self.max_connections) + 100
    }

    /// The most connections that so many open files suffice for.
    pub(super) fn connections_for(&self, files: u64) -> u64 {
        files.saturating_sub(self.open_files() - 2 * u64::from(self.max_connections)) / 2
    }

    fn judge_nodes(&self, faults: &mut Vec<Refusal>) {
        let least = if self.virtual_ip.is_some() { 2 } else { 1 };
        if self.nodes.len() < least {
            faults.push(Refusal::TooFewNodes { least });
        }
        if usize::from(FIRST_PRIORITY) < self.nodes.len() {
            faults.push(Refusal::TooManyNodes(self.nodes.len()));
        }
        let all_local = self.nodes.values().all(|it| it.is_local);
        let (mut addresses, mut priorities) = (BTreeMap::new(), BTreeMap::new());
        for (key, place) in &self.nodes {
            let (name, at) = (|| key.clone(), place.address);
            if is_no_host(at) || at.is_loopback() && !all_local {
                faults.push(Refusal::Address { name: name(), address: at });
            } else if let Some(other) = addresses.insert(at, key) {
                let other: &Name = other;
                let other = other.clone();
                faults.push(Refusal::SameAddress { name: name(), other, address: at });
            }
            let Some(priority) = place.priority else { continue };
            if !(1..=MOST_PRIORITY).contains(&priority) {
                faults.push(Refusal::Priority(name()));
            } else if let Some(other) = priorities.insert(priority, key) {
                let other: &Name = other;
                faults.push(Refusal::SamePriority { name: name(), other: other.clone(), priority });
            }
        }
    }

    fn judge_ports(&self, faults: &mut Vec<Refusal>) {
        if self.port == 0 {
            faults.push(Refusal::Port);
        }
        if self.metrics_port.is_some_and(|it| it == 0 || it == self.port) {
            faults.push(Refusal::MetricsPort);
        }
        if self.bind_address.is_some_and(is_no_host) {
            faults.push(Refusal::BindAddress);
        }
        if self.max_connections == 0 || MOST_CONNECTIONS < self.max_connections {
            faults.push(Refusal::Connections(self.max_connections));
        }
    }

    fn judge_backends(&self, faults: &mut Vec<Refusal>) {
        if self.backends.is_empty() {
            faults.push(Refusal::NoBackends);
        }
        let mut endpoints = BTreeMap::new();
        for (key, endpoint) in &self.backends {
            let (name, endpoint) = (|| key.clone(), *endpoint);
            let own = |(_, place): &(&Name, &Place)| {
                let is_metrics = self.metrics_port == Some(endpoint.port());
                self.binds(place) == endpoint || is_metrics && place.address == endpoint.ip()
            };
            if is_no_host(endpoint.ip()) || endpoint.port() == 0 {
                faults.push(Refusal::Backend { name: name(), endpoint });
            } else if let Some((node, _)) = self.nodes.iter().find(own) {
                faults.push(Refusal::Itself { name: name(), node: node.clone(), endpoint });
            } else if let Some(other) = endpoints.insert(endpoint, key) {
                let other: &Name = other;
                faults.push(Refusal::SameBackend { name: name(), other: other.clone(), endpoint });
            }
        }
    }

    fn judge_virtual_ip(&self, faults: &mut Vec<Refusal>) {
        let Some(VirtualIp { address, .. }) = &self.virtual_ip else { return };
        let at = address.address();
        if is_no_host(at) || at.is_loopback() || address.is_of_all() {
            faults.push(Refusal::VirtualIp(*address));
        }
        for (key, place) in &self.nodes {
            if place.is_local {
                faults.push(Refusal::LocalWithVirtualIp(key.clone()));
            } else if place.address == at {
                faults.push(Refusal::VirtualIpOfNode(key.clone()));
            } else if place.address.is_ipv4() != at.is_ipv4() {
                faults.push(Refusal::OtherFamily { name: key.clone(), address: place.address });
            }
        }
    }
}

fn is_no_host(address: IpAddr) -> bool {
    address.is_unspecified()
        || address.is_multicast()
        || matches!(address, IpAddr::V4(it) if it.is_broadcast())
}

impl Deref for Desired {
    type Target = Wish;

    fn deref(&self) -> &Wish {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::balancer::samples::{local, wish, with_virtual_ip};

    fn check(wish: Wish, edit: fn(&mut Wish), expected: &[&str]) {
        let mut wish = wish;
        edit(&mut wish);
        let faults = Desired::new(wish).err().unwrap_or_default();
        let found: Vec<_> = faults.iter().map(|it| format!("{}: {it}", it.subject())).collect();
        assert_eq!(found, expected);
    }

    fn first(wish: &mut Wish) -> &mut Place {
        wish.nodes.values_mut().next().unwrap()
    }

    #[test]
    fn parts_that_do_not_fit_are_refused_with_their_attribute() {
        check(wish(), |_| (), &[]);
        check(wish(), |it| it.nodes.clear(), &["nodes: a balancer has at least 1 node"]);
        check(
            wish(),
            |it| first(it).address = [0, 0, 0, 0].into(),
            &["nodes[\"lb1\"].address: 0.0.0.0 is no address by which lb1 can be reached"],
        );
        check(
            wish(),
            |it| first(it).address = [127, 0, 0, 1].into(),
            &["nodes[\"lb1\"].address: 127.0.0.1 is no address by which lb1 can be reached"],
        );
        check(
            wish(),
            |it| first(it).address = [10, 0, 0, 12].into(),
            &["nodes[\"lb2\"].address: lb1 and lb2 have the same address 10.0.0.12"],
        );
        check(
            wish(),
            |it| it.nodes.values_mut().for_each(|it| it.priority = Some(100)),
            &["nodes[\"lb2\"].priority: lb1 and lb2 have the same priority 100"],
        );
        check(
            wish(),
            |it| first(it).priority = Some(255),
            &["nodes[\"lb1\"].priority: a priority is between 1 and 254"],
        );
        check(wish(), |it| it.port = 0, &["port: no program listens on port 0"]);
        check(
            wish(),
            |it| it.metrics_port = Some(it.port),
            &["metrics_port: port and metrics_port differ, and none is 0"],
        );
        check(
            wish(),
            |it| it.bind_address = Some([0, 0, 0, 0].into()),
            &["bind_address: it is the address of no single host"],
        );
        check(
            wish(),
            |it| it.max_connections = 0,
            &["max_connections: 0 connections are not between 1 and 1000000"],
        );
        check(wish(), |it| it.backends.clear(), &["backends: a balancer has at least one backend"]);
        check(
            wish(),
            |it| it.backends.values_mut().for_each(|it| it.set_ip([10, 0, 0, 21].into())),
            &[
                "backends[\"cp2\"]: cp1 and cp2 have the same address 10.0.0.21:6443",
                "backends[\"cp3\"]: cp2 and cp3 have the same address 10.0.0.21:6443",
            ],
        );
        check(
            wish(),
            |it| it.backends.values_mut().next().unwrap().set_port(0),
            &["backends[\"cp1\"]: nobody can connect to 10.0.0.21:0"],
        );
        check(
            wish(),
            |it| it.backends.values_mut().next().unwrap().set_ip([10, 0, 0, 11].into()),
            &[
                "backends[\"cp1\"]: 10.0.0.11:6443 is where lb1 listens itself: choose another port, or give the node another address",
            ],
        );
    }

    #[test]
    fn a_virtual_ip_needs_two_nodes_that_share_its_network() {
        check(with_virtual_ip(), |_| (), &[]);
        check(
            with_virtual_ip(),
            |it| drop(it.nodes.pop_first()),
            &["nodes: a balancer has at least 2 nodes with a virtual IP"],
        );
        for bad in ["127.0.0.9/8", "0.0.0.0/8", "10.0.0.255/24", "10.0.0.0/24", "224.0.0.5/24"] {
            let mut wish = with_virtual_ip();
            wish.virtual_ip.as_mut().unwrap().address = bad.parse().unwrap();
            let fault = format!(
                "virtual_ip.address: {bad} is the address of no single host in its network"
            );
            check(wish, |_| (), &[&fault]);
        }
        check(
            with_virtual_ip(),
            |it| first(it).address = [10, 0, 0, 100].into(),
            &["virtual_ip.address: lb1 has this address for itself"],
        );
        check(
            with_virtual_ip(),
            |it| first(it).address = "2001:db8::1".parse().unwrap(),
            &["nodes[\"lb1\"].address: 2001:db8::1 is of another family than the virtual IP"],
        );
        check(
            with_virtual_ip(),
            |it| it.backends.values_mut().next().unwrap().set_ip([10, 0, 0, 100].into()),
            &[
                "backends[\"cp1\"]: 10.0.0.100:6443 is where lb1 listens itself: choose another port, or give the node another address",
            ],
        );
    }

    #[test]
    fn local_nodes_have_loopback_addresses_and_no_virtual_ip() {
        check(local(), |_| (), &[]);
        check(
            local(),
            |it| it.virtual_ip = with_virtual_ip().virtual_ip,
            &[
                "virtual_ip: lb1 is a local host, where nothing may change the network",
                "virtual_ip: lb2 is a local host, where nothing may change the network",
            ],
        );
    }

    #[test]
    fn priorities_are_distinct_and_follow_the_keys() {
        let found = |written: [Option<u8>; 2]| {
            let mut wish = with_virtual_ip();
            wish.nodes.values_mut().zip(written).for_each(|(it, priority)| it.priority = priority);
            let desired = Desired::new(wish).unwrap();
            let all: Vec<_> = desired.nodes.keys().map(|it| desired.priority(it)).collect();
            [all[0], all[1]]
        };
        assert_eq!(found([None, None]), [200, 199]);
        assert_eq!(found([None, Some(200)]), [199, 200]);
        assert_eq!(found([Some(7), Some(8)]), [7, 8]);
    }

    #[test]
    fn clients_connect_to_the_virtual_ip_or_to_every_node() {
        let addresses = |it: Wish| Desired::new(it).unwrap().addresses();
        assert_eq!(addresses(with_virtual_ip()), [IpAddr::from([10, 0, 0, 100])]);
        assert_eq!(addresses(wish()), [[10, 0, 0, 11], [10, 0, 0, 12]].map(IpAddr::from));
        assert_eq!(Desired::new(wish()).unwrap().open_files(), 16_100);
    }
}
