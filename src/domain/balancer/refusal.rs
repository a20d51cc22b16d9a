//! Why the planner does not go on, and which attribute can change that.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::desired::MOST_CONNECTIONS;
use super::text::Network;
use crate::domain::name::{List, Name};

/// What a refusal is about: an attribute of the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `nodes`.
    Nodes,
    /// One element of `nodes`.
    Node(Name),
    /// Its address.
    Address(Name),
    /// Its priority.
    Priority(Name),
    /// `port`.
    Port,
    /// `bind_address`.
    BindAddress,
    /// `metrics_port`.
    MetricsPort,
    /// `backends`.
    Backends,
    /// One element of `backends`.
    Backend(Name),
    /// `max_connections`.
    MaxConnections,
    /// `virtual_ip`.
    VirtualIp,
    /// Its address.
    VirtualAddress,
    /// Its number.
    RouterId,
    /// `install`.
    Install,
    /// `lost_hosts`.
    LostHosts,
}

/// Why the planner does not go on. Each text ends with the way out where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The map is too short.
    #[error("a balancer has at least {least} node{}", if *least == 1 { "" } else { "s with a virtual IP" })]
    TooFewNodes {
        /// Nodes that it needs.
        least: usize,
    },
    /// The map is too long.
    #[error("{0} nodes are more than there are priorities")]
    TooManyNodes(usize),
    /// Nobody could reach a node there.
    #[error("{address} is no address by which {name} can be reached")]
    Address {
        /// The node.
        name: Name,
        /// What was wished.
        address: IpAddr,
    },
    /// Two nodes on one address.
    #[error("{other} and {name} have the same address {address}")]
    SameAddress {
        /// The later one.
        name: Name,
        /// The earlier one.
        other: Name,
        /// Of both.
        address: IpAddr,
    },
    /// Out of range.
    #[error("a priority is between 1 and 254")]
    Priority(Name),
    /// Two nodes of one priority.
    #[error("{other} and {name} have the same priority {priority}")]
    SamePriority {
        /// The later one.
        name: Name,
        /// The earlier one.
        other: Name,
        /// Of both.
        priority: u8,
    },
    /// Out of range.
    #[error("no program listens on port 0")]
    Port,
    /// Two ports alike.
    #[error("port and metrics_port differ, and none is 0")]
    MetricsPort,
    /// Everywhere, or nowhere.
    #[error("it is the address of no single host")]
    BindAddress,
    /// Out of range.
    #[error("{0} connections are not between 1 and {MOST_CONNECTIONS}")]
    Connections(u32),
    /// The map is empty.
    #[error("a balancer has at least one backend")]
    NoBackends,
    /// Nobody listens there.
    #[error("nobody can connect to {endpoint}")]
    Backend {
        /// The backend.
        name: Name,
        /// What was wished.
        endpoint: SocketAddr,
    },
    /// Two backends on one address.
    #[error("{other} and {name} have the same address {endpoint}")]
    SameBackend {
        /// The later one.
        name: Name,
        /// The earlier one.
        other: Name,
        /// Of both.
        endpoint: SocketAddr,
    },
    /// The balancer in front of itself.
    #[error(
        "{endpoint} is where {node} listens itself: choose another port, or give the node another address"
    )]
    Itself {
        /// The backend.
        name: Name,
        /// The node.
        node: Name,
        /// Of both.
        endpoint: SocketAddr,
    },
    /// Nobody could have it.
    #[error("{0} is the address of no single host in its network")]
    VirtualIp(Network),
    /// A node has it already.
    #[error("{0} has this address for itself")]
    VirtualIpOfNode(Name),
    /// Nodes that cannot agree on it.
    #[error("{address} is of another family than the virtual IP")]
    OtherFamily {
        /// The node.
        name: Name,
        /// Of the node.
        address: IpAddr,
    },
    /// A machine that serves other ends.
    #[error("{0} is a local host, where nothing may change the network")]
    LocalWithVirtualIp(Name),
    /// One machine behind two keys.
    #[error("{other} and {name} are the same machine: each node needs one of its own")]
    SameMachine {
        /// The later one.
        name: Name,
        /// The earlier one.
        other: Name,
    },
    /// They have to be looked at before anything is done.
    #[error("{} cannot be looked at: make it answer, or change the map", List(.0))]
    Unseen(Vec<Name>),
    /// They do not answer and must change.
    #[error(
        "{} cannot be reached to be changed, and the others are: make it answer, or take it out of the map", List(.0)
    )]
    Silent(Vec<Name>),
    /// They do not answer and must be cleaned.
    #[error(
        "{} cannot be reached to be cleaned, and may still serve: make it answer, or put it into lost_hosts", List(.0)
    )]
    SilentLeaving(Vec<Name>),
    /// Another balancer's host.
    #[error("{name} belongs to {owner}: import that balancer, or clean the host")]
    Foreign {
        /// The host.
        name: Name,
        /// What its record says.
        owner: String,
    },
    /// A later provider has been there.
    #[error("the record on {name} has format {format}: use a later provider")]
    Newer {
        /// The host.
        name: Name,
        /// Of its record.
        format: u32,
    },
    /// Somebody else's configuration.
    #[error(
        "{path} on {name} is there already, and nobody of us wrote it: move it away, or choose another name"
    )]
    ForeignFile {
        /// The host.
        name: Name,
        /// On the host.
        path: String,
    },
    /// The system would not let the program open them.
    #[error(
        "a service on {name} may not have files for so many connections, but for {fits} of them: lower max_connections, or raise the limit of the host (fs.nr_open, and in a container that of its first process)"
    )]
    TooFewFiles {
        /// The host.
        name: Name,
        /// Connections that there are files for.
        fits: u64,
    },
    /// Two would have it.
    #[error(
        "{} says that it has this address already: end that, or choose another address", List(&.0.iter().collect::<Vec<_>>())
    )]
    AddressTaken(BTreeSet<String>),
    /// Two have it.
    #[error(
        "{} says that it has this address, too, and clients reach one or the other: end that, or choose another address", List(&.0.iter().collect::<Vec<_>>())
    )]
    AddressShared(BTreeSet<String>),
    /// The two would take each other for one.
    #[error(
        "{} advertises a virtual router of this number already: choose another one", List(&.0.iter().collect::<Vec<_>>())
    )]
    RouterIdTaken(BTreeSet<IpAddr>),
    /// The virtual IP has no place there.
    #[error(
        "no interface of {0} has the address of the node and the network of the virtual IP, or the one that is named is not there: choose another address, or name the interface"
    )]
    NoNetwork(Name),
    /// Nothing may be installed.
    #[error(
        "haproxy is not there on {}, or keepalived where it is needed: install them, or let `install` be \"package\"", List(.0)
    )]
    NoPrograms(Vec<Name>),
    /// The program refused what it had found no fault with.
    #[error("{name} does not serve with this configuration, and no other node gets it: {said}")]
    DidNotComeUp {
        /// The node.
        name: Name,
        /// Why.
        said: String,
    },
    /// Nobody would serve.
    #[error("{0} is the only node that serves: mend a node that stays first")]
    WouldStopLast(Name),
}

impl Refusal {
    /// What it is about.
    pub fn subject(&self) -> Subject {
        match self {
            Self::TooFewNodes { .. } | Self::TooManyNodes(_) => Subject::Nodes,
            Self::Address { name, .. }
            | Self::SameAddress { name, .. }
            | Self::OtherFamily { name, .. } => Subject::Address(name.clone()),
            Self::Priority(name) | Self::SamePriority { name, .. } => {
                Subject::Priority(name.clone())
            }
            Self::Port => Subject::Port,
            Self::MetricsPort => Subject::MetricsPort,
            Self::BindAddress => Subject::BindAddress,
            Self::Connections(_) | Self::TooFewFiles { .. } => Subject::MaxConnections,
            Self::RouterIdTaken(_) => Subject::RouterId,
            Self::NoBackends => Subject::Backends,
            Self::Backend { name, .. }
            | Self::SameBackend { name, .. }
            | Self::Itself { name, .. } => Subject::Backend(name.clone()),
            Self::VirtualIp(_)
            | Self::VirtualIpOfNode(_)
            | Self::AddressTaken(_)
            | Self::AddressShared(_) => Subject::VirtualAddress,
            Self::LocalWithVirtualIp(_) | Self::NoNetwork(_) => Subject::VirtualIp,
            Self::SameMachine { name, .. }
            | Self::Foreign { name, .. }
            | Self::Newer { name, .. }
            | Self::ForeignFile { name, .. }
            | Self::DidNotComeUp { name, .. }
            | Self::WouldStopLast(name) => Subject::Node(name.clone()),
            Self::Unseen(names) | Self::Silent(names) => match names.as_slice() {
                [name] => Subject::Node(name.clone()),
                _ => Subject::Nodes,
            },
            Self::SilentLeaving(_) => Subject::LostHosts,
            Self::NoPrograms(_) => Subject::Install,
        }
    }
}

impl fmt::Display for Subject {
    /// As the configuration writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nodes => f.write_str("nodes"),
            Self::Node(name) => write!(f, "nodes[\"{name}\"]"),
            Self::Address(name) => write!(f, "nodes[\"{name}\"].address"),
            Self::Priority(name) => write!(f, "nodes[\"{name}\"].priority"),
            Self::Port => f.write_str("port"),
            Self::BindAddress => f.write_str("bind_address"),
            Self::MetricsPort => f.write_str("metrics_port"),
            Self::Backends => f.write_str("backends"),
            Self::Backend(name) => write!(f, "backends[\"{name}\"]"),
            Self::MaxConnections => f.write_str("max_connections"),
            Self::VirtualIp => f.write_str("virtual_ip"),
            Self::VirtualAddress => f.write_str("virtual_ip.address"),
            Self::RouterId => f.write_str("virtual_ip.router_id"),
            Self::Install => f.write_str("install"),
            Self::LostHosts => f.write_str("lost_hosts"),
        }
    }
}
