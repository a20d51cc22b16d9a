//! Facts in, one step out.

use std::collections::BTreeMap;

use super::desired::Desired;
use super::observed::{Facts, KeysId, Node, Observed};
use super::refusal::Refusal;
use super::steps::Step;
use super::view::{View, others};
use super::{change, create, grow, recover, renew, rescue, shrink};
use crate::domain::Next;
use crate::domain::host::{MachineId, Owner};
use crate::domain::name::Name;

/// What a phase has to say. None: nothing is left to do in it.
pub(super) type Turn = Option<Next<Step, Refusal>>;

/// The one next step towards what is desired.
///
/// # Guarantees
/// - Nothing is started, removed or made because a host did not answer.
/// - An API server serves before, during and after each step, if one did; but a control plane of one node has to pause
///   while it restarts.
/// - One API server is away at most by our own hand, and no component is stopped while nobody leads.
/// - No node is given a version that is more than a minor away from another's, and its controller manager and scheduler
///   are never later than its API server.
/// - Keys are made only where everybody was looked at, and data in etcd is taken over only if it is ours.
/// - What is as desired stays untouched: then it is done.
pub fn next(desired: &Desired, observed: &Observed) -> Next<Step, Refusal> {
    if let Some(refusal) = refuse_hosts(observed) {
        return Next::Refuse(refusal);
    }
    let view = View::new(desired, observed);
    if !is_formed(observed) {
        return create::next(&view);
    }
    if recover::is_needed(observed) {
        return recover::next(&view);
    }
    refuse(&view)
        .or_else(|| rescue::next(&view))
        .or_else(|| grow::next(&view))
        .or_else(|| shrink::next(&view))
        .or_else(|| change::next(&view))
        .or_else(|| renew::next(&view))
        .unwrap_or(Next::Done)
}

/// Whether it was ever brought up, as far as anybody knows who answers.
fn is_formed(observed: &Observed) -> bool {
    let is_done = |it: &Facts| matches!(it.owner, Owner::Ours { .. });
    observed.is_known || everybody(observed).any(|(_, it)| is_done(it))
}

/// All who answered and are a machine of their own.
pub(super) fn everybody(observed: &Observed) -> impl Iterator<Item = (&Name, &Facts)> {
    let all = observed.nodes.iter().chain(others(observed));
    all.filter_map(|(name, it)| Some((name, it.seen()?)))
}

/// What must not be touched, or not be told apart.
fn refuse_hosts(observed: &Observed) -> Option<Refusal> {
    let mut machines: BTreeMap<&MachineId, &Name> = BTreeMap::new();
    let wanted = observed.nodes.iter().filter_map(|(name, it)| Some((name, it.seen()?)));
    for (name, facts) in wanted {
        let own = || name.clone();
        match &facts.owner {
            Owner::Foreign(owner) => {
                return Some(Refusal::Foreign { name: own(), owner: owner.clone() });
            }
            Owner::Newer(format) => {
                return Some(Refusal::Newer { name: own(), format: *format });
            }
            Owner::Nobody | Owner::Unfinished | Owner::Ours { .. } => {}
        }
        if let Some(other) = machines.insert(&facts.machine, name) {
            return Some(Refusal::SameMachine { name: own(), other: other.clone() });
        }
    }
    None
}

/// Two hosts that have started with other keys than each other: what one of them wrote the other cannot read.
pub(super) fn differ(observed: &Observed) -> Option<Refusal> {
    let begun = everybody(observed).filter(|(_, it)| it.owner.is_us() && it.is_begun);
    let mut begun = begun.filter_map(|(name, it)| Some((name, it.keys.as_ref()?)));
    let (other, keys) = begun.next()?;
    let (name, _) = begun.find(|(_, it)| *it != keys)?;
    Some(Refusal::KeysDiffer { name: name.clone(), other: other.clone() })
}

/// Wanted nodes with keys of an earlier try, with which nothing was ever started, and which are not those of the others or of
/// the bundle.
pub(super) fn strays(view: &View) -> Vec<Name> {
    let has_begun = |it: &(&Name, &Facts)| it.1.owner.is_us() && it.1.is_begun;
    let keys: Option<&KeysId> = everybody(view.observed)
        .filter(has_begun)
        .find_map(|(_, it)| it.keys.as_ref())
        .or(view.observed.recovery.as_ref())
        .or_else(|| {
            view.seen().filter(|(_, it)| it.owner.is_us()).find_map(|it| it.1.keys.as_ref())
        });
    let is_stray = |it: &Facts| it.owner.is_us() && !it.is_begun && it.keys.is_some();
    view.names_of(|it| is_stray(it) && it.keys.as_ref() != keys)
}

/// What makes every further step wrong.
fn refuse(view: &View) -> Turn {
    let observed = view.observed;
    if let Some(refusal) = differ(observed) {
        return Some(Next::Refuse(refusal));
    }
    let has_keys = |it: &Facts| it.owner.is_us() && it.keys.is_some();
    if !everybody(observed).any(|(_, it)| has_keys(it)) {
        let unseen = unseen(observed.nodes.iter().chain(others(observed)));
        let refusal = if unseen.is_empty() { Refusal::KeysLost } else { Refusal::Unseen(unseen) };
        return Some(Next::Refuse(refusal));
    }
    // Whoever uses the addresses of these nodes must be able to follow.
    let stays = |it: &super::view::Seat| it.facts.map_or(it.last.is_some(), has_keys);
    (!view.seats.iter().any(stays)).then_some(Next::Refuse(Refusal::NothingInCommon))
}

/// The names of hosts that did not answer.
pub(super) fn unseen<'a>(nodes: impl Iterator<Item = (&'a Name, &'a Node)>) -> Vec<Name> {
    nodes.filter(|(_, it)| it.seen().is_none()).map(|(name, _)| name.clone()).collect()
}
