//! A cluster as its quorum knows it. Nothing heals by itself but the lead, and nothing is repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use tonic::Status;

use crate::domain::etcd::{Name, PeerUrl, quorum};

/// How many entries a member holds back before it writes down its state. It is told of so many by one look of the provider.
const WRITES_AFTER: u64 = 1_000;

/// etcd changes no membership until its voters have been connected for so long.
const HEALTH_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    pub(super) members: BTreeMap<u64, Seat>,
    pub(super) leader: Option<u64>,
    /// Member and kind.
    pub(super) alarms: BTreeSet<(u64, i32)>,
    /// Members that have had data.
    pub(super) started: BTreeSet<u64>,
    pub(super) has_quorum: bool,
    /// The minor that all have agreed on.
    pub(super) minor: u16,
    /// How often a member was added.
    pub(super) additions: u64,
    /// Entries that changed nothing.
    pub(super) entries: u64,
    /// Members with nothing in their logs that 3.7 cannot read.
    pub(super) is_readable: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Seat {
    /// Empty until it was started.
    pub(super) name: String,
    pub(super) peer_url: String,
    pub(super) is_learner: bool,
}

impl Seat {
    /// Of one of the first members.
    pub(super) fn first(name: &Name, peer_url: &PeerUrl) -> Self {
        let (name, peer_url) = (name.to_string(), peer_url.to_string());
        Self { name, peer_url, is_learner: false }
    }
}

/// Since when each member takes part, by its id.
pub(super) type Present = BTreeMap<u64, Instant>;

impl Cluster {
    pub(super) fn voters(&self) -> impl Iterator<Item = u64> {
        self.members.iter().filter(|(_, it)| !it.is_learner).map(|(id, _)| *id)
    }

    pub(super) fn is_voter(&self, id: u64) -> bool {
        self.members.get(&id).is_some_and(|it| !it.is_learner)
    }

    pub(super) fn has_majority(&self, present: &Present) -> bool {
        let voters = self.voters().count();
        quorum(voters) <= self.voters().filter(|it| present.contains_key(it)).count()
    }

    /// Somebody leads while a quorum is there: whoever did, otherwise the one that is first by its URL.
    pub(super) fn keep_up(&mut self, present: &Present) {
        self.has_quorum = self.has_majority(present);
        let is_fit = |id: &u64| self.is_voter(*id) && present.contains_key(id);
        let first = self.voters().filter(&is_fit).min_by_key(|it| &self.members[it].peer_url);
        self.leader = if self.has_quorum { self.leader.filter(is_fit).or(first) } else { None };
    }

    /// `mayAddMember` of etcd; asked of the member `own`.
    pub(super) fn add(
        &mut self,
        url: String,
        own: u64,
        present: &Present,
        now: Instant,
    ) -> Result<(), Status> {
        if self.voters().any(|it| !is_connected(own, it, present, now)) {
            return Err(unhealthy());
        }
        if self.members.values().any(|it| it.peer_url == url) {
            return Err(Status::failed_precondition("etcdserver: Peer URLs already exists"));
        }
        if self.members.values().any(|it| it.is_learner) {
            return Err(Status::failed_precondition("etcdserver: too many learner members"));
        }
        self.additions += 1;
        // In etcd it follows from the URL and the time.
        let id = self.members.keys().next().copied().unwrap_or_default() ^ (self.additions << 48);
        self.members.insert(id, Seat { name: String::new(), peer_url: url, is_learner: true });
        Ok(())
    }

    pub(super) fn promote(&mut self, id: u64, present: &Present) -> Result<(), Status> {
        let seat = self.members.get_mut(&id).ok_or_else(not_found)?;
        if !seat.is_learner {
            return Err(Status::failed_precondition("etcdserver: can only promote a learner"));
        }
        if !present.contains_key(&id) {
            return Err(Status::failed_precondition(
                "etcdserver: can only promote a learner member which is in sync with leader",
            ));
        }
        seat.is_learner = false;
        Ok(())
    }

    /// `mayRemoveMember` of etcd; asked of the member `own`.
    pub(super) fn remove(
        &mut self,
        id: u64,
        own: u64,
        present: &Present,
        now: Instant,
    ) -> Result<Seat, Status> {
        let seat = self.members.get(&id).ok_or_else(not_found)?;
        let is_active = id == own || present.contains_key(&id);
        if !seat.is_learner && is_active {
            let counts = |it: &u64| *it == own || is_connected(own, *it, present, now);
            let active = self.voters().filter(counts).count();
            let voters = self.voters().count();
            if active < 2 + voters.saturating_sub(2) / 2 {
                return Err(unhealthy());
            }
        }
        self.alarms.retain(|(member, _)| *member != id);
        self.members.remove(&id).ok_or_else(not_found)
    }

    pub(super) fn update(&mut self, id: u64, url: String) -> Result<(), Status> {
        if self.members.iter().any(|(other, it)| *other != id && it.peer_url == url) {
            return Err(Status::failed_precondition("etcdserver: Peer URLs already exists"));
        }
        self.members.get_mut(&id).ok_or_else(not_found)?.peer_url = url;
        Ok(())
    }

    /// How often each member has written down its state, up to so many entries.
    pub(super) fn written(entries: u64) -> u64 {
        entries / WRITES_AFTER
    }

    pub(super) fn move_leader(
        &mut self,
        own: u64,
        target: u64,
        present: &Present,
    ) -> Result<(), Status> {
        if self.leader != Some(own) {
            return Err(Status::failed_precondition("etcdserver: not leader"));
        }
        if !self.is_voter(target) || !present.contains_key(&target) {
            return Err(Status::failed_precondition("etcdserver: bad leader transferee"));
        }
        self.leader = Some(target);
        Ok(())
    }
}

/// Whether `other` has been connected to `own` for long enough.
fn is_connected(own: u64, other: u64, present: &Present, now: Instant) -> bool {
    let since = |id: u64| present.get(&id).copied();
    since(own).zip(since(other)).is_some_and(|(a, b)| a.max(b) + HEALTH_INTERVAL <= now)
}

fn unhealthy() -> Status {
    Status::unavailable("etcdserver: unhealthy cluster")
}

fn not_found() -> Status {
    Status::not_found("etcdserver: member not found")
}
