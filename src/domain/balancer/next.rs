//! Facts in, one step out.

use std::collections::BTreeMap;

use super::desired::{Desired, Install};
use super::observed::{Backend, Facts, Keepalived, Lies, Node, Observed, Process, Running};
use super::refusal::Refusal;
use super::steps::Step;
use crate::domain::Next;
use crate::domain::host::{MachineId, Owner};
use crate::domain::name::Name;

/// What a phase has to say. None: nothing is left to do in it.
type Turn = Option<Next<Step, Refusal>>;

/// The one next step towards what is desired.
///
/// # Guarantees
/// - One node after the other: the next one is touched when the one before serves with what is wished, and the one that
///   has the virtual IP comes last.
/// - What does not come up is put back, and no other node gets it.
/// - No proxy that serves is stopped while no other wanted one does. The virtual IP is moved away before.
/// - Nothing is started, removed or overwritten because a host did not answer; nothing of others is overwritten.
/// - What is as desired stays untouched: then it is done.
pub fn next(desired: &Desired, observed: &Observed) -> Next<Step, Refusal> {
    refuse(observed)
        .or_else(|| failed(observed))
        .or_else(|| prepare(desired, observed))
        .or_else(|| proxies(desired, observed))
        .or_else(|| former(desired, observed))
        .or_else(|| virtual_ip(desired, observed))
        .or_else(|| finish(desired, observed))
        .unwrap_or(Next::Done)
}

fn refuse(observed: &Observed) -> Turn {
    let mut machines: BTreeMap<&MachineId, &Name> = BTreeMap::new();
    for (key, facts) in observed.seen() {
        if let Some(refusal) = foreign(key, facts) {
            return Some(Next::Refuse(refusal));
        }
        if let Some(other) = machines.insert(&facts.machine, key) {
            let (name, other) = (key.clone(), other.clone());
            return Some(Next::Refuse(Refusal::SameMachine { name, other }));
        }
    }
    let is_silent = |it: &Node| it.seen().is_none();
    // Before anything is there, a host that does not answer may be one that does not exist.
    if !observed.is_known {
        let unseen = observed.nodes.iter().filter(|(_, it)| is_silent(it));
        let unseen: Vec<_> = unseen.map(|(key, _)| key.clone()).collect();
        if !unseen.is_empty() {
            return Some(Next::Refuse(Refusal::Unseen(unseen)));
        }
    }
    None
}

fn foreign(key: &Name, facts: &Facts) -> Option<Refusal> {
    let name = key.clone();
    match &facts.owner {
        Owner::Foreign(owner) => Some(Refusal::Foreign { name, owner: owner.clone() }),
        Owner::Newer(format) => Some(Refusal::Newer { name, format: *format }),
        Owner::Nobody => facts.foreign.clone().map(|path| Refusal::ForeignFile { name, path }),
        Owner::Unfinished | Owner::Ours { .. } => None,
    }
}

/// What this run has put back is not tried once more, anywhere.
fn failed(observed: &Observed) -> Turn {
    let (key, said) = observed.failed.first_key_value()?;
    let facts = observed.nodes.get(key).and_then(Node::seen);
    if facts.is_some_and(|it| it.proxy == Process::Starting) {
        return Some(Next::Wait(format!("{key} to serve as before")));
    }
    let (name, said) = (key.clone(), said.clone());
    Some(Next::Refuse(Refusal::DidNotComeUp { name, said }))
}

fn prepare(desired: &Desired, observed: &Observed) -> Turn {
    let those = |is_so: fn(&Facts) -> bool| -> Vec<Name> {
        observed.seen().filter(|it| is_so(it.1)).map(|it| it.0.clone()).collect()
    };
    if let Some((key, _)) = observed.seen().find(|(_, it)| !it.has_network) {
        return Some(Next::Refuse(Refusal::NoNetwork(key.clone())));
    }
    let cramped = observed.seen().find(|(_, it)| it.most_files < desired.open_files());
    if let Some((key, facts)) = cramped {
        let fits = desired.connections_for(facts.most_files);
        return Some(Next::Refuse(Refusal::TooFewFiles { name: key.clone(), fits }));
    }
    if let Some(turn) = strangers(desired, observed) {
        return Some(turn);
    }
    let unclaimed = those(|it| it.owner == Owner::Nobody);
    if !unclaimed.is_empty() {
        return Some(Next::Act(Step::Claim { hosts: unclaimed }));
    }
    let bare = those(|it| !it.has_programs);
    match (bare.is_empty(), desired.install) {
        (true, _) => None,
        (false, Install::Package) => Some(Next::Act(Step::Install { hosts: bare })),
        (false, Install::Never) => Some(Next::Refuse(Refusal::NoPrograms(bare))),
    }
}

/// While keepalived runs as it is wished, what there is of others was there before.
fn strangers(desired: &Desired, observed: &Observed) -> Turn {
    let current = Keepalived::Running { is_current: true };
    let is_settled = observed.seen().any(|(_, it)| it.keepalived == current);
    let hosts: Vec<_> = observed.seen().map(|(key, _)| key.clone()).collect();
    if desired.virtual_ip.is_none() || is_settled || hosts.is_empty() {
        return None;
    }
    match &observed.before {
        None => Some(Next::Act(Step::Listen { hosts })),
        Some(it) if !it.owners.is_empty() => {
            Some(Next::Refuse(Refusal::AddressTaken(it.owners.clone())))
        }
        Some(it) if !it.routers.is_empty() => {
            Some(Next::Refuse(Refusal::RouterIdTaken(it.routers.clone())))
        }
        Some(_) => None,
    }
}

/// Whoever has been begun with comes first, then whoever serves least: there is nothing to lose.
fn proxies(desired: &Desired, observed: &Observed) -> Turn {
    let mut nodes: Vec<_> = observed.seen().collect();
    let is_begun = |it: &Facts| {
        let is_proven = matches!(&it.proxy, Process::Running(it) if it.is_wished && !it.is_cramped);
        it.on_disk == Lies::Wished && !is_proven
    };
    nodes.sort_by_key(|(_, it)| (!is_begun(it), it.holds, it.serves()));
    nodes.into_iter().find_map(|(key, facts)| proxy(desired, observed, key, facts))
}

fn proxy(desired: &Desired, observed: &Observed, key: &Name, facts: &Facts) -> Turn {
    let host = || key.clone();
    if facts.on_disk != Lies::Wished {
        return Some(Next::Act(Step::Write { host: host() }));
    }
    let is_tried = observed.tried.contains(key);
    let step = match &facts.proxy {
        Process::Starting => return Some(Next::Wait(format!("{key} to come up"))),
        Process::Running(Running { is_cramped: true, .. }) if !is_tried => {
            return Some(make_room(desired, observed, key, facts));
        }
        Process::Running(Running { is_wished: true, backends, .. }) => {
            match change_backends(desired, key, backends) {
                Some(Step::Reload { .. }) if is_tried => return Some(put_back(key, facts)),
                Some(step) => step,
                None if facts.good != Lies::Wished => Step::Keep { host: host() },
                None => return None,
            }
        }
        _ if is_tried => return Some(put_back(key, facts)),
        Process::Running(_) => Step::Reload { host: host() },
        Process::Absent | Process::Stopped => Step::Start { host: host() },
        Process::Stuck => Step::Restart { host: host() },
    };
    Some(Next::Act(step))
}

/// The one change that stops a proxy: the system gives a process its room when it starts.
fn make_room(
    desired: &Desired,
    observed: &Observed,
    key: &Name,
    facts: &Facts,
) -> Next<Step, Refusal> {
    let others = || observed.seen().filter(|(other, _)| *other != key).map(|(_, it)| it);
    if 1 < desired.nodes.len() && !others().any(Facts::serves) {
        return revive_another(observed, key);
    }
    if facts.takes_part() {
        if facts.keepalived == (Keepalived::Running { is_current: false }) {
            return Next::Act(Step::Inform { host: key.clone() });
        }
        let mut rest = observed.seen().filter(|(other, it)| *other != key && it.serves());
        let heir = rest.find(|(_, it)| it.keepalived == Keepalived::Stopped);
        return Next::Act(match heir {
            Some((heir, _)) if !others().any(Facts::takes_part) => {
                Step::TakePart { host: heir.clone() }
            }
            _ => Step::MoveAway { host: key.clone() },
        });
    }
    if others().any(Facts::takes_part) && !observed.is_held() {
        return Next::Wait("another node to have the virtual IP".to_owned());
    }
    Next::Act(Step::Restart { host: key.clone() })
}

/// With whatever lies there: it is to serve meanwhile.
fn revive_another(observed: &Observed, key: &Name) -> Next<Step, Refusal> {
    let others = observed.seen().filter(|(it, _)| *it != key && !observed.tried.contains(*it));
    for (other, facts) in others {
        let host = other.clone();
        match facts.proxy {
            Process::Starting => return Next::Wait(format!("{other} to come up")),
            // Nothing lies there yet.
            Process::Absent if facts.on_disk != Lies::Wished => {
                return Next::Act(Step::Write { host });
            }
            Process::Absent | Process::Stopped => return Next::Act(Step::Start { host }),
            Process::Stuck => return Next::Act(Step::Restart { host }),
            Process::Running(_) => {}
        }
    }
    Next::Refuse(Refusal::WouldStopLast(key.clone()))
}

fn put_back(key: &Name, facts: &Facts) -> Next<Step, Refusal> {
    if facts.good == Lies::Other {
        return Next::Act(Step::PutBack { host: key.clone() });
    }
    let said = "it worked before, or nothing did: read its log".to_owned();
    Next::Refuse(Refusal::DidNotComeUp { name: key.clone(), said })
}

/// Newcomers first. A backend that is to go and has connections is left to the process that goes, which keeps them.
fn change_backends(
    desired: &Desired,
    key: &Name,
    present: &BTreeMap<Name, Backend>,
) -> Option<Step> {
    let host = || key.clone();
    let is_wished =
        |(name, it): &(&Name, &Backend)| desired.backends.get(*name) == Some(&it.endpoint);
    let those = |is_so: &dyn Fn(&(&Name, &Backend)) -> bool| -> Vec<Name> {
        present.iter().filter(|it| is_so(it)).map(|it| it.0.clone()).collect()
    };
    let missing = desired.backends.keys().filter(|it| !present.contains_key(*it));
    let names: Vec<_> = missing.cloned().collect();
    if !names.is_empty() {
        return Some(Step::AddBackends { host: host(), names });
    }
    let names = those(&|it| is_wished(it) && it.1.is_drained);
    if !names.is_empty() {
        return Some(Step::ReadyBackends { host: host(), names });
    }
    let names = those(&|it| !is_wished(it) && !it.1.is_drained);
    if !names.is_empty() {
        return Some(Step::DrainBackends { host: host(), names });
    }
    let names = those(&|it| !is_wished(it) && it.1.sessions == 0);
    if !names.is_empty() {
        return Some(Step::DropBackends { host: host(), names });
    }
    let has_others = present.iter().any(|it| !is_wished(&it));
    has_others.then(|| Step::Reload { host: host() })
}

/// Nodes leave one after the other, when others do what they did.
fn former(desired: &Desired, observed: &Observed) -> Turn {
    let ours = observed.leaving().filter_map(|(key, it)| Some((key, it.seen()?)));
    let (key, facts) = ours.filter(|(_, it)| it.is_ours()).min_by_key(|(_, it)| it.holds)?;
    if facts.serves() && !observed.seen().any(|(_, it)| it.serves()) {
        let name = key.clone();
        return Some(Next::Refuse(Refusal::WouldStopLast(name)));
    }
    if facts.takes_part() {
        return Some(Next::Act(Step::MoveAway { host: key.clone() }));
    }
    let is_orphan = observed.seen().any(|(_, it)| it.takes_part()) && !observed.is_held();
    if desired.virtual_ip.is_some() && is_orphan && facts.serves() {
        return Some(Next::Wait("another node to have the virtual IP".to_owned()));
    }
    Some(Next::Act(Step::Retire { host: key.clone() }))
}

/// Those that take part learn of each other before a newcomer does: who is told of nobody takes the address.
fn virtual_ip(desired: &Desired, observed: &Observed) -> Turn {
    let find = |is_so: fn(&Facts) -> bool| {
        observed.seen().find(|(_, it)| is_so(it)).map(|(key, _)| key.clone())
    };
    if desired.virtual_ip.is_none() {
        let host = find(|it| it.keepalived != Keepalived::Absent)?;
        return Some(Next::Act(Step::Unguard { host }));
    }
    let outdated = Keepalived::Running { is_current: false };
    let mut told: Vec<_> = observed.seen().filter(|(_, it)| it.keepalived == outdated).collect();
    told.sort_by_key(|(_, it)| it.holds);
    if let Some((key, _)) = told.first() {
        return Some(Next::Act(Step::Inform { host: (*key).clone() }));
    }
    if let Some(host) = find(|it| !it.takes_part()) {
        return Some(Next::Act(Step::TakePart { host }));
    }
    let is_held = observed.seen().any(|(_, it)| it.holds);
    let is_alone = observed.nodes.values().any(|it| it.seen().is_none());
    (!is_held && !is_alone).then(|| Next::Wait("a node to have the virtual IP".to_owned()))
}

fn finish(desired: &Desired, observed: &Observed) -> Turn {
    let is_healthy = |facts: &Facts| match &facts.proxy {
        Process::Running(it) => it.backends.values().any(|it| it.is_up),
        _ => false,
    };
    if observed.is_early && !observed.seen().all(|(_, it)| is_healthy(it)) {
        return Some(Next::Wait("a backend to be healthy".to_owned()));
    }
    let left = observed
        .leaving()
        .filter(|(key, it)| it.seen().is_none() && !desired.lost_hosts.contains(*key));
    let left: Vec<_> = left.map(|(key, _)| key.clone()).collect();
    if !left.is_empty() {
        return Some(Next::Refuse(Refusal::SilentLeaving(left)));
    }
    let is_behind = |it: &Node| matches!(it, Node::Unseen { is_current: false });
    let silent = observed.nodes.iter().filter(|(_, it)| is_behind(it));
    let silent: Vec<_> = silent.map(|(key, _)| key.clone()).collect();
    if !silent.is_empty() {
        return Some(Next::Refuse(Refusal::Silent(silent)));
    }
    let is_open = |it: &Facts| it.owner != Owner::Ours { is_current: true };
    let hosts: Vec<_> = observed.seen().filter(|it| is_open(it.1)).map(|it| it.0.clone()).collect();
    if !hosts.is_empty() && desired.virtual_ip.is_some() {
        let witnesses = observed.seen().filter(|it| !it.1.holds).map(|it| it.0.clone());
        let witnesses: Vec<_> = witnesses.collect();
        match &observed.after {
            None if !witnesses.is_empty() => {
                return Some(Next::Act(Step::Confirm { hosts: witnesses }));
            }
            Some(it) if !it.owners.is_empty() => {
                return Some(Next::Refuse(Refusal::AddressShared(it.owners.clone())));
            }
            _ => {}
        }
    }
    (!hosts.is_empty()).then_some(Next::Act(Step::Record { hosts }))
}

/// The one next step towards no balancer at all. Whoever does not answer stops it before anything is done, unless it is
/// known to be lost.
pub fn leave(desired: &Desired, observed: &Observed) -> Next<Step, Refusal> {
    let hosts: Vec<_> = observed.nodes.iter().chain(observed.leaving()).collect();
    let is_awaited =
        |it: &(&Name, &Node)| it.1.seen().is_none() && !desired.lost_hosts.contains(it.0);
    let silent: Vec<_> = hosts.iter().copied().filter(is_awaited).map(|it| it.0.clone()).collect();
    if !silent.is_empty() {
        return Next::Refuse(Refusal::SilentLeaving(silent));
    }
    let ours = hosts.iter().filter(|it| it.1.seen().is_some_and(Facts::is_ours));
    let ours: Vec<_> = ours.map(|it| it.0.clone()).collect();
    if ours.is_empty() { Next::Done } else { Next::Act(Step::Dismantle { hosts: ours }) }
}
