//! What an earlier run left half done comes before anything new.

use super::bootstrap::{names_of, outfit};
use super::desired::Name;
use super::next::Turn;
use super::observed::{Certificates, Facts, Member, Unit};
use super::refusal::Refusal;
use super::steps::Step;
use super::version::Version;
use super::view::{Seat, View};
use crate::domain::Next;

/// Notes the quorum, renews what nobody accepts any more, and leads the one learner to its vote or out.
pub(super) fn next(view: &View) -> Turn {
    let members: Vec<_> = view.seats.iter().filter_map(member_host).collect();
    // With `new` on its disk, a member that loses its data could start a second cluster.
    let unnoted = names_of(&members, |it| it.is_ours() && (!it.is_formed || it.seeds.is_some()));
    if !unnoted.is_empty() {
        return Some(Next::Act(Step::RecordFormed { hosts: unnoted }));
    }
    if let Some(step) = renew_refused(view) {
        return Some(Next::Act(step));
    }
    let learners: Vec<_> = view.cluster.members.iter().filter(|it| it.is_learner).collect();
    let seat = |learner: &Member| seat_of(view, learner);
    // Of several, those that nobody waits for go first.
    let learner = match learners.as_slice() {
        [] => return None,
        [one] => one,
        several => {
            let of_no_use = several.iter().find(|it| seat(it).is_none());
            return Some(drop(view, of_no_use.unwrap_or(&several[several.len() - 1])));
        }
    };
    match seat(learner) {
        Some(seat) => lead(view, seat, learner),
        None => Some(drop(view, learner)),
    }
}

/// What nobody accepts is renewed before all else.
pub(super) fn renew_refused(view: &View) -> Option<Step> {
    let is_refused = |it: &&Seat| {
        let is_ill = it.member.is_some_and(|it| !it.is_healthy());
        it.holds && it.facts.is_some_and(|it| is_refused(it) || is_ill && is_for_others(it))
    };
    let refused = view.seats.iter().filter(is_refused);
    let hosts: Vec<_> = refused.map(|it| it.name.clone()).collect();
    (!hosts.is_empty()).then_some(Step::Certify { hosts })
}

/// Nobody accepts its certificates, so nothing else can be done with its member.
pub(super) fn is_refused(facts: &Facts) -> bool {
    matches!(facts.certificates, Certificates::Missing | Certificates::Invalid)
}

/// Nobody may find the name in its certificates by which the member is reached.
pub(super) fn is_for_others(facts: &Facts) -> bool {
    facts.certificates == Certificates::OtherNames
}

/// The host of a member whose data it holds.
fn member_host<'a>(seat: &Seat<'a>) -> Option<(&'a Name, &'a Facts)> {
    Some((seat.name, seat.facts.filter(|_| seat.holds)?))
}

/// The key that this learner is for: by its data, or by its address.
fn seat_of<'a, 'b>(view: &'b View<'a>, learner: &Member) -> Option<&'b Seat<'a>> {
    let seat = view.seats.iter().find(|it| it.member.is_some_and(|it| it.id == learner.id))?;
    let is_ours = seat.holds || learner.peer_urls.contains(&view.url(seat));
    is_ours.then_some(seat)
}

fn lead(view: &View, seat: &Seat, learner: &Member) -> Turn {
    let host = || seat.name.clone();
    if learner.is_healthy() {
        if !view.cluster.is_in_sync(learner) {
            return Some(Next::Wait(format!("{} to catch up", seat.name)));
        }
        if !view.cluster.is_settled {
            return Some(settling());
        }
        return Some(Next::Act(Step::Promote { host: host(), member: learner.id }));
    }
    // Growing waits for a host that does not answer.
    let facts = seat.facts?;
    if seat.holds {
        // A member that has its data is rescued like the others; but nothing depends on this one.
        let is_ill = facts.unit.is_down() || facts.unit == Unit::Stuck;
        let is_in_vain = is_ill && view.observed.done.started.contains(seat.name);
        return is_in_vain.then(|| Next::Act(Step::StartOver { host: host(), member: learner.id }));
    }
    if facts.data.is_some() {
        return Some(drop(view, learner));
    }
    // The host was looked at before the members were asked: in between it may have made its data and told its name.
    if facts.unit == Unit::Starting {
        return Some(Next::Wait(format!("{} to join", seat.name)));
    }
    if !learner.name.is_empty() || !facts.unit.is_down() {
        return Some(drop(view, learner));
    }
    let step = outfit(&[(seat.name, facts)], joining_version(view), None);
    Some(Next::Act(step.unwrap_or_else(|| Step::StartLearner { host: host() })))
}

/// What a newcomer runs: as the others do, until an upgrade has begun.
pub(super) fn joining_version(view: &View) -> Version {
    let wanted = view.desired.version;
    let voters = view.cluster.members.iter().filter(|it| !it.is_learner);
    let running: Vec<_> = voters.filter_map(|it| it.status).map(|it| it.version).collect();
    if running.iter().any(|it| it.minor == wanted.minor) {
        return wanted;
    }
    running.into_iter().min().unwrap_or(wanted)
}

pub(super) fn settling() -> Next<Step, Refusal> {
    Next::Wait("the members to be connected for 5 s".to_owned())
}

fn drop(view: &View, learner: &Member) -> Next<Step, Refusal> {
    let has_it = |it: &&Seat| it.member.is_some_and(|it| it.id == learner.id);
    let left = view.leaving.iter().find(|it| it.member.id == learner.id);
    let host = view.seats.iter().find(has_it).map(|it| it.name);
    let host = host.or_else(|| left.and_then(|it| it.key));
    Next::Act(Step::DropLearner {
        label: learner.label(),
        member: learner.id,
        host: host.cloned(),
        has_started: !learner.name.is_empty(),
    })
}
