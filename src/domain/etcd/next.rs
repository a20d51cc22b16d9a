//! Facts in, one step out.

use std::collections::BTreeMap;

use super::desired::{Desired, Name};
use super::observed::{ClusterId, Facts, Host, MachineId, Observed, Owner, quorum};
use super::refusal::Refusal;
use super::steps::Step;
use super::view::{View, others};
use super::{bootstrap, change, finish, grow, renew, rescue, shrink};
use crate::domain::Next;

/// What a phase has to say. None: nothing is left to do in it.
pub(super) type Turn = Option<Next<Step, Refusal>>;

/// The one next step towards what is desired.
///
/// # Guarantees
/// - Nothing is started, removed or moved aside because a host did not answer.
/// - A quorum serves before, during and after each step; but a cluster of one or two members has to pause while one of
///   them restarts.
/// - One change of membership at a time, one learner at most, one member away at most by our own hand.
/// - A member is removed only if its key has left the map, its machine or its data is proven to be gone, or its data is
///   known to be corrupt.
/// - What is as desired stays untouched: then it is done.
pub fn next(desired: &Desired, observed: &Observed) -> Next<Step, Refusal> {
    if let Some(refusal) = refuse_hosts(observed) {
        return Next::Refuse(refusal);
    }
    let Some(cluster) = &observed.cluster else {
        if is_formed(observed) {
            return rescue::revive(desired, observed);
        }
        return bootstrap::next(desired, observed);
    };
    let view = View::new(desired, observed, cluster);
    refuse(&view)
        .or_else(|| finish::next(&view))
        .or_else(|| rescue::next(&view))
        .or_else(|| grow::next(&view))
        .or_else(|| shrink::next(&view))
        .or_else(|| change::next(&view))
        .or_else(|| renew::next(&view))
        .unwrap_or(Next::Done)
}

/// Whether a quorum was ever seen, as far as anybody knows who answers.
fn is_formed(observed: &Observed) -> bool {
    let knows = |it: &Facts| it.is_formed || matches!(it.owner, Owner::Ours { .. });
    let former = others(observed).map(|(_, it)| &it.host);
    observed.known.is_some()
        || observed.hosts.values().chain(former).filter_map(Host::seen).any(knows)
}

/// What must not be touched, or not be told apart.
pub(super) fn refuse_hosts(observed: &Observed) -> Option<Refusal> {
    let found = observed.cluster.as_ref().map(|it| it.id);
    if let (Some(found), Some(known)) = (found, observed.known)
        && found != known
    {
        return Some(Refusal::OtherCluster { found, known });
    }
    let mut machines: BTreeMap<&MachineId, &Name> = BTreeMap::new();
    for (name, facts) in seen(observed) {
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
        if is_foreign(facts, observed, found.or(observed.known)) {
            return Some(Refusal::ForeignData { name: own() });
        }
    }
    None
}

fn is_foreign(facts: &Facts, observed: &Observed, ours: Option<ClusterId>) -> bool {
    let Some(data) = facts.data else { return false };
    if ours.is_some_and(|it| it != data.cluster) {
        return true;
    }
    // Without a record only the list can vouch for it.
    let listed = observed.cluster.iter().flat_map(|it| &it.members);
    !facts.is_ours() && !listed.into_iter().any(|it| it.id == data.member)
}

fn seen(observed: &Observed) -> impl Iterator<Item = (&Name, &Facts)> {
    observed.hosts.iter().filter_map(|(name, host)| Some((name, host.seen()?)))
}

/// What makes every further step wrong.
fn refuse(view: &View) -> Turn {
    let (healthy, voters) = (view.cluster.healthy(), view.cluster.voters());
    if healthy < quorum(voters) {
        let needed = quorum(voters);
        let lost = Next::Refuse(Refusal::QuorumLost { healthy, voters, needed });
        // The list is a proof of a quorum, so members that were not heard may only be slow.
        return Some(rescue::await_those_that_hold_data(view).unwrap_or(lost));
    }
    let stranger = view.leaving.iter().find(|it| it.key.is_none() && !it.member.is_learner);
    if let Some(stranger) = stranger {
        return Some(Next::Refuse(Refusal::Stranger(stranger.member.label())));
    }
    // It may be the machine of a member under a new name and address: nobody leaves before it was looked at.
    let unknown = view.seats.iter().filter(|it| it.member.is_none() && it.facts.is_none());
    let unknown: Vec<_> = unknown.map(|it| it.name.clone()).collect();
    if !unknown.is_empty() {
        return Some(Next::Refuse(Refusal::Unseen(unknown)));
    }
    let stays = |it: &super::view::Seat| {
        it.member.is_some_and(|it| !it.is_learner) && (it.holds || it.facts.is_none())
    };
    (!view.seats.iter().any(stays)).then_some(Next::Refuse(Refusal::NothingInCommon))
}
