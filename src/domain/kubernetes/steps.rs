//! One thing to do with a control plane. What each must guarantee is in the documentation of [`super`].

use std::fmt;

use super::arguments::Component;
use super::version::Version;
use crate::domain::Kind;
use crate::domain::name::{List, Name};

/// One thing to do. `host` and `hosts` are keys.
#[expect(missing_docs, reason = "a field means the same in every step")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write the record of an unfinished creation.
    Claim { hosts: Vec<Name> },
    /// Clean what an unfinished creation left that never started anything.
    Discard { hosts: Vec<Name> },
    /// Clean what is left of a control plane that has lost its keys.
    Reset { hosts: Vec<Name> },
    /// Put the keys of a bundle where none are.
    Recover { hosts: Vec<Name> },
    /// Make and copy keys, make and renew certificates.
    Certify { hosts: Vec<Name> },
    /// Put the programs of a version beside those that are there.
    Stage { hosts: Vec<Name>, version: Version },
    /// Write files and units, and start nothing.
    Prepare { hosts: Vec<Name>, version: Version },
    /// Start the first API servers together.
    Begin { hosts: Vec<Name> },
    /// Start the API server of a node that comes to others.
    Join { host: Name },
    /// Bind the group of the administrators.
    BindAdmins { on: Name },
    /// Start components that do not run.
    Start { hosts: Vec<Name>, components: Vec<Component> },
    /// Restart a component that hangs.
    Restart { host: Name, component: Component },
    /// Give components their settings and programs, and restart them.
    Reconfigure { host: Name, components: Vec<Component>, version: Version },
    /// Note that what a node was given serves.
    Confirm { hosts: Vec<Name>, version: Version },
    /// Give a node back what it ran before.
    PutBack { host: Name, version: Version },
    /// Stop what was a node, and wipe its keys.
    Retire { host: Name, was_whole: bool },
    /// Write files that somebody has edited.
    Rewrite { hosts: Vec<Name> },
    /// Keep the recovery bundle of a node on others too, or a new one.
    KeepBundle { from: Option<Name>, hosts: Vec<Name> },
    /// Remove recovery bundles that nobody is to open.
    ForgetBundle { hosts: Vec<Name> },
    /// Write what was applied into the records.
    Record { hosts: Vec<Name> },
    /// End the control plane on these hosts.
    Dismantle { hosts: Vec<Name>, is_purged: bool },
}

impl crate::domain::Step for Step {
    fn kind(&self) -> Kind {
        match self {
            Self::Claim { .. }
            | Self::Discard { .. }
            | Self::Certify { .. }
            | Self::Stage { .. }
            | Self::Prepare { .. }
            | Self::BindAdmins { .. }
            | Self::Confirm { .. }
            | Self::Rewrite { .. }
            | Self::KeepBundle { .. }
            | Self::ForgetBundle { .. }
            | Self::Record { .. }
            // What an unfinished creation left: no plan could have told of it, and nobody used it.
            | Self::Retire { was_whole: false, .. } => Kind::Prepare,
            Self::Begin { .. } | Self::Join { .. } => Kind::Join,
            Self::Start { .. }
            | Self::Restart { .. }
            | Self::Reconfigure { .. }
            | Self::PutBack { .. } => Kind::Restart,
            Self::Retire { was_whole: true, .. } => Kind::Remove,
            Self::Reset { .. } | Self::Dismantle { .. } => Kind::MoveAside,
            Self::Recover { .. } => Kind::Restore,
        }
    }

    fn hosts(&self) -> Vec<&str> {
        match self {
            Self::Claim { hosts }
            | Self::Discard { hosts }
            | Self::Reset { hosts }
            | Self::Recover { hosts }
            | Self::Certify { hosts }
            | Self::Stage { hosts, .. }
            | Self::Prepare { hosts, .. }
            | Self::Begin { hosts }
            | Self::Start { hosts, .. }
            | Self::Confirm { hosts, .. }
            | Self::Rewrite { hosts }
            | Self::KeepBundle { hosts, .. }
            | Self::ForgetBundle { hosts }
            | Self::Record { hosts }
            | Self::Dismantle { hosts, .. } => hosts.iter().map(Name::as_str).collect(),
            Self::Join { host }
            | Self::BindAdmins { on: host }
            | Self::Restart { host, .. }
            | Self::Reconfigure { host, .. }
            | Self::PutBack { host, .. }
            | Self::Retire { host, .. } => vec![host.as_str()],
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim { hosts } => write!(f, "claim {}", List(hosts)),
            Self::Discard { hosts } => {
                write!(f, "clean what an unfinished creation left on {}", List(hosts))
            }
            Self::Reset { hosts } => write!(
                f,
                "stop what is left of the control plane on {} and move it aside",
                List(hosts)
            ),
            Self::Recover { hosts } => {
                write!(f, "bring the keys of the recovery bundle to {}", List(hosts))
            }
            Self::Certify { hosts } => {
                write!(f, "make or renew the keys and certificates of {}", List(hosts))
            }
            Self::Stage { hosts, version } => {
                write!(f, "bring Kubernetes {version} to {}", List(hosts))
            }
            Self::Prepare { hosts, version } => {
                write!(f, "prepare {} for Kubernetes {version}", List(hosts))
            }
            Self::Begin { hosts } => write!(f, "start the first API servers on {}", List(hosts)),
            Self::Join { host } => write!(f, "start the API server of the new node {host}"),
            Self::BindAdmins { on } => {
                write!(f, "bind the group of the administrators, through {on}")
            }
            Self::Start { hosts, components } => {
                write!(f, "start {} on {}", List(components), List(hosts))
            }
            Self::Restart { host, component } => {
                write!(f, "restart {component} on {host}, where it hangs")
            }
            Self::Reconfigure { host, components, version } => {
                let what = List(components);
                write!(f, "restart {what} on {host} with {version} and new settings")
            }
            Self::Confirm { hosts, version } => {
                write!(f, "note on {} that Kubernetes {version} serves", List(hosts))
            }
            Self::PutBack { host, version } => {
                write!(f, "put {host} back to Kubernetes {version} and the settings that it had")
            }
            Self::Retire { host, .. } => {
                write!(f, "stop the control plane on {host} for good and wipe its keys there")
            }
            Self::Rewrite { hosts } => {
                write!(f, "write the files of the control plane on {} anew", List(hosts))
            }
            Self::KeepBundle { from: None, hosts } => {
                write!(f, "seal the keys in a recovery bundle, and keep it on {}", List(hosts))
            }
            Self::KeepBundle { from: Some(from), hosts } => {
                write!(f, "keep the recovery bundle of {from} on {} too", List(hosts))
            }
            Self::ForgetBundle { hosts } => {
                write!(f, "remove the recovery bundle from {}", List(hosts))
            }
            Self::Record { hosts } => write!(f, "record on {} what was applied", List(hosts)),
            Self::Dismantle { hosts, is_purged: false } => {
                write!(
                    f,
                    "stop the control plane on {} for good and move its keys aside",
                    List(hosts)
                )
            }
            Self::Dismantle { hosts, is_purged: true } => {
                write!(f, "stop the control plane on {} for good and delete its keys", List(hosts))
            }
        }
    }
}
