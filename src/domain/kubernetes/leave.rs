//! The end of a control plane. It needs no API server; the objects stay in etcd.

use super::desired::Desired;
use super::observed::{Node, Observed};
use super::refusal::Refusal;
use super::steps::Step;
use super::view::others;
use crate::domain::Next;
use crate::domain::name::{Name, OnDestroy};

/// The one next step towards no control plane at all: every host that has our record is cleaned, all others stay
/// untouched.
///
/// A host that does not answer stops it before anything is done, unless it is known to be lost.
pub fn leave(desired: &Desired, observed: &Observed) -> Next<Step, Refusal> {
    if desired.is_protected {
        return Next::Refuse(Refusal::Protected);
    }
    let nodes: Vec<(&Name, &Node)> = observed.nodes.iter().chain(others(observed)).collect();
    let awaited = nodes.iter().copied().filter(|(name, _)| !desired.lost_hosts.contains(*name));
    let silent = super::next::unseen(awaited);
    if !silent.is_empty() {
        return Next::Refuse(Refusal::SilentAtDestroy(silent));
    }
    let is_ours = |it: &Node| it.seen().is_some_and(|it| it.owner.is_us());
    let hosts: Vec<_> =
        nodes.iter().filter(|(_, it)| is_ours(it)).map(|(name, _)| (*name).clone()).collect();
    if hosts.is_empty() {
        return Next::Done;
    }
    Next::Act(Step::Dismantle { hosts, is_purged: desired.on_destroy == OnDestroy::Purge })
}
