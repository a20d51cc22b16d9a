//! Why the planner does not go on, and which attribute can change that.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::arguments::{ArgumentFault, Component};
use super::cidr::Cidr;
use super::text::Word;
use super::version::VersionFault;
use crate::domain::name::{List, Name};

/// What a refusal is about: an attribute of the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// No attribute is at fault.
    Cluster,
    /// `version`.
    Version,
    /// `etcd`.
    Etcd,
    /// `etcd_prefix`.
    EtcdPrefix,
    /// `nodes`.
    Nodes,
    /// One element of `nodes`.
    Node(Name),
    /// Its address.
    Address(Name),
    /// `port`.
    Port,
    /// `service_cidrs`.
    ServiceCidrs,
    /// `pod_cidrs`.
    PodCidrs,
    /// One element of the `extra_args` of a component.
    ExtraArgs(Component, usize),
    /// One element of the `environment` of a component.
    Environment(Component, String),
    /// `enable_admission_plugins`.
    EnabledPlugins,
    /// `disable_admission_plugins`.
    DisabledPlugins,
    /// `audit`.
    Audit,
    /// `tls_cipher_suites`.
    Suites,
    /// `shutdown_delay`.
    ShutdownDelay,
    /// `lost_hosts`.
    LostHosts,
    /// `deletion_protection`.
    DeletionProtection,
}

/// Why the planner does not go on. Each text ends with the way out where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The map is empty.
    #[error("a control plane has at least one node")]
    NoNodes,
    /// Nobody could reach a node there.
    #[error("{address} is no address by which others can reach {name}")]
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
    /// An API server would not start.
    #[error("the address of {name} is of another family than {range}, the first of service_cidrs")]
    OtherFamily {
        /// The node.
        name: Name,
        /// The range.
        range: Cidr,
    },
    /// Out of range.
    #[error("a port is not 0")]
    Port,
    /// There is nowhere to keep objects.
    #[error("the cluster of etcd has no endpoint")]
    NoEtcd,
    /// A version that does not fit.
    #[error(transparent)]
    Version(#[from] VersionFault),
    /// Too many ranges, or of one family.
    #[error("there is one range, or one of each family")]
    Families(Subject),
    /// A range of a size that programs do not take.
    #[error("{range} is not between /{shortest} and /{longest}")]
    Size {
        /// Which list.
        subject: Subject,
        /// The range.
        range: Cidr,
        /// Of its prefix.
        shortest: u8,
        /// Of its prefix.
        longest: u8,
    },
    /// An address could mean two things.
    #[error("{range} overlaps {other}")]
    Overlap {
        /// Which list.
        subject: Subject,
        /// The range.
        range: Cidr,
        /// What else has these addresses.
        other: String,
    },
    /// An argument or a variable that does not fit.
    #[error("{fault}")]
    Argument {
        /// Which one.
        subject: Subject,
        /// Why.
        fault: ArgumentFault,
    },
    /// The API server does not start.
    #[error("{0} is to be both on and off")]
    EnabledAndDisabled(Word),
    /// Everything would be let in.
    #[error("{0} switches all admission control off")]
    UnsafePlugin(Word),
    /// A limit of the audit log.
    #[error("each limit of the audit log is at least 1")]
    Audit,
    /// They have no effect.
    #[error("the suites of TLS 1.3 are fixed: leave them out")]
    SuitesOfTls13,
    /// The API server does not start.
    #[error(
        "HTTP/2 needs TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 among the suites"
    )]
    NoSuiteForHttp2,
    /// It could not be kept.
    #[error("a delay of {0:?} is not in whole milliseconds, or above 10 minutes")]
    ShutdownDelay(Duration),
    /// One machine behind two keys.
    #[error("{other} and {name} are the same machine: each node needs one of its own")]
    SameMachine {
        /// The later one.
        name: Name,
        /// The earlier one.
        other: Name,
    },
    /// Another control plane's host.
    #[error("{name} belongs to {owner}: import that control plane, or clean the host")]
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
    /// It has to be looked at before anything is done.
    #[error("{} cannot be looked at, and may hold keys of this control plane: make it answer, or change the map", List(.0))]
    Unseen(Vec<Name>),
    /// It does not answer and must change.
    #[error("{} cannot be reached to be changed: make it answer, or take it out of the map", List(.0))]
    Silent(Vec<Name>),
    /// Another control plane writes there.
    #[error(
        "etcd holds objects below {0} that no host of this control plane has begun to write: choose another etcd_prefix, import that control plane, or delete them with etcdctl"
    )]
    ForeignData(String),
    /// Each would refuse what the other signs, and could not read its Secrets.
    #[error(
        "{other} and {name} were started with different keys: clean the one that does not belong to this control plane"
    )]
    KeysDiffer {
        /// The later one.
        name: Name,
        /// The earlier one.
        other: Name,
    },
    /// New ones would not be trusted, and Secrets stay unreadable.
    #[error(
        "no host holds the keys of this control plane any more: set recover_from to its recovery bundle, or restore /etc/kubernetes-<name> of one host from a copy"
    )]
    KeysLost,
    /// The keys are not lost while somebody may have them.
    #[error(
        "{} cannot be looked at, and may hold keys of this control plane still: make it answer, or put it into lost_hosts", List(.0)
    )]
    SilentAtRecovery(Vec<Name>),
    /// None of the present nodes stays.
    #[error("no present node is in the map: keep one, apply, and remove it then")]
    NothingInCommon,
    /// The step would end the service.
    #[error("without {0} no API server would serve: make the other nodes answer first")]
    WouldStopLast(Name),
    /// It did not come up with what it was given.
    #[error(
        "{} did not serve with what is wished, and runs again as before: look into the journal of its units, and apply again", List(.0)
    )]
    Failed(Vec<Name>),
    /// A destroy cannot clean it.
    #[error("{} cannot be reached to be cleaned: make it answer, or put it into lost_hosts", List(.0))]
    SilentAtDestroy(Vec<Name>),
    /// To destroy was not meant.
    #[error("deletion_protection is on: set it to false and apply before destroying")]
    Protected,
}

impl Refusal {
    /// What it is about.
    pub fn subject(&self) -> Subject {
        match self {
            Self::NoNodes | Self::NothingInCommon => Subject::Nodes,
            Self::Address { name, .. }
            | Self::SameAddress { name, .. }
            | Self::OtherFamily { name, .. } => Subject::Address(name.clone()),
            Self::Port => Subject::Port,
            Self::NoEtcd => Subject::Etcd,
            Self::Version(_) => Subject::Version,
            Self::Families(subject)
            | Self::Size { subject, .. }
            | Self::Overlap { subject, .. }
            | Self::Argument { subject, .. } => subject.clone(),
            Self::EnabledAndDisabled(_) => Subject::DisabledPlugins,
            Self::UnsafePlugin(_) => Subject::EnabledPlugins,
            Self::Audit => Subject::Audit,
            Self::SuitesOfTls13 | Self::NoSuiteForHttp2 => Subject::Suites,
            Self::ShutdownDelay(_) => Subject::ShutdownDelay,
            Self::SameMachine { name, .. }
            | Self::Foreign { name, .. }
            | Self::Newer { name, .. }
            | Self::KeysDiffer { name, .. } => Subject::Node(name.clone()),
            Self::Unseen(names) | Self::Silent(names) | Self::Failed(names) => {
                match names.as_slice() {
                    [name] => Subject::Node(name.clone()),
                    _ => Subject::Nodes,
                }
            }
            Self::ForeignData(_) => Subject::EtcdPrefix,
            Self::KeysLost | Self::WouldStopLast(_) => Subject::Cluster,
            Self::SilentAtDestroy(_) | Self::SilentAtRecovery(_) => Subject::LostHosts,
            Self::Protected => Subject::DeletionProtection,
        }
    }
}

impl fmt::Display for Subject {
    /// As the configuration writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("the control plane"),
            Self::Version => f.write_str("version"),
            Self::Etcd => f.write_str("etcd"),
            Self::EtcdPrefix => f.write_str("etcd_prefix"),
            Self::Nodes => f.write_str("nodes"),
            Self::Node(name) => write!(f, "nodes[\"{name}\"]"),
            Self::Address(name) => write!(f, "nodes[\"{name}\"].address"),
            Self::Port => f.write_str("port"),
            Self::ServiceCidrs => f.write_str("service_cidrs"),
            Self::PodCidrs => f.write_str("pod_cidrs"),
            Self::ExtraArgs(component, at) => {
                write!(f, "{}.extra_args[{at}]", component.attribute())
            }
            Self::Environment(component, name) => {
                write!(f, "{}.environment[\"{name}\"]", component.attribute())
            }
            Self::EnabledPlugins => f.write_str("enable_admission_plugins"),
            Self::DisabledPlugins => f.write_str("disable_admission_plugins"),
            Self::Audit => f.write_str("audit"),
            Self::Suites => f.write_str("tls_cipher_suites"),
            Self::ShutdownDelay => f.write_str("shutdown_delay"),
            Self::LostHosts => f.write_str("lost_hosts"),
            Self::DeletionProtection => f.write_str("deletion_protection"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_points_at_what_can_change_it() {
        let check = |refusal: Refusal, path: &str| assert_eq!(refusal.subject().to_string(), path);
        let name = || -> Name { "a".parse().unwrap() };
        check(Refusal::NothingInCommon, "nodes");
        check(Refusal::Unseen(vec![name()]), "nodes[\"a\"]");
        check(Refusal::Failed(vec![name(), name()]), "nodes");
        check(Refusal::ForeignData("/registry".to_owned()), "etcd_prefix");
        check(Refusal::WouldStopLast(name()), "the control plane");
        check(Refusal::SilentAtDestroy(vec![name()]), "lost_hosts");
        check(Refusal::Protected, "deletion_protection");
    }

    #[test]
    fn an_argument_is_found_in_the_configuration() {
        let check = |subject: Subject, path: &str| {
            let fault = ArgumentFault::Unsafe("token-auth-file".to_owned());
            assert_eq!(Refusal::Argument { subject, fault }.subject().to_string(), path);
        };
        check(Subject::ExtraArgs(Component::ApiServer, 3), "api_server.extra_args[3]");
        let variable = Subject::Environment(Component::Scheduler, "HA_X".to_owned());
        check(variable, "scheduler.environment[\"HA_X\"]");
    }
}
