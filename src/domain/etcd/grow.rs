//! New members: a learner first, one at a time.

use super::bootstrap::{outfit, too_small};
use super::finish::{joining_version, settling};
use super::next::Turn;
use super::observed::Alarm;
use super::refusal::Refusal;
use super::steps::Step;
use super::view::View;
use crate::domain::Next;

/// All newcomers are made ready together, and join one after the other.
pub(super) fn next(view: &View) -> Turn {
    let has_learner = |it: &&super::view::Seat| it.member.is_some_and(|it| it.is_learner);
    if let Some(seat) = view.seats.iter().find(has_learner) {
        return Some(Next::Refuse(Refusal::Silent(vec![seat.name.clone()])));
    }
    let new = view.seats.iter().filter(|it| it.member.is_none());
    let new: Vec<_> = new.filter_map(|it| Some((it, it.facts?))).collect();
    let (first, _) = new.first()?;
    let unhealthy = view.unhealthy();
    if !unhealthy.is_empty() {
        return Some(Next::Refuse(Refusal::Unhealthy(unhealthy)));
    }
    if view.cluster.has_alarm(Alarm::NoSpace) {
        return Some(Next::Refuse(Refusal::NoSpace));
    }
    let version = joining_version(view);
    if version == view.desired.version
        && let Err(fault) = version.check_new()
    {
        return Some(Next::Refuse(Refusal::Version(fault)));
    }
    // Its member is not in the list any more, so nobody can ever use it again. Without its data it may still be started
    // over and over by systemd, and would be taken for a learner that hangs.
    if let Some((seat, _)) = new.iter().find(|(_, it)| it.data.is_some() || !it.unit.is_down()) {
        return Some(Next::Act(Step::MoveAside { host: seat.name.clone() }));
    }
    let hosts: Vec<_> = new.iter().map(|(seat, facts)| (seat.name, *facts)).collect();
    if let Some(refusal) = too_small(&hosts, view.desired) {
        return Some(Next::Refuse(refusal));
    }
    if let Some(step) = outfit(&hosts, version, None) {
        return Some(Next::Act(step));
    }
    if !view.cluster.is_settled {
        return Some(settling());
    }
    let peer_url = view.url(first);
    Some(Next::Act(Step::AddLearner { host: first.name.clone(), peer_url }))
}
