//! Members whose keys have left the map or went to another machine, once all others are there.

use super::next::Turn;
use super::rescue::remove;
use super::steps::Step;
use super::view::View;
use crate::domain::Next;

/// Cleans the host of the last one before the next one goes; the leader goes last.
pub(super) fn next(view: &View) -> Turn {
    retire(view).or_else(|| {
        let voters = view.leaving.iter().filter(|it| !it.member.is_learner);
        let leaving = voters.map(|it| (it.member, it.key));
        // A key that went to another machine while its member serves is not urgent either.
        let moved = view.absent().map(|(seat, member)| (member, Some(seat.name)));
        let (member, key) = leaving.chain(moved).min_by_key(|(it, _)| it.is_leader())?;
        if !view.observed.done.snapshot
            && let Some((from, _)) = view.helper(member.id)
        {
            return Some(Next::Act(view.snapshot(from)));
        }
        Some(remove(view, member, key))
    })
}

/// A former host that answers, holds our record, and whose member is not in the list any more.
fn retire(view: &View) -> Turn {
    let is_over = |facts: &super::observed::Facts| {
        facts.is_ours() && facts.data.is_none_or(|it| !view.lists(it.member))
    };
    let mut over = view.other_hosts().filter(|(_, it)| it.host.seen().is_some_and(is_over));
    let (host, _) = over.next()?;
    Some(Next::Act(Step::Retire { host: host.clone() }))
}
