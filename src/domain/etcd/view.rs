//! Which member of the list belongs to which key, and which host holds its data.

use std::collections::BTreeSet;

use super::desired::{Desired, Name, PeerUrl, Place};
use super::observed::{Cluster, Facts, Former, Host, MachineId, Member, MemberId, Observed};
use super::steps::Step;

/// A wish, a look, and how they belong together.
pub(super) struct View<'a> {
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    pub(super) cluster: &'a Cluster,
    /// One for each key, in order.
    pub(super) seats: Vec<Seat<'a>>,
    /// Members that belong to no key.
    pub(super) leaving: Vec<Leaving<'a>>,
}

/// A key, with what there is of its member.
pub(super) struct Seat<'a> {
    pub(super) name: &'a Name,
    pub(super) place: Place,
    /// None: it did not answer.
    pub(super) facts: Option<&'a Facts>,
    pub(super) member: Option<&'a Member>,
    /// Whether the data of that member was seen on its host.
    pub(super) holds: bool,
}

/// A member that belongs to no key.
pub(super) struct Leaving<'a> {
    pub(super) member: &'a Member,
    /// The key that it had, if this resource has made it.
    pub(super) key: Option<&'a Name>,
}

impl<'a> View<'a> {
    /// Data decides before an address, an address before a name: a key may have been renamed, an address given on.
    pub(super) fn new(desired: &'a Desired, observed: &'a Observed, cluster: &'a Cluster) -> Self {
        let mut free: Vec<&Member> = cluster.members.iter().collect();
        let mut seats: Vec<Seat> = desired
            .members
            .iter()
            .map(|(name, place)| {
                let facts = observed.hosts.get(name).and_then(Host::seen);
                let member = take(&mut free, |it| holds(facts, it.id));
                Seat { name, place: *place, facts, member, holds: member.is_some() }
            })
            .collect();
        for seat in seats.iter_mut().filter(|it| it.member.is_none()) {
            let url = desired.peer_url(seat.place);
            seat.member = take(&mut free, |it| it.peer_urls.contains(&url));
        }
        for seat in seats.iter_mut().filter(|it| it.member.is_none()) {
            seat.member = take(&mut free, |it| it.name == seat.name.as_str());
        }
        let view = Self { desired, observed, cluster, seats, leaving: Vec::new() };
        let former: Vec<_> = view.other_hosts().collect();
        let leaving = free.into_iter().map(|member| {
            let is_it = |it: &&(&'a Name, &'a Former)| {
                holds(it.1.host.seen(), member.id) || member.peer_urls.contains(&it.1.peer_url)
            };
            // A key that has moved on leaves its name behind.
            let namesake = || observed.former.keys().find(|it| it.as_str() == member.name);
            let key = former.iter().find(is_it).map(|(name, _)| *name).or_else(namesake);
            Leaving { member, key }
        });
        let leaving = leaving.collect();
        Self { leaving, ..view }
    }

    /// Former hosts that are not the machine of a wanted member.
    pub(super) fn other_hosts(&self) -> impl Iterator<Item = (&'a Name, &'a Former)> + use<'a> {
        others(self.observed)
    }

    /// Where the member of this key should be reached.
    pub(super) fn url(&self, seat: &Seat) -> PeerUrl {
        self.desired.peer_url(seat.place)
    }

    /// Whether the list has a member with this id.
    pub(super) fn lists(&self, id: MemberId) -> bool {
        self.cluster.members.iter().any(|it| it.id == id)
    }

    /// Voters whose hosts answer and do not hold their data.
    pub(super) fn absent(&self) -> impl Iterator<Item = (&Seat<'a>, &'a Member)> {
        let seats = self.seats.iter().filter(|it| it.facts.is_some() && !it.holds);
        seats.filter_map(|it| Some((it, it.member.filter(|it| !it.is_learner)?)))
    }

    /// Another member that still has the address that this one is to get.
    pub(super) fn taken_by(&self, seat: &Seat) -> Option<&'a Member> {
        let (url, own) = (self.url(seat), seat.member.map(|it| it.id));
        let mut others = self.cluster.members.iter().filter(|it| Some(it.id) != own);
        others.find(|it| it.peer_urls.contains(&url))
    }

    pub(super) fn snapshot(&self, from: &Name) -> Step {
        Step::Snapshot { from: from.clone(), cluster: self.desired.name.clone() }
    }

    /// A healthy voter other than this one that may lead or be asked for a snapshot: a wanted one, the first by name.
    pub(super) fn helper(&self, other_than: MemberId) -> Option<(&'a Name, &'a Member)> {
        let fit = |seat: &Seat<'a>| {
            let member = seat.member?;
            let is_fit = !member.is_learner && member.is_healthy() && member.id != other_than;
            is_fit.then_some((seat.name, member))
        };
        self.seats.iter().filter_map(fit).min_by_key(|(_, it)| it.is_leader())
    }

    /// Keys whose voter does not serve.
    pub(super) fn unhealthy(&self) -> Vec<Name> {
        let is_ill = |it: &Member| !it.is_learner && !it.is_healthy();
        let ill = self.seats.iter().filter(|it| it.member.is_some_and(is_ill));
        ill.map(|it| it.name.clone()).collect()
    }
}

fn take<'a>(free: &mut Vec<&'a Member>, is_it: impl Fn(&Member) -> bool) -> Option<&'a Member> {
    let at = free.iter().position(|it| is_it(it))?;
    Some(free.remove(at))
}

fn holds(facts: Option<&Facts>, id: MemberId) -> bool {
    facts.and_then(|it| it.data).is_some_and(|it| it.member == id)
}

/// Former hosts that are not the machine of a wanted member.
pub(super) fn others(observed: &Observed) -> impl Iterator<Item = (&Name, &Former)> {
    let wanted: BTreeSet<&MachineId> =
        observed.hosts.values().filter_map(Host::seen).map(|it| &it.machine).collect();
    let is_other = move |it: &Host| it.seen().is_none_or(|it| !wanted.contains(&it.machine));
    observed.former.iter().filter(move |(_, it)| is_other(&it.host))
}
