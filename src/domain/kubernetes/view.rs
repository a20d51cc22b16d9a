//! One look with what follows from it.

use std::collections::BTreeSet;

use super::arguments::Component;
use super::desired::Desired;
use super::next::Turn;
use super::observed::{Facts, Leader, Node, Observed, Settings};
use super::refusal::Refusal;
use super::version::Version;
use crate::domain::Next;
use crate::domain::host::{MachineId, Owner};
use crate::domain::name::Name;

/// A wanted node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat<'a> {
    pub(super) name: &'a Name,
    /// None: it did not answer.
    pub(super) facts: Option<&'a Facts>,
    /// What it ran when it was last seen.
    pub(super) last: Option<Settings>,
}

pub(super) struct View<'a> {
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    /// In the order of the keys.
    pub(super) seats: Vec<Seat<'a>>,
}

impl<'a> View<'a> {
    pub(super) fn new(desired: &'a Desired, observed: &'a Observed) -> Self {
        let seat = |name: &'a Name| match observed.nodes.get(name) {
            Some(Node::Seen(facts)) => Seat { name, facts: Some(facts), last: None },
            Some(Node::Unseen { last }) => Seat { name, facts: None, last: *last },
            None => Seat { name, facts: None, last: None },
        };
        Self { desired, observed, seats: desired.nodes.keys().map(seat).collect() }
    }

    /// Wanted nodes that answered.
    pub(super) fn seen(&self) -> impl Iterator<Item = (&'a Name, &'a Facts)> + use<'a, '_> {
        self.seats.iter().filter_map(|it| Some((it.name, it.facts?)))
    }

    /// Of those that answered, the names of which this is true.
    pub(super) fn names_of(&self, is_it: impl Fn(&Facts) -> bool) -> Vec<Name> {
        self.seen().filter(|(_, it)| is_it(it)).map(|(name, _)| name.clone()).collect()
    }

    /// Wanted nodes that did not answer, now or ever.
    pub(super) fn never_seen(&self) -> Vec<Name> {
        let never = self.seats.iter().filter(|it| it.facts.is_none() && it.last.is_none());
        never.map(|it| it.name.clone()).collect()
    }

    /// Whether it is the only node that is wanted: nobody can take its place for a moment.
    fn is_alone(&self, name: &Name) -> bool {
        self.desired.nodes.len() == 1 && self.desired.nodes.contains_key(name)
    }

    /// Whether no API server would serve without that of this node, though others should.
    pub(super) fn is_last(&self, name: &Name) -> bool {
        let mut others = self.seen().filter(|(it, _)| *it != name);
        !self.is_alone(name) && !others.any(|(_, it)| it.serves())
    }

    /// Why this node may not be stopped now.
    pub(super) fn bars_stop_of(&self, name: &Name) -> Turn {
        if self.is_alone(name) {
            return None;
        }
        if self.is_last(name) {
            return Some(Next::Refuse(Refusal::WouldStopLast(name.clone())));
        }
        let Some(leaders) = &self.observed.leaders else {
            return Some(Next::Wait("an API server to tell who leads".to_owned()));
        };
        let missing = leaders.missing()?;
        Some(Next::Wait(format!("a {missing} to lead")))
    }

    /// Whether a component on this node leads.
    pub(super) fn leads(&self, name: &Name, component: Component) -> bool {
        let Some(leaders) = &self.observed.leaders else { return false };
        let leader = match component {
            Component::ApiServer => return false,
            Component::ControllerManager => &leaders.controller_manager,
            Component::Scheduler => &leaders.scheduler,
        };
        matches!(leader, Leader::Node(it) if it == name)
    }

    /// What a newcomer runs: as the others do, until an upgrade has begun.
    pub(super) fn joining_version(&self) -> Version {
        let wanted = self.desired.version;
        let established = self.seen().filter(|(_, it)| matches!(it.owner, Owner::Ours { .. }));
        let on_disk = established.filter_map(|(_, it)| it.part(Component::ApiServer).on_disk);
        let last = self.seats.iter().filter_map(|it| it.last);
        let all: Vec<_> = on_disk.chain(last).map(|it| it.version).collect();
        if all.iter().any(|it| it.minor == wanted.minor) {
            return wanted;
        }
        all.into_iter().min().unwrap_or(wanted)
    }
}

/// Former hosts that are not the machine of a wanted node.
pub(super) fn others(observed: &Observed) -> impl Iterator<Item = (&Name, &Node)> {
    let wanted: BTreeSet<&MachineId> =
        observed.nodes.values().filter_map(Node::seen).map(|it| &it.machine).collect();
    let is_other = move |it: &Node| it.seen().is_none_or(|it| !wanted.contains(&it.machine));
    observed.former.iter().filter(move |(_, it)| is_other(it))
}
