//! Nodes that do not serve come before anything new: they are started, mended, or put back.

use super::arguments::Component;
use super::next::Turn;
use super::observed::Facts;
use super::refusal::Refusal;
use super::steps::Step;
use super::version::Version;
use super::view::View;
use crate::domain::Next;
use crate::domain::host::{Certificates, Unit};
use crate::domain::name::Name;

/// The two that live off the API server of their node.
pub(super) const CONTROLLERS: [Component; 2] = [Component::ControllerManager, Component::Scheduler];

/// API servers first, for the others need them.
pub(super) fn next(view: &View) -> Turn {
    // Nobody accepts them, and nothing restarts for new ones.
    let is_refused =
        |it: &Facts| matches!(it.certificates, Certificates::Missing | Certificates::Invalid);
    let refused = view.names_of(|it| takes_part(it) && is_refused(it));
    if !refused.is_empty() {
        return Some(Next::Act(Step::Certify { hosts: refused }));
    }
    heal(view, &[Component::ApiServer], takes_part)
        .or_else(|| heal(view, &CONTROLLERS, |it| takes_part(it) && it.serves()))
}

/// Whether it was brought up, or is about to be.
fn takes_part(facts: &Facts) -> bool {
    facts.is_begun && facts.owner.is_us()
}

/// Leads these components to where they serve.
fn heal(view: &View, of: &[Component], is_one: impl Fn(&Facts) -> bool) -> Turn {
    let is_ill = |it: &Facts| of.iter().any(|which| it.part(*which).unit != Unit::Running);
    let ill: Vec<_> = view.seen().filter(|(_, it)| is_one(it) && is_ill(it)).collect();
    for (name, facts) in &ill {
        if let Some(turn) = of.iter().find_map(|it| mend(view, name, facts, *it)) {
            return Some(turn);
        }
    }
    let is_down = |it: &Facts| of.iter().any(|which| it.part(*which).unit.is_down());
    let down: Vec<_> = ill.iter().filter(|(_, it)| is_down(it)).collect();
    if !down.is_empty() {
        let is_any = |which: &Component| down.iter().any(|(_, it)| it.part(*which).unit.is_down());
        let components = of.iter().copied().filter(is_any).collect();
        let hosts = down.into_iter().map(|(name, _)| (*name).clone()).collect();
        return Some(Next::Act(Step::Start { hosts, components }));
    }
    let of_unit = |unit: Unit| {
        ill.iter().find_map(|(name, it)| {
            Some((*name, *of.iter().find(|which| it.part(**which).unit == unit)?))
        })
    };
    if let Some((name, component)) = of_unit(Unit::Stuck) {
        return Some(Next::Act(Step::Restart { host: name.clone(), component }));
    }
    let (name, component) = of_unit(Unit::Starting)?;
    Some(Next::Wait(format!("the {component} on {name} to serve")))
}

/// What a component needs beside a start: what it ran before, when it does not serve with what it was given; otherwise
/// what is wished, for that may be the remedy.
fn mend(view: &View, name: &Name, facts: &Facts, component: Component) -> Turn {
    let part = facts.part(component);
    if matches!(part.unit, Unit::Running | Unit::Starting) {
        return None;
    }
    let host = || name.clone();
    if let Some(version) = facts.previous
        && part.unit == Unit::Stuck
    {
        // Its API server may be the last one, and serves although another component does not.
        let is_barred = facts.serves() && view.is_last(name);
        return Some(if is_barred {
            Next::Refuse(Refusal::WouldStopLast(host()))
        } else {
            Next::Act(Step::PutBack { host: host(), version })
        });
    }
    // It was put back, and is to serve as it was.
    if view.observed.failed.contains(name) && part.on_disk.is_some() {
        return None;
    }
    let version = remedy(view, facts, component);
    if part.is_on_disk(version) && !part.runs_other(version) {
        return None;
    }
    let step = if facts.staged.contains(&version) {
        Step::Reconfigure { host: host(), components: vec![component], version }
    } else {
        Step::Stage { hosts: vec![host()], version }
    };
    Some(Next::Act(step))
}

/// The version that a component gets together with new settings. A later minor comes with an upgrade alone, node by node;
/// controllers follow the API server of their node.
fn remedy(view: &View, facts: &Facts, component: Component) -> Version {
    let server = facts.part(Component::ApiServer);
    if component != Component::ApiServer
        && let Some(running) = server.running
    {
        return running.version;
    }
    let wanted = view.desired.version;
    let others = facts.parts.iter().filter_map(|it| it.on_disk).map(|it| it.version).min();
    let own = facts.part(component).on_disk.map(|it| it.version).or(others);
    let own = own.unwrap_or_else(|| view.joining_version());
    let is_later_patch = own.minor == wanted.minor && own < wanted;
    if is_later_patch { wanted } else { own }
}
