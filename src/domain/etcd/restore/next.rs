//! Facts in, one step out.

use super::{Begun, Found, Observed, Progress, Refusal, Step, Wanted};
use crate::domain::Next;
use crate::domain::etcd::bootstrap::{names_of, outfit, too_small};
use crate::domain::etcd::next::refuse_hosts;
use crate::domain::etcd::observed::{Facts, Host, Unit};
use crate::domain::etcd::view::others;
use crate::domain::etcd::{self, Desired, Name};

/// The generation of a restore that only its end can make good: some of these hosts have the new data in place.
pub fn half_done<'a>(progress: impl Iterator<Item = &'a Progress> + Clone) -> Option<u64> {
    let done = progress.clone().map(|it| it.generation).max().unwrap_or_default();
    let switched = progress.filter(|it| it.is_switched);
    let begun = switched.filter_map(|it| it.begun.as_ref()).map(|it| it.generation);
    begun.filter(|it| done < *it).max()
}

/// The one next step of a restore.
///
/// # Guarantees
/// - No member stops before every host has what takes its place.
/// - No member starts with the new data while one may run with the old.
/// - What was restored once under a generation is never restored again.
pub fn next(desired: &Desired, wanted: &Wanted, observed: &Observed) -> Next<Step, Refusal> {
    let all = observed.progress.iter();
    if observed.progress.values().any(|it| wanted.generation <= it.generation) {
        let left = all.filter(|(_, it)| it.begun.is_some());
        let hosts: Vec<_> = left.map(|(name, _)| name.clone()).collect();
        let generation = wanted.generation;
        return if hosts.is_empty() {
            Next::Done
        } else {
            Next::Act(Step::Finish { hosts, generation })
        };
    }
    let facts = |it: &Name| observed.etcd.hosts.get(it).and_then(Host::seen);
    let hosts: Vec<_> =
        desired.members.keys().filter_map(|it| Some(Seat::new(it, facts(it)?, observed))).collect();
    if hosts.len() < desired.members.len() {
        let silent = desired.members.keys().filter(|it| facts(it).is_none());
        return Next::Refuse(Refusal::Silent(silent.cloned().collect()));
    }
    let is_switched = hosts.iter().any(|it| it.progress.is_switched);
    if !is_switched && let Some(refusal) = refuse(desired, wanted, observed, &hosts) {
        return Next::Refuse(refusal);
    }
    let Some(begun) = pinned(wanted, &hosts) else {
        return find(desired, wanted, observed, &hosts);
    };
    let unlike = names(&hosts, |it| it.progress.begun.as_ref() != Some(begun));
    if !unlike.is_empty() {
        return Next::Act(Step::Begin { hosts: unlike, like: Some(begun.clone()) });
    }
    let prepares = prepare(desired, &hosts);
    if let Some(step) = prepares.or_else(|| switch(observed, &hosts)) {
        return Next::Act(step);
    }
    finish(wanted, observed, &hosts, begun)
}

/// A wanted host.
struct Seat<'a> {
    name: &'a Name,
    facts: &'a Facts,
    progress: Progress,
}

impl<'a> Seat<'a> {
    fn new(name: &'a Name, facts: &'a Facts, observed: &Observed) -> Self {
        Self { name, facts, progress: observed.progress.get(name).cloned().unwrap_or_default() }
    }
}

fn names(hosts: &[Seat], is_it: impl Fn(&Seat) -> bool) -> Vec<Name> {
    hosts.iter().filter(|it| is_it(it)).map(|it| it.name.clone()).collect()
}

/// What must be right before anything begins.
fn refuse(
    desired: &Desired,
    wanted: &Wanted,
    observed: &Observed,
    hosts: &[Seat],
) -> Option<Refusal> {
    if let Some(refusal) = refuse_hosts(&observed.etcd) {
        return Some(Refusal::Cluster(refusal));
    }
    let seen: Vec<_> = hosts.iter().map(|it| (it.name, it.facts)).collect();
    if let Some(refusal) = too_small(&seen, desired) {
        return Some(Refusal::Cluster(refusal));
    }
    let size = desired.members.len();
    if size.is_multiple_of(2) {
        return Some(Refusal::Cluster(etcd::Refusal::EvenStart(size)));
    }
    if observed.etcd.cluster.is_some() && !wanted.discards {
        return Some(Refusal::HasQuorum);
    }
    let silent = others(&observed.etcd).filter(|(_, it)| it.host.seen().is_none());
    let silent = silent.filter(|(name, _)| !desired.lost_hosts.contains(*name));
    let silent: Vec<_> = silent.map(|(name, _)| name.clone()).collect();
    if !silent.is_empty() {
        return Some(Refusal::SilentMembers(silent));
    }
    let unknown = &observed.clients.unknown;
    (!unknown.is_empty() && !wanted.clients_stopped)
        .then(|| Refusal::Clients(unknown.iter().cloned().collect()))
}

/// What was begun and is gone on with. One that has switched decides.
fn pinned<'a>(wanted: &Wanted, hosts: &'a [Seat]) -> Option<&'a Begun> {
    let begun = |it: &'a Seat| it.progress.begun.as_ref();
    if let Some(switched) = hosts.iter().find(|it| it.progress.is_switched) {
        return begun(switched);
    }
    let is_it = |it: &&Begun| it.generation == wanted.generation && it.source == wanted.source;
    // Somebody has the snapshot: otherwise it has to be found once more.
    hosts.iter().filter(|it| it.progress.has_file).filter_map(begun).find(is_it)
}

/// Finds the snapshot, and begins with it.
fn find(
    desired: &Desired,
    wanted: &Wanted,
    observed: &Observed,
    hosts: &[Seat],
) -> Next<Step, Refusal> {
    if let Some(found) = &observed.found {
        return match unfit(desired, wanted, found) {
            Some(refusal) => Next::Refuse(refusal),
            None => Next::Act(Step::Begin { hosts: names(hosts, |_| true), like: None }),
        };
    }
    if wanted.is_of_survivor
        && let Some(turn) = wake(observed, hosts)
    {
        return turn;
    }
    Next::Act(Step::Find { source: wanted.source.clone() })
}

/// The newest data can be told from older only when all that is left has answered.
fn wake(observed: &Observed, hosts: &[Seat]) -> Option<Next<Step, Refusal>> {
    let holds = |it: &Seat| it.facts.is_ours() && it.facts.data.is_some();
    if !hosts.iter().any(holds) {
        return Some(Next::Refuse(Refusal::NoSurvivor));
    }
    let down = names(hosts, |it| holds(it) && it.facts.unit.is_down());
    if !down.is_empty() {
        return Some(Next::Act(Step::Outfit(etcd::Step::Start { hosts: down })));
    }
    let is_heard = |it: &Seat| observed.heard.contains(it.name);
    let starts = |it: &&Seat| holds(it) && !is_heard(it) && it.facts.unit != Unit::Stuck;
    if let Some(seat) = hosts.iter().find(starts) {
        return Some(Next::Wait(format!("{} to tell how far its data goes", seat.name)));
    }
    (!hosts.iter().any(is_heard)).then_some(Next::Refuse(Refusal::NoSurvivor))
}

/// A snapshot of something else.
fn unfit(desired: &Desired, wanted: &Wanted, found: &Found) -> Option<Refusal> {
    let origin = found.origin.as_ref()?;
    let is_same = match &wanted.resource {
        Some(resource) => origin.resource == *resource,
        None => origin.cluster == desired.name.to_string(),
    };
    let name = origin.name.clone();
    if !is_same {
        let (cluster, resource) = (origin.cluster.clone(), origin.resource.clone());
        return Some(Refusal::OtherCluster { name, cluster, resource });
    }
    let is_fit = origin.version.is_some_and(|it| it.minor == desired.version.minor);
    let (version, wanted) = (origin.version, desired.version);
    (!is_fit).then_some(Refusal::OtherMinor { name, version, wanted })
}

/// All that is made while the cluster goes on.
fn prepare(desired: &Desired, hosts: &[Seat]) -> Option<Step> {
    let pending: Vec<_> = hosts.iter().filter(|it| !it.progress.is_switched).collect();
    let unprepared = || pending.iter().filter(|it| !it.progress.is_prepared);
    let bare: Vec<_> = unprepared().map(|it| (it.name, it.facts)).collect();
    match outfit(&bare, desired.version, None) {
        // It comes with the data.
        None | Some(etcd::Step::Prepare { .. }) => {}
        Some(step) => return Some(Step::Outfit(step)),
    }
    let without: Vec<_> =
        unprepared().filter(|it| !it.progress.has_file).map(|it| it.name.clone()).collect();
    if !without.is_empty() {
        return Some(Step::Bring { hosts: without });
    }
    let bare = names_of(&bare, |_| true);
    (!bare.is_empty()).then_some(Step::Prepare { hosts: bare })
}

/// What cannot be taken back.
fn switch(observed: &Observed, hosts: &[Seat]) -> Option<Step> {
    let pending = names(hosts, |it| !it.progress.is_switched);
    if pending.is_empty() {
        return None;
    }
    let clients: Vec<_> = observed.clients.up.iter().cloned().collect();
    if !clients.is_empty() {
        return Some(Step::StopClients { clients });
    }
    let up = names(hosts, |it| !it.progress.is_switched && !it.facts.unit.is_down());
    let is_up = |it: &Facts| it.is_ours() && !it.unit.is_down();
    let former = others(&observed.etcd).filter(|(_, it)| it.host.seen().is_some_and(is_up));
    let former: Vec<_> = former.map(|(name, _)| name.clone()).collect();
    if !up.is_empty() || !former.is_empty() {
        return Some(Step::Stop { hosts: up, former });
    }
    Some(Step::Switch { hosts: pending })
}

fn finish(
    wanted: &Wanted,
    observed: &Observed,
    hosts: &[Seat],
    begun: &Begun,
) -> Next<Step, Refusal> {
    let down = names(hosts, |it| it.facts.unit.is_down());
    if !down.is_empty() {
        return Next::Act(Step::Start { hosts: down });
    }
    if let Some(seat) = hosts.iter().find(|it| it.facts.unit == Unit::Stuck) {
        let host = seat.name.clone();
        return Next::Act(Step::Outfit(etcd::Step::Restart { host }));
    }
    let serves = observed.etcd.cluster.as_ref().is_some_and(|it| it.id == begun.cluster);
    if !serves || hosts.iter().any(|it| it.facts.unit != Unit::Running) {
        return Next::Wait("the restored members to serve".to_owned());
    }
    let clients: Vec<_> = observed.clients.stopped.iter().cloned().collect();
    if !clients.is_empty() {
        return Next::Act(Step::StartClients { clients });
    }
    // That of the restore that was begun, should the wish have gone on meanwhile.
    let generation = begun.generation.min(wanted.generation);
    Next::Act(Step::Finish { hosts: names(hosts, |_| true), generation })
}
