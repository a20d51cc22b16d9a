//! The words of the planner: what is desired, what was observed, what is to be done, and what must not be.

use std::collections::BTreeMap;
use std::fmt;

use time::{Date, Duration, OffsetDateTime};

use super::{Certificate, CertificateError, Digest, Profile};
use crate::domain::{self, Kind};

/// The certificates of a cluster, by the names of its hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    authority: Authority,
    hosts: BTreeMap<String, Wish>,
}

/// An authority as it is made, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The common name of its subject.
    pub common_name: String,
    /// How long it is to live.
    pub lifetime: Duration,
}

/// What one host is to have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The authority with its key. Without it the host has only its certificate, to trust in.
    pub holds_authority: bool,
    /// Certificates by their names among people, as "server".
    pub leaves: BTreeMap<String, Profile>,
}

/// Why that cannot be wished for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DesiredError {
    /// Nobody could sign.
    #[error("no host is to hold the certificate authority")]
    NoHolder,
}

impl Desired {
    /// An authority and what each host is to have of it.
    ///
    /// # Errors
    /// No host is to hold the authority.
    pub fn new(authority: Authority, hosts: BTreeMap<String, Wish>) -> Result<Self, DesiredError> {
        if hosts.values().any(|it| it.holds_authority) {
            return Ok(Self { authority, hosts });
        }
        Err(DesiredError::NoHolder)
    }

    /// For whoever makes it.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// By name.
    pub fn hosts(&self) -> &BTreeMap<String, Wish> {
        &self.hosts
    }
}

/// What was seen, of desired hosts and of others that belong or belonged to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// When it was looked.
    pub now: OffsetDateTime,
    /// None, or not in it: unseen, whatever may be there.
    pub hosts: BTreeMap<String, Option<Seen>>,
}

/// What is on a host that answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The authority; only the certificate on a host that trusts in it.
    pub authority: Pair,
    /// What was looked for. A leaf that is not in it was proven to be absent.
    pub leaves: BTreeMap<String, Pair>,
}

/// A private key and a certificate that should belong to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// The digest of the public half.
    pub key: Found<Digest>,
    /// What lies beside it.
    pub certificate: Found<Certificate>,
}

/// What is at a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Found<T> {
    /// Proven to be nothing.
    #[default]
    Absent,
    /// Something else, or what cannot be looked at; why.
    Broken(String),
    /// What was looked for.
    Is(T),
}

impl Found<Certificate> {
    /// From the content of a file; None when there is no file.
    pub fn parse(pem: Option<&[u8]>) -> Self {
        let parsed = pem.map(Certificate::parse);
        match parsed {
            None => Self::Absent,
            Some(Ok(certificate)) => Self::Is(certificate),
            Some(Err(error)) => Self::Broken(CertificateError::to_string(&error)),
        }
    }
}

/// One certificate of one host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leaf {
    /// The name of the host.
    pub host: String,
    /// The name of the certificate.
    pub name: String,
}

/// One thing to do. Nothing that runs notices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make the authority: key and certificate as a whole.
    MakeAuthority {
        /// There.
        on: String,
    },
    /// Copy the key and the certificate of the authority, in this order, through memory alone.
    CopyAuthority {
        /// It holds the whole of it.
        from: String,
        /// They lack it or a part of it.
        to: Vec<String>,
    },
    /// Copy the certificate of the authority and not its key.
    Trust {
        /// It has it.
        from: String,
        /// They lack it.
        to: Vec<String>,
    },
    /// Make private keys where there are none.
    MakeKeys(Vec<Leaf>),
    /// Let each host make a request with the key that it has, let it be signed, and put the certificate in its place in
    /// one go. The key stays, so that there is a working pair before and after, whenever it is cut off.
    Certify {
        /// It signs.
        by: String,
        /// These.
        leaves: Vec<Leaf>,
    },
}

/// Why it must not go on. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// One of them may have it.
    #[error("no host that answers holds the certificate authority, and it may be on {}: bring it back first", .0.join(", "))]
    Unseen(Vec<String>),
    /// A new one would not be trusted by what was signed with the old one.
    #[error(
        "no host holds the certificate authority any more, but {host} has {what}: restore its directory from a copy, or remove what is left of it on all hosts to begin anew"
    )]
    Lost {
        /// Where something is.
        host: String,
        /// What it is.
        what: String,
    },
    /// Two clusters, or a host with a past.
    #[error(
        "{host} has another certificate authority than {other}: remove the one that is not this cluster's"
    )]
    Differ {
        /// One of them.
        host: String,
        /// The other.
        other: String,
    },
    /// It may be that the cluster is the other one's.
    #[error("the {} certificate of {} was signed by another authority, which may be on {}: bring it back first", leaf.name, leaf.host, unseen.join(", "))]
    Stranger {
        /// It would be replaced.
        leaf: Leaf,
        /// They may hold its authority.
        unseen: Vec<String>,
    },
    /// They are not a pair.
    #[error("on {0} the key of the certificate authority does not belong to its certificate")]
    Torn(String),
    /// It may not sign.
    #[error("on {0} the certificate of the authority is that of no authority")]
    NoAuthority(String),
    /// Nothing that it signed is valid.
    #[error("the certificate authority expired on {0}: it has to be replaced by hand")]
    Expired(Date),
    /// Clocks are wrong.
    #[error("the certificate authority is not valid before {0}: are the clocks right?")]
    NotYetValid(Date),
    /// It is neither used nor overwritten.
    #[error("on {host} the {what} cannot be read: {why}")]
    Unreadable {
        /// There.
        host: String,
        /// What should be there.
        what: String,
        /// What is instead.
        why: String,
    },
}

impl domain::Step for Step {
    fn kind(&self) -> Kind {
        Kind::Prepare
    }

    fn hosts(&self) -> Vec<&str> {
        let mut hosts: Vec<&str> = match self {
            Self::MakeAuthority { on } => vec![on],
            Self::CopyAuthority { to, .. } | Self::Trust { to, .. } => {
                to.iter().map(String::as_str).collect()
            }
            Self::MakeKeys(leaves) | Self::Certify { leaves, .. } => {
                leaves.iter().map(|it| it.host.as_str()).collect()
            }
        };
        hosts.dedup();
        hosts
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeAuthority { on } => write!(f, "make the certificate authority on {on}"),
            Self::CopyAuthority { from, to } => {
                write!(f, "copy the certificate authority from {from} to {}", to.join(", "))
            }
            Self::Trust { from, to } => {
                write!(f, "copy the certificate of the authority from {from} to {}", to.join(", "))
            }
            Self::MakeKeys(leaves) => write!(f, "make the keys {}", list(leaves)),
            Self::Certify { by, leaves } => {
                write!(f, "sign on {by} the certificates {}", list(leaves))
            }
        }
    }
}

/// As "server of a, peer of a".
fn list(leaves: &[Leaf]) -> String {
    let names: Vec<_> = leaves.iter().map(|it| format!("{} of {}", it.name, it.host)).collect();
    names.join(", ")
}
