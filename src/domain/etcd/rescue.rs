//! Members that are down are started again; removed only what is proven to be gone or asked to go.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::bootstrap::names_of;
use super::desired::{Desired, Name};
use super::finish::{is_for_others, is_refused, renew_refused, settling};
use super::next::Turn;
use super::observed::{Alarm, ClusterId, Data, Facts, Host, Member, Observed, Unit, quorum};
use super::refusal::Refusal;
use super::steps::Step;
use super::version::Version;
use super::view::{Leaving, Seat, View, others};
use crate::domain::Next;

/// What is ill, from what can be started to what has to be removed.
pub(super) fn next(view: &View) -> Turn {
    restart(view).or_else(|| corrupt(view)).or_else(|| gone(view)).or_else(|| dead(view))
}

/// A quorum was once seen, and now no list can be had: whatever holds data is started, and nothing else is touched.
pub(super) fn revive(desired: &Desired, observed: &Observed) -> Next<Step, Refusal> {
    let wanted = observed.hosts.iter().filter(|(name, _)| desired.members.contains_key(*name));
    // A name means the wanted host of that key, where there is one.
    let former = others(observed).filter(|(name, _)| !desired.members.contains_key(*name));
    let former = former.map(|(name, it)| (name, &it.host));
    let all = wanted.chain(former).filter_map(|(name, host)| Some((name, host.seen()?)));
    let has_vote = |it: &Facts| it.data.is_some_and(|it| observed.last_voters.contains(&it.member));
    let is_wanted = |it: &Name| desired.members.contains_key(it);
    // The data of a former member that was removed is as intact as that of one that is still needed.
    let is_of_use = |name: &Name, it: &Facts| is_wanted(name) || has_vote(it);
    let is_intact = |it: &Facts| it.is_ours() && holds(it.data, observed.known);
    let intact: Vec<_> = all.filter(|(name, it)| is_intact(it) && is_of_use(name, it)).collect();
    let refused = names_of(&intact, |it| is_refused(it) || is_for_others(it));
    if !refused.is_empty() {
        return Next::Act(Step::Certify { hosts: refused });
    }
    for (name, facts) in &intact {
        let Some(place) = desired.members.get(*name) else { continue };
        if let Some(turn) = relocate(name, facts, place.address, desired.version) {
            return turn;
        }
    }
    let down = names_of(&intact, |it| it.unit.is_down());
    if !down.is_empty() {
        return Next::Act(Step::Start { hosts: down });
    }
    // A learner helps nobody to find a leader.
    let counts = |it: &Facts| has_vote(it) || observed.last_voters.is_empty();
    let is_stuck = |it: &Facts| it.unit == Unit::Stuck && counts(it);
    if let Some((name, _)) = intact.iter().find(|(_, it)| is_stuck(it)) {
        return Next::Act(Step::Restart { host: (*name).clone() });
    }
    // A machine may be known by more than one former key.
    let able = intact.iter().filter(|(_, it)| has_vote(it)).filter_map(|(_, it)| it.data);
    let healthy = able.map(|it| it.member).collect::<BTreeSet<_>>().len();
    let voters = observed.last_voters.len();
    if voters == 0 {
        return Next::Refuse(unknown_to_all(desired, observed));
    }
    if healthy < quorum(voters) {
        return Next::Refuse(Refusal::QuorumLost { healthy, voters, needed: quorum(voters) });
    }
    Next::Wait("the members to find a leader".to_owned())
}

/// No host that answers remembers who had a vote.
fn unknown_to_all(desired: &Desired, observed: &Observed) -> Refusal {
    let is_wanted = |it: &Name| desired.members.contains_key(it);
    let silent = |(name, host): (&Name, &Host)| host.seen().is_none().then(|| name.clone());
    let former = || others(observed).map(|(name, it)| (name, &it.host));
    let left = former().filter(|(name, _)| !is_wanted(name));
    let unseen: Vec<Name> = observed.hosts.iter().chain(left).filter_map(silent).collect();
    let moved = former().filter(|(name, _)| is_wanted(name));
    let moved: Vec<Name> = moved.filter_map(silent).collect();
    let is_anybody_seen = observed.hosts.values().any(|it| it.seen().is_some());
    match (unseen.is_empty(), moved.is_empty()) {
        (true, true) => Refusal::NothingLeft,
        (true, false) => Refusal::FormerSilent(moved),
        (false, _) if is_anybody_seen => Refusal::Unseen(unseen),
        (false, _) => Refusal::NobodyAnswers(unseen),
    }
}

/// A member must be where the others look for it, and without a list nobody can tell them of another place.
fn relocate(name: &Name, facts: &Facts, wished: IpAddr, version: Version) -> Turn {
    let is = facts.running.or(facts.on_disk).map_or(wished, |it| it.address);
    let told = facts.told.unwrap_or(is);
    if told != wished && told != is {
        return Some(Next::Refuse(Refusal::OtherAddressFirst { name: name.clone(), told }));
    }
    // What runs in its place may be about to find a leader.
    let is_lost = told != is || facts.unit.is_down() || facts.unit == Unit::Stuck;
    if told != wished || !is_lost {
        return None;
    }
    let version = needs_settings(facts, version)?;
    Some(Next::Act(reconfigure(name, facts, version)))
}

fn holds(data: Option<Data>, known: Option<ClusterId>) -> bool {
    data.is_some_and(|it| known.is_none_or(|known| known == it.cluster))
}

/// A member that does not serve gets the settings that are wished before it is started again: they may be the remedy.
/// Of the versions only a later patch is; a minor comes with an upgrade.
fn needs_settings(facts: &Facts, wanted: Version) -> Option<Version> {
    let Some(on_disk) = facts.on_disk else {
        return Some(facts.staged.first().copied().unwrap_or(wanted));
    };
    let is_remedy = on_disk.version.minor == wanted.minor && on_disk.version < wanted;
    let version = if is_remedy { wanted } else { on_disk.version };
    let runs_other = facts.running.is_some_and(|it| !it.is_wish(version));
    (!on_disk.is_wish(version) || runs_other).then_some(version)
}

/// A member with wrong data makes the others refuse writes, and cannot be mended.
fn corrupt(view: &View) -> Turn {
    let alarms = view.cluster.alarms.iter().filter(|(_, it)| *it == Alarm::Corrupt);
    for (id, _) in alarms {
        if !view.lists(*id) {
            return Some(Next::Act(Step::Disarm { member: *id }));
        }
        let seat = view.seats.iter().find(|it| it.member.is_some_and(|it| it.id == *id));
        let Some((seat, member)) = seat.and_then(|it| Some((it, it.member?))) else { continue };
        // It could not be added again.
        if seat.facts.is_none() {
            return Some(Next::Refuse(Refusal::Silent(vec![seat.name.clone()])));
        }
        return Some(remove(view, member, Some(seat.name)));
    }
    None
}

fn restart(view: &View) -> Turn {
    // A corrupt one may never come up again, and is to be replaced anyway.
    let is_sound = |it: &Member| !view.cluster.alarms.contains(&(it.id, Alarm::Corrupt));
    let is_ill = |it: &&Seat| {
        let is_down = it.member.is_some_and(|it| !it.is_healthy() && is_sound(it));
        it.holds && (is_down || is_half_moved(view, it))
    };
    let seats: Vec<_> = view.seats.iter().filter(is_ill).collect();
    let remedy = seats.iter().find_map(|it| remedy(view, it));
    if let Some(step) = remedy {
        return Some(Next::Act(step));
    }
    let ill: Vec<_> = seats.iter().filter_map(|it| Some((it.name, it.facts?))).collect();
    start(&ill)
}

/// Members that do not serve are started or waited for; nothing else is touched.
pub(super) fn await_those_that_hold_data(view: &View) -> Turn {
    if let Some(step) = renew_refused(view) {
        return Some(Next::Act(step));
    }
    let is_ill = |it: &&Seat| it.holds && it.member.is_some_and(|it| !it.is_healthy());
    let ill = view.seats.iter().filter(is_ill);
    start(&ill.filter_map(|it| Some((it.name, it.facts?))).collect::<Vec<_>>())
}

fn start(ill: &[(&Name, &Facts)]) -> Turn {
    let down = names_of(ill, |it| it.unit.is_down());
    if !down.is_empty() {
        return Some(Next::Act(Step::Start { hosts: down }));
    }
    if let Some((name, _)) = ill.iter().find(|(_, it)| it.unit == Unit::Stuck) {
        return Some(Next::Act(Step::Restart { host: (*name).clone() }));
    }
    ill.first().map(|(name, _)| Next::Wait(format!("{name} to serve")))
}

/// A single member serves on its old address, where no second one would find it.
fn is_half_moved(view: &View, seat: &Seat) -> bool {
    let is_told = seat.member.is_some_and(|it| it.peer_urls.contains(&view.url(seat)));
    let runs = seat.facts.and_then(|it| it.running);
    view.cluster.voters() == 1 && is_told && runs.is_some_and(|it| it.address != seat.place.address)
}

/// What a member needs beside a start: the others have to know its address, and it its settings.
fn remedy(view: &View, seat: &Seat) -> Option<Step> {
    let (facts, member) = (seat.facts?, seat.member?);
    if facts.unit == Unit::Starting {
        return None;
    }
    let peer_url = view.url(seat);
    if !member.peer_urls.contains(&peer_url) {
        let is_free = view.taken_by(seat).is_none() && !member.is_learner;
        let (host, member) = (seat.name.clone(), member.id);
        return is_free.then_some(Step::UpdatePeerUrl { host, member, peer_url });
    }
    let version = needs_settings(facts, view.desired.version)?;
    Some(reconfigure(seat.name, facts, version))
}

fn reconfigure(name: &Name, facts: &Facts, version: Version) -> Step {
    if facts.staged.contains(&version) {
        return Step::Reconfigure { host: name.clone(), version };
    }
    Step::Stage { hosts: vec![name.clone()], version }
}

/// Whether the host of this key was edited since its member was made.
pub(super) fn has_moved(view: &View, name: &Name) -> bool {
    view.observed.former.contains_key(name)
}

/// The machine behind the key answers, and does not hold what the member had.
fn gone(view: &View) -> Turn {
    let gone =
        || view.absent().filter(|(seat, it)| !(it.is_healthy() && has_moved(view, seat.name)));
    let (seat, member) = gone().min_by_key(|(_, it)| it.is_healthy())?;
    if seat.facts.is_some_and(|it| it.unit == Unit::Starting) {
        return Some(Next::Wait(format!("{} to join", seat.name)));
    }
    if member.is_healthy() {
        return Some(Next::Refuse(Refusal::Elsewhere(seat.name.clone())));
    }
    Some(remove(view, member, Some(seat.name)))
}

/// Its key has left the map and it does not serve: it goes before anybody comes, who would raise the quorum.
fn dead(view: &View) -> Turn {
    let leaving =
        view.leaving.iter().find(|it| !it.member.is_learner && !it.member.is_healthy())?;
    Some(remove(view, leaving.member, leaving.key))
}

/// Takes the vote of a member, after the lead.
pub(super) fn remove(view: &View, member: &Member, host: Option<&Name>) -> Next<Step, Refusal> {
    let cluster = view.cluster;
    // The machine behind a key that has moved may be that of this member: then it is renamed, and not removed.
    let unseen = view.seats.iter().filter(|it| it.facts.is_none() && has_moved(view, it.name));
    let unseen: Vec<_> = unseen.map(|it| it.name.clone()).collect();
    if !unseen.is_empty() {
        return Next::Refuse(Refusal::Unseen(unseen));
    }
    if cluster.has_alarm(Alarm::NoSpace) {
        return Next::Refuse(Refusal::NoSpace);
    }
    if !cluster.bears_removal_of(member) {
        let healthy = cluster.healthy() - usize::from(member.is_healthy());
        let (without, voters) = (member.label(), cluster.voters() - 1);
        return Next::Refuse(Refusal::WouldLoseQuorum { without, healthy, voters });
    }
    if !cluster.is_settled {
        return settling();
    }
    // Where all who stay are ill, one that is to leave leads until they are well.
    let last = || {
        let fit = |it: &&Leaving| !it.member.is_learner && it.member.is_healthy();
        let mut all = view.leaving.iter().filter(fit).filter(|it| it.member.id != member.id);
        all.find_map(|it| Some((it.key?, it.member)))
    };
    match view.helper(member.id).or_else(last) {
        Some((to, helper)) if member.is_leader() => {
            Next::Act(Step::MoveLeader { from: member.label(), to: to.clone(), member: helper.id })
        }
        _ => Next::Act(Step::RemoveMember {
            label: member.label(),
            member: member.id,
            host: host.cloned(),
        }),
    }
}
