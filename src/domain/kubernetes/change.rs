//! New versions and settings: one node at a time, its API server first, the leaders last.

use super::arguments::Component;
use super::next::Turn;
use super::observed::Facts;
use super::refusal::Refusal;
use super::rescue::CONTROLLERS;
use super::steps::Step;
use super::view::View;
use crate::domain::Next;
use crate::domain::host::Certificates;
use crate::domain::name::Name;

/// Everything is brought to the hosts before the first restart.
pub(super) fn next(view: &View) -> Turn {
    let version = view.desired.version;
    let candidates: Vec<_> =
        view.seen().filter(|(_, it)| it.parts.iter().any(|it| it.runs_other(version))).collect();
    if let Some(refusal) = refuse(view, &candidates) {
        return Some(Next::Refuse(refusal));
    }
    let others = view.names_of(|it| it.certificates == Certificates::OtherNames);
    if !others.is_empty() {
        return Some(Next::Act(Step::Certify { hosts: others }));
    }
    let unstaged = view.names_of(|it| !it.staged.contains(&version));
    if !unstaged.is_empty() {
        return Some(Next::Act(Step::Stage { hosts: unstaged, version }));
    }
    // What is forgotten here can never be put back by mistake, long after.
    let is_proven = |it: &Facts| it.parts.iter().all(|it| !it.runs_other(version));
    let proven = view.names_of(|it| it.previous.is_some() && it.is_whole() && is_proven(it));
    if !proven.is_empty() {
        return Some(Next::Act(Step::Confirm { hosts: proven, version }));
    }
    if let Some((name, facts)) = candidates.iter().min_by_key(|it| order(view, it)) {
        return Some(roll(view, name, facts));
    }
    let edited = view.names_of(|it| it.parts.iter().any(|it| !it.is_on_disk(version)));
    (!edited.is_empty()).then_some(Next::Act(Step::Rewrite { hosts: edited }))
}

/// What stands against a new version, and against another try in the same run.
fn refuse(view: &View, candidates: &[(&Name, &Facts)]) -> Option<Refusal> {
    let is_failed = |it: &&&Name| view.observed.failed.contains(**it);
    let names = candidates.iter().map(|(name, _)| name);
    let failed: Vec<_> = names.filter(is_failed).map(|it| (**it).clone()).collect();
    if !failed.is_empty() {
        return Some(Refusal::Failed(failed));
    }
    let to = view.desired.version;
    let parts = candidates.iter().flat_map(|(_, it)| &it.parts);
    let mut running = parts.filter_map(|it| it.running);
    let fault = running.find_map(|it| it.version.check_upgrade(to).err());
    if fault.is_some() {
        return fault.map(Refusal::Version);
    }
    // Others would be two minors from it.
    let is_far = |it: &&super::view::Seat| {
        it.facts.is_none() && it.last.is_some_and(|it| it.version.check_upgrade(to).is_err())
    };
    let far: Vec<_> = view.seats.iter().filter(is_far).map(|it| it.name.clone()).collect();
    (!far.is_empty()).then_some(Refusal::Silent(far))
}

/// A node that was begun is finished; then whoever does not lead.
fn order(view: &View, (name, facts): &(&Name, &Facts)) -> (bool, [bool; 2]) {
    let version = view.desired.version;
    let is_begun = !facts.part(Component::ApiServer).runs_other(version);
    (!(is_begun && facts.previous.is_some()), CONTROLLERS.map(|it| view.leads(name, it)))
}

fn roll(view: &View, name: &Name, facts: &Facts) -> Next<Step, Refusal> {
    let version = view.desired.version;
    let is_server = facts.part(Component::ApiServer).runs_other(version);
    let components = if is_server {
        vec![Component::ApiServer]
    } else {
        facts.which(|it| it.runs_other(version))
    };
    let barred = view.bars_stop_of(name);
    barred.unwrap_or(Next::Act(Step::Reconfigure { host: name.clone(), components, version }))
}
