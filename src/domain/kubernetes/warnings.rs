//! What a user should know before and after an apply, though nothing is refused.

use std::fmt;

use super::desired::{Desired, Encryption};
use super::observed::{Node, Observed};
use super::view::{View, others};
use crate::domain::name::Name;

/// Something to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Its last known facts stay.
    Silent(Name),
    /// The host of a former node does not answer.
    LeftBehind(Name),
    /// Nobody takes the place of the only node while it restarts.
    Pauses(Name),
    /// A balancer cannot see who is ready.
    NoReadyz,
    /// The keys that Secrets are encrypted with are on the nodes alone.
    NoRecipients,
}

/// Everything to know about this wish and this look.
pub fn warnings(desired: &Desired, observed: &Observed) -> Vec<Warning> {
    let is_silent = |it: &Node| it.seen().is_none();
    let silent = observed.nodes.iter().filter(|(_, it)| is_silent(it));
    let mut found: Vec<_> = silent.map(|(name, _)| Warning::Silent(name.clone())).collect();
    let left = others(observed).filter(|(_, it)| is_silent(it));
    found.extend(left.map(|(name, _)| Warning::LeftBehind(name.clone())));
    let view = View::new(desired, observed);
    let changes = |it: &super::Facts| it.parts.iter().any(|it| it.runs_other(desired.version));
    if let [seat] = view.seats.as_slice()
        && seat.facts.is_some_and(changes)
    {
        found.push(Warning::Pauses(seat.name.clone()));
    }
    if desired.anonymous_paths.iter().all(|it| it.as_str() != "/readyz") {
        found.push(Warning::NoReadyz);
    }
    if desired.recipients.is_empty() && desired.encryption != Encryption::None {
        found.push(Warning::NoRecipients);
    }
    found
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(name) => write!(
                f,
                "{name} does not answer and is left as it is: wait for it, or take it out of the map"
            ),
            Self::LeftBehind(name) => write!(
                f,
                "{name} does not answer: its copy of the control plane's keys stays on that machine, and what runs there goes on"
            ),
            Self::Pauses(name) => {
                write!(f, "{name} is the only node, so the API is away while it restarts")
            }
            Self::NoReadyz => f.write_str(
                "`anonymous_paths` lacks `/readyz`, which balancers ask to learn whether a node is ready",
            ),
            Self::NoRecipients => f.write_str(
                "`recovery_recipients` is empty: once no node has the key of Secrets any more, no snapshot of etcd can be read",
            ),
        }
    }
}
