//! A control plane that nobody has the keys of any more, and a bundle that holds them: its nodes are set up anew in place.

use super::create;
use super::next::{everybody, unseen};
use super::observed::{Facts, Observed};
use super::refusal::Refusal;
use super::steps::Step;
use super::view::{View, others};
use crate::domain::Next;
use crate::domain::host::Owner;

/// Whether it was whole once, and nobody who answers has its keys, though there is a bundle.
pub(super) fn is_needed(observed: &Observed) -> bool {
    let holds = |it: &Facts| matches!(it.owner, Owner::Ours { .. }) && it.keys.is_some();
    observed.recovery.is_some() && !everybody(observed).any(|(_, it)| holds(it))
}

/// What is left goes, and then all begins as for the first time, with the keys of the bundle.
pub(super) fn next(view: &View) -> Next<Step, Refusal> {
    let silent = unseen(view.observed.nodes.iter());
    if !silent.is_empty() {
        return Next::Refuse(Refusal::Unseen(silent));
    }
    let lost = &view.desired.lost_hosts;
    let silent = unseen(others(view.observed).filter(|(name, _)| !lost.contains(*name)));
    if !silent.is_empty() {
        return Next::Refuse(Refusal::SilentAtRecovery(silent));
    }
    let is_left = |it: &Facts| {
        let is_rest = it.is_begun || matches!(it.owner, Owner::Ours { .. });
        it.owner.is_us() && it.keys.is_none() && is_rest
    };
    let hosts = view.names_of(is_left);
    if hosts.is_empty() { create::next(view) } else { Next::Act(Step::Reset { hosts }) }
}
