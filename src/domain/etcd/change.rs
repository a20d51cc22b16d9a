//! New versions, settings, names and addresses: one member at a time, followers first, the leader last.

use super::bootstrap::{is_wish, names_of, too_small};
use super::next::Turn;
use super::observed::{Alarm, Certificates, Member};
use super::refusal::Refusal;
use super::steps::Step;
use super::version::Version;
use super::view::{Seat, View};
use crate::domain::Next;

/// The first minor that reads no requests of v2.
const READS_NO_V2: u16 = 7;

/// A member to change.
struct Candidate<'a> {
    seat: &'a Seat<'a>,
    member: &'a Member,
    runs: Version,
}

/// Everything is brought to the hosts before the first restart.
pub(super) fn next(view: &View) -> Turn {
    let version = view.desired.version;
    let candidates: Vec<_> = view.seats.iter().filter_map(|it| candidate(view, it)).collect();
    if let Some(refusal) = candidates.iter().find_map(|it| refuse(view, it)) {
        return Some(Next::Refuse(refusal));
    }
    let changing: Vec<_> =
        candidates.iter().filter_map(|it| Some((it.seat.name, it.seat.facts?))).collect();
    if let Some(refusal) = too_small(&changing, view.desired) {
        return Some(Next::Refuse(refusal));
    }
    let hosts: Vec<_> = view.seats.iter().filter_map(|it| Some((it.name, it.facts?))).collect();
    let others = names_of(&hosts, |it| it.certificates == Certificates::OtherNames);
    if !others.is_empty() {
        return Some(Next::Act(Step::Certify { hosts: others }));
    }
    let unstaged = names_of(&hosts, |it| !it.staged.contains(&version));
    if !unstaged.is_empty() {
        return Some(Next::Act(Step::Stage { hosts: unstaged, version }));
    }
    let order = |it: &&Candidate| (view.taken_by(it.seat).is_some(), it.member.is_leader());
    if let Some(candidate) = candidates.iter().min_by_key(order) {
        return Some(roll(view, candidate, &candidates));
    }
    let edited = names_of(&hosts, |it| !is_wish(it.on_disk, version));
    if !edited.is_empty() {
        return Some(Next::Act(Step::Rewrite { hosts: edited }));
    }
    let silent = view.seats.iter().filter(|it| it.facts.is_none() && is_behind(view, it));
    let silent: Vec<_> = silent.map(|it| it.name.clone()).collect();
    (!silent.is_empty()).then_some(Next::Refuse(Refusal::Silent(silent)))
}

fn candidate<'a>(view: &'a View<'a>, seat: &'a Seat<'a>) -> Option<Candidate<'a>> {
    let (facts, member) = (seat.facts?, seat.member?);
    let running = facts.running?;
    let is_moved = !member.peer_urls.contains(&view.url(seat));
    (!running.is_wish(view.desired.version) || is_moved).then_some(Candidate {
        seat,
        member,
        runs: running.version,
    })
}

/// What stands against a new version.
fn refuse(view: &View, candidate: &Candidate) -> Option<Refusal> {
    let (from, to) = (candidate.runs, view.desired.version);
    if from == to {
        return None;
    }
    if let Err(fault) = from.check_upgrade(to) {
        return Some(Refusal::Version(fault));
    }
    if view.cluster.has_alarm(Alarm::NoSpace) {
        return Some(Refusal::NoSpace);
    }
    let unhealthy = view.unhealthy();
    (from.minor != to.minor && !unhealthy.is_empty()).then_some(Refusal::Unhealthy(unhealthy))
}

fn roll(view: &View, candidate: &Candidate, all: &[Candidate]) -> Next<Step, Refusal> {
    let Candidate { seat, member, .. } = candidate;
    let (cluster, version) = (view.cluster, view.desired.version);
    if let Some(other) = view.taken_by(seat) {
        let (name, other) = (seat.name.clone(), other.label());
        return Next::Refuse(Refusal::AddressTaken { name, other });
    }
    let is_minor = all.iter().any(|it| it.runs.minor != version.minor);
    if is_minor && !view.observed.done.snapshot {
        let from = view.helper(member.id).map_or(seat.name, |(name, _)| name);
        return Next::Act(view.snapshot(from));
    }
    if let Some(step) = cut_logs(view, all) {
        return Next::Act(step);
    }
    // One or two cannot do without each other: then all must be well, so that the pause is short.
    let is_small = cluster.voters() <= 2 && cluster.healthy() == cluster.voters();
    if !is_small && !cluster.bears_loss_of(member) {
        let (healthy, voters) = (cluster.healthy() - 1, cluster.voters());
        return Next::Refuse(Refusal::WouldLoseQuorum { without: member.label(), healthy, voters });
    }
    if let Some((to, helper)) = view.helper(member.id)
        && member.is_leader()
    {
        let (from, to) = (member.label(), to.clone());
        return Next::Act(Step::MoveLeader { from, to, member: helper.id });
    }
    let (host, peer_url) = (seat.name.clone(), view.url(seat));
    if !member.peer_urls.contains(&peer_url) {
        // Should the run break off now, no list could tell the next one where this member is.
        if cluster.voters() == 2 {
            return Next::Refuse(Refusal::OneOfTwoMoves(host));
        }
        return Next::Act(Step::UpdatePeerUrl { host, member: member.id, peer_url });
    }
    Next::Act(Step::Reconfigure { host, version })
}

/// What members of 3.5 wrote into the log when they joined, 3.7 cannot read, and ends (`applyEntryNormal` in etcd's
/// server/etcdserver/server.go, which lost its branch for requests of v2). A member of 3.6 that has written down its
/// state since the last one of 3.5 was there starts from that, and not from the log before it.
fn cut_logs(view: &View, all: &[Candidate]) -> Option<Step> {
    let version = view.desired.version;
    let may_hold_them =
        all.iter().filter(|it| it.runs.minor < READS_NO_V2 && READS_NO_V2 <= version.minor);
    let hosts: Vec<_> = may_hold_them.map(|it| it.seat.name.clone()).collect();
    (!hosts.is_empty() && !view.observed.done.cut_logs).then_some(Step::CutLog { hosts, version })
}

/// Whether a host that does not answer ran something else when it last did.
fn is_behind(view: &View, seat: &Seat) -> bool {
    let last = match view.observed.hosts.get(seat.name) {
        Some(super::observed::Host::Unseen { last }) => *last,
        _ => None,
    };
    !is_wish(last, view.desired.version)
}
