//! The first start of a control plane, on hosts that have all been looked at.

use super::arguments::Component;
use super::next::{Turn, differ, everybody, strays};
use super::observed::{Data, Facts};
use super::refusal::Refusal;
use super::rescue::CONTROLLERS;
use super::steps::Step;
use super::version::Version;
use super::view::View;
use super::{keep, shrink};
use crate::domain::Next;
use crate::domain::host::{Certificates, Owner, Unit};
use crate::domain::name::Name;

/// Claim, certify, prepare; API servers, administrators, controllers; and the record last, which says that it is whole.
pub(super) fn next(view: &View) -> Next<Step, Refusal> {
    let observed = view.observed;
    let unseen: Vec<_> =
        view.seats.iter().filter(|it| it.facts.is_none()).map(|it| it.name.clone()).collect();
    if !unseen.is_empty() {
        return Next::Refuse(Refusal::Unseen(unseen));
    }
    let is_begun = everybody(observed).any(|(_, it)| it.owner.is_us() && it.is_begun);
    // Whoever has the keys of what lies there may go on with it. A former node may have begun, and lost its keys too.
    let holds = |it: &Facts| it.owner.is_us() && it.is_begun && it.keys.is_some();
    let recovers = observed.recovery.is_some() && !everybody(observed).any(|(_, it)| holds(it));
    if !is_begun && !recovers {
        match observed.data {
            Data::Absent => {}
            Data::Present => return Next::Refuse(Refusal::ForeignData(prefix(view))),
            Data::Unknown => {
                return Next::Wait(format!("etcd to tell what lies below {}", prefix(view)));
            }
        }
    }
    if let Some(refusal) = differ(observed) {
        return Next::Refuse(refusal);
    }
    let hosts = strays(view);
    if !hosts.is_empty() {
        return Next::Act(Step::Discard { hosts });
    }
    let hosts: Vec<_> = view.seen().collect();
    let version = view.desired.version;
    let bare = view.names_of(|it| it.owner == Owner::Unfinished && it.keys.is_none());
    let are_claimed = hosts.iter().all(|(_, it)| it.owner.is_us());
    if recovers && are_claimed && !bare.is_empty() {
        return Next::Act(Step::Recover { hosts: bare });
    }
    if let Some(step) = outfit(&hosts, version) {
        return Next::Act(step);
    }
    servers(view, &hosts, version)
        .or_else(|| administrators(view))
        .or_else(|| controllers(view, version))
        .or_else(|| shrink::next(view))
        .or_else(|| keep::next(view).map(Next::Act))
        .unwrap_or_else(|| {
            let hosts = view.names_of(|it| !matches!(it.owner, Owner::Ours { .. }));
            if hosts.is_empty() { Next::Done } else { Next::Act(Step::Record { hosts }) }
        })
}

fn prefix(view: &View) -> String {
    view.desired.etcd_prefix.to_string()
}

/// What nodes need before anything can start there; the same for the first and for later ones.
pub(super) fn outfit(hosts: &[(&Name, &Facts)], version: Version) -> Option<Step> {
    let names_of = |is_it: &dyn Fn(&Facts) -> bool| -> Option<Vec<Name>> {
        let names: Vec<_> =
            hosts.iter().filter(|(_, it)| is_it(it)).map(|(name, _)| (*name).clone()).collect();
        (!names.is_empty()).then_some(names)
    };
    if let Some(hosts) = names_of(&|it| it.owner == Owner::Nobody) {
        return Some(Step::Claim { hosts });
    }
    let is_bare = |it: &Facts| {
        it.keys.is_none() || !matches!(it.certificates, Certificates::Good | Certificates::Due)
    };
    if let Some(hosts) = names_of(&is_bare) {
        return Some(Step::Certify { hosts });
    }
    if let Some(hosts) = names_of(&|it| !it.staged.contains(&version)) {
        return Some(Step::Stage { hosts, version });
    }
    let is_ready = |it: &Facts| it.parts.iter().all(|it| it.is_on_disk(version));
    names_of(&|it| !is_ready(it)).map(|hosts| Step::Prepare { hosts, version })
}

/// All of them at once: none waits for another. But one that serves already is not stopped while another is away.
fn servers(view: &View, hosts: &[(&Name, &Facts)], version: Version) -> Turn {
    let down = view.names_of(|it| it.part(Component::ApiServer).unit.is_down());
    if !down.is_empty() {
        return Some(Next::Act(Step::Begin { hosts: down }));
    }
    let unit = |it: &Facts| it.part(Component::ApiServer).unit;
    let stale = |it: &&(&Name, &Facts)| stale(it.0, it.1, version);
    let (served, away): (Vec<_>, Vec<_>) =
        hosts.iter().partition(|(_, it)| unit(it) == Unit::Running);
    if let Some(step) = away.iter().find_map(stale) {
        return Some(Next::Act(step));
    }
    if let Some((name, _)) = away.iter().find(|(_, it)| unit(it) == Unit::Stuck) {
        let host = (*name).clone();
        return Some(Next::Act(Step::Restart { host, component: Component::ApiServer }));
    }
    if let Some((name, _)) = away.first() {
        return Some(Next::Wait(format!("the API server on {name} to be ready")));
    }
    served.iter().find_map(stale).map(Next::Act)
}

/// Started by an earlier try, before the wish was edited.
fn stale(name: &Name, facts: &Facts, version: Version) -> Option<Step> {
    let components = facts.which(|it| it.runs_other(version));
    let host = name.clone();
    (!components.is_empty()).then_some(Step::Reconfigure { host, components, version })
}

fn administrators(view: &View) -> Turn {
    match view.observed.has_admins {
        Some(true) => None,
        None => Some(Next::Wait("an API server to answer".to_owned())),
        Some(false) => {
            let (on, _) = view.seen().next()?;
            Some(Next::Act(Step::BindAdmins { on: on.clone() }))
        }
    }
}

fn controllers(view: &View, version: Version) -> Turn {
    let is_down = |it: &Facts| CONTROLLERS.iter().any(|c| it.part(*c).unit.is_down());
    let hosts = view.names_of(is_down);
    if !hosts.is_empty() {
        return Some(Next::Act(Step::Start { hosts, components: CONTROLLERS.to_vec() }));
    }
    for (name, facts) in view.seen() {
        if let Some(step) = stale(name, facts, version) {
            return Some(Next::Act(step));
        }
        let of = |unit: Unit| CONTROLLERS.into_iter().find(|it| facts.part(*it).unit == unit);
        if let Some(component) = of(Unit::Stuck) {
            return Some(Next::Act(Step::Restart { host: name.clone(), component }));
        }
        if let Some(component) = of(Unit::Starting) {
            return Some(Next::Wait(format!("the {component} on {name} to serve")));
        }
    }
    let missing = view.observed.leaders.as_ref()?.missing()?;
    Some(Next::Wait(format!("a {missing} to lead")))
}
