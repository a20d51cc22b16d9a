//! What a step is expected to do, for the forecast of a plan. Apply never believes it: it looks again.

use std::collections::BTreeMap;

use super::desired::Desired;
use super::observed::{
    Backend, Facts, Keepalived, Lies, Node, Observed, Process, Running, Strangers,
};
use super::steps::Step;
use crate::domain::host::Owner;
use crate::domain::name::Name;

/// Changes a look as if the step had done all that it is for.
pub fn believe(desired: &Desired, observed: &mut Observed, step: &Step) {
    let mut on = |hosts: &[Name], edit: &dyn Fn(&mut Facts)| {
        for key in hosts {
            for node in [observed.nodes.get_mut(key), observed.former.get_mut(key)] {
                if let Some(Node::Seen(facts)) = node {
                    edit(facts);
                    break;
                }
            }
        }
    };
    let mut one = |host: &Name, edit: &dyn Fn(&mut Facts)| on(std::slice::from_ref(host), edit);
    match step {
        Step::Write { host } => one(host, &|it| {
            it.on_disk = Lies::Wished;
            if it.proxy == Process::Absent {
                it.proxy = Process::Stopped;
            }
        }),
        Step::Start { host } | Step::Restart { host } | Step::Reload { host } => {
            one(host, &|it| it.proxy = serving(desired));
        }
        Step::AddBackends { host, names } | Step::ReadyBackends { host, names } => {
            one(host, &|it| change(it, names, &|name| up(desired, name, false)));
        }
        Step::DrainBackends { host, names } => {
            one(host, &|it| {
                if let Process::Running(running) = &mut it.proxy {
                    let drained = running.backends.iter_mut().filter(|it| names.contains(it.0));
                    drained.for_each(|(_, it)| it.is_drained = true);
                }
            });
        }
        Step::DropBackends { host, names } => one(host, &|it| change(it, names, &|_| None)),
        Step::Keep { host } => one(host, &|it| it.good = Lies::Wished),
        Step::TakePart { host } | Step::Inform { host } => {
            one(host, &|it| it.keepalived = Keepalived::Running { is_current: true });
            hand_over(observed);
        }
        Step::MoveAway { host } => {
            one(host, &|it| (it.keepalived, it.holds) = (Keepalived::Stopped, false));
            hand_over(observed);
        }
        Step::Unguard { host } => {
            one(host, &|it| (it.keepalived, it.holds) = (Keepalived::Absent, false));
        }
        Step::Retire { host } => {
            if let Some(Node::Seen(facts)) = observed.former.get_mut(host) {
                clean(facts);
            }
        }
        Step::Dismantle { hosts } => {
            let all = observed.nodes.iter_mut().chain(&mut observed.former);
            for (_, node) in all.filter(|it| hosts.contains(it.0)) {
                if let Node::Seen(facts) = node {
                    clean(facts);
                }
            }
        }
        Step::Claim { hosts } => on(hosts, &|it| it.owner = Owner::Unfinished),
        Step::Install { hosts } => on(hosts, &|it| it.has_programs = true),
        Step::Record { hosts } => on(hosts, &|it| it.owner = Owner::Ours { is_current: true }),
        Step::Listen { .. } => observed.before = Some(Strangers::default()),
        Step::Confirm { .. } => observed.after = Some(Strangers::default()),
        // No plan foresees it.
        Step::PutBack { .. } => {}
    }
}

fn up(desired: &Desired, name: &Name, is_drained: bool) -> Option<Backend> {
    let endpoint = *desired.backends.get(name)?;
    Some(Backend { endpoint, is_up: true, is_drained, sessions: 0 })
}

fn serving(desired: &Desired) -> Process {
    let backends = desired.backends.keys();
    let backends = backends.filter_map(|it| Some((it.clone(), up(desired, it, false)?)));
    Process::Running(Running { is_wished: true, is_cramped: false, backends: backends.collect() })
}

fn change(facts: &mut Facts, names: &[Name], to: &dyn Fn(&Name) -> Option<Backend>) {
    let Process::Running(running) = &mut facts.proxy else { return };
    let backends: &mut BTreeMap<_, _> = &mut running.backends;
    for name in names {
        match to(name) {
            Some(backend) => drop(backends.insert(name.clone(), backend)),
            None => drop(backends.remove(name)),
        }
    }
}

/// Somebody who takes part has the virtual IP.
fn hand_over(observed: &mut Observed) {
    let mut all: Vec<_> = observed.nodes.values_mut().chain(observed.former.values_mut()).collect();
    let is_held = all.iter().any(|it| it.seen().is_some_and(|it| it.holds));
    let heir = all.iter_mut().find_map(|it| match it {
        Node::Seen(facts) if facts.takes_part() => Some(facts),
        _ => None,
    });
    if let Some(heir) = heir.filter(|_| !is_held) {
        heir.holds = true;
    }
}

fn clean(facts: &mut Facts) {
    *facts = Facts {
        owner: Owner::Nobody,
        foreign: None,
        on_disk: Lies::Nothing,
        good: Lies::Nothing,
        proxy: Process::Absent,
        keepalived: Keepalived::Absent,
        holds: false,
        machine: facts.machine.clone(),
        has_programs: facts.has_programs,
        most_files: facts.most_files,
        has_network: facts.has_network,
    };
}
