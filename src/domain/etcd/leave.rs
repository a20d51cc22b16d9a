//! The end of a cluster. It needs no quorum.

use super::desired::{Desired, Name, OnDestroy};
use super::observed::{Host, Observed};
use super::refusal::Refusal;
use super::steps::Step;
use crate::domain::Next;

/// The one next step towards no cluster at all: every host that has our record is cleaned, all others stay untouched.
///
/// A host that does not answer stops it before anything is done, unless it is known to be lost.
pub fn leave(desired: &Desired, observed: &Observed) -> Next<Step, Refusal> {
    if desired.is_protected {
        return Next::Refuse(Refusal::Protected);
    }
    let former = super::view::others(observed).map(|(name, it)| (name, &it.host));
    let hosts: Vec<(&Name, &Host)> = observed.hosts.iter().chain(former).collect();
    let is_awaited =
        |it: &(&Name, &Host)| it.1.seen().is_none() && !desired.lost_hosts.contains(it.0);
    let silent: Vec<_> = hosts.iter().copied().filter(is_awaited).map(|it| it.0.clone()).collect();
    if !silent.is_empty() {
        return Next::Refuse(Refusal::SilentAtDestroy(silent));
    }
    let is_ours = |it: &Host| it.seen().is_some_and(super::observed::Facts::is_ours);
    let ours: Vec<_> = hosts.iter().filter(|it| is_ours(it.1)).map(|it| it.0.clone()).collect();
    if ours.is_empty() {
        return Next::Done;
    }
    Next::Act(Step::Dismantle { hosts: ours, is_purged: desired.on_destroy == OnDestroy::Purge })
}
