//! Nodes whose keys have left the map or went to another machine, once all others serve.

use super::arguments::Component;
use super::next::Turn;
use super::refusal::Refusal;
use super::steps::Step;
use super::view::{View, others};
use crate::domain::Next;
use crate::domain::host::Owner;

/// One at a time, the leaders last.
pub(super) fn next(view: &View) -> Turn {
    let seen = others(view.observed).filter_map(|(name, it)| Some((name, it.seen()?)));
    let ours = seen.filter(|(_, it)| it.owner.is_us());
    let leads =
        |name| [Component::ControllerManager, Component::Scheduler].map(|it| view.leads(name, it));
    let (name, facts) = ours.min_by_key(|(name, _)| leads(name))?;
    // It may be that machine under another key and address: nobody leaves before it was looked at.
    let unseen = view.never_seen();
    if !unseen.is_empty() {
        return Some(Next::Refuse(Refusal::Unseen(unseen)));
    }
    let was_whole = matches!(facts.owner, Owner::Ours { .. });
    let turn = Some(Next::Act(Step::Retire { host: name.clone(), was_whole }));
    if !view.seen().any(|(_, it)| it.serves()) {
        return Some(Next::Refuse(Refusal::WouldStopLast(name.clone())));
    }
    if facts.serves() { view.bars_stop_of(name).or(turn) } else { turn }
}
