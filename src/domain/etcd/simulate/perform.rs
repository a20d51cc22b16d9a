//! What steps do to the pretend fleet, and what they must never do.

use std::collections::BTreeSet;

use super::super::*;
use super::world::{Peer, World, key_name};

/// How a step ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All of it happened.
    Whole,
    /// It happened on the first host alone, or stopped a process and did not start it.
    Half,
    /// Nothing happened.
    Nothing,
}

impl World {
    /// Does the step as far as the outcome says.
    ///
    /// # Errors
    /// What it would have broken.
    pub(super) fn perform(&mut self, step: &Step, outcome: Outcome) -> Result<(), String> {
        self.judge(step).map_err(|fault| format!("{fault}, by: {step}"))?;
        // The journal is written before the change.
        if let Step::Promote { member, .. } = step {
            self.last_voters.insert(*member);
        }
        if outcome == Outcome::Nothing {
            return Ok(());
        }
        let is_whole = outcome == Outcome::Whole;
        if is_whole {
            self.done.note(step);
        }
        let hosts = |world: &Self, hosts: &[Name]| -> Vec<usize> {
            let count = if is_whole { hosts.len() } else { 1 };
            let ats = hosts.iter().take(count).map(|it| world.at(it));
            ats.filter(|it| world.is_visible(*it)).collect()
        };
        match step {
            Step::Claim { hosts: names } => {
                let tokens =
                    self.places.values().filter_map(|it| self.machines[it.0].facts.token.clone());
                let token = tokens.min().unwrap_or_else(|| Token(String::new()));
                let token = if token.0.is_empty() { Token(self.id().to_string()) } else { token };
                for at in hosts(self, names) {
                    let facts = &mut self.machines[at].facts;
                    (facts.owner, facts.token) = (Owner::Unfinished, Some(token.clone()));
                }
            }
            Step::Discard { hosts: names } => {
                for at in hosts(self, names) {
                    self.clean(at);
                }
            }
            Step::Certify { hosts: names } => {
                for at in hosts(self, names) {
                    self.machines[at].facts.certificates = Certificates::Good;
                }
            }
            Step::Stage { hosts: names, version } => {
                for at in hosts(self, names) {
                    self.machines[at].facts.staged.insert(*version);
                }
            }
            Step::Prepare { hosts: names, version } => self.prepare(names, *version, is_whole),
            Step::Bootstrap { hosts: names } | Step::Start { hosts: names } => {
                for at in hosts(self, names) {
                    self.start(at);
                }
            }
            Step::RecordFormed { hosts: names } => {
                self.note_voters();
                let ring = self.living().map(|it| self.rings[it].id);
                for at in hosts(self, names) {
                    self.machines[at].formed = ring;
                    self.machines[at].facts.seeds = None;
                }
            }
            Step::Restart { host } | Step::StartLearner { host } => {
                let at = self.at(host);
                if self.is_visible(at) {
                    self.start(at);
                }
            }
            Step::Reconfigure { .. } | Step::MoveAside { .. } | Step::Retire { .. } => {
                self.work_on_one(step, is_whole);
            }
            Step::Snapshot { .. } | Step::CutLog { .. } => {}
            Step::Rewrite { hosts: names } => {
                for (at, name) in hosts(self, names).into_iter().zip(names) {
                    self.machines[at].on_disk = Some(self.conf_of(name, self.version));
                }
            }
            Step::Record { hosts: names } => {
                for at in hosts(self, names) {
                    self.machines[at].facts.owner = Owner::Ours { is_current: true };
                }
            }
            Step::AddLearner { .. }
            | Step::Promote { .. }
            | Step::DropLearner { .. }
            | Step::StartOver { .. }
            | Step::MoveLeader { .. }
            | Step::RemoveMember { .. }
            | Step::UpdatePeerUrl { .. }
            | Step::Disarm { .. } => {
                self.change(step);
                if let Step::StartOver { host, .. } = step
                    && is_whole
                {
                    self.work_on_one(&Step::MoveAside { host: host.clone() }, true);
                }
                // A lost answer is not in the journal.
                if is_whole {
                    self.note_voters();
                }
            }
            Step::Dismantle { .. } => return Err("nobody asked to destroy".to_owned()),
        }
        Ok(())
    }

    fn work_on_one(&mut self, step: &Step, is_whole: bool) {
        match step {
            Step::Reconfigure { host, version } => {
                let at = self.at(host);
                if self.is_visible(at) {
                    self.machines[at].on_disk = Some(self.conf_of(host, *version));
                    if is_whole {
                        self.start(at);
                    } else {
                        self.machines[at].facts.unit = Unit::Stopped;
                        self.machines[at].running = None;
                    }
                }
            }
            Step::MoveAside { host } => {
                let at = self.at(host);
                let machine = &mut self.machines[at];
                (machine.facts.data, machine.running, machine.opened) = (None, None, None);
                machine.facts.told = None;
                machine.facts.unit = Unit::Stopped;
            }
            Step::Retire { host } => {
                let at = self.former_at(host);
                if self.is_visible(at) {
                    self.clean(at);
                }
            }
            _ => {}
        }
    }

    fn conf_of(&self, name: &Name, version: Version) -> super::world::Conf {
        let key = self.places.keys().find(|it| key_name(**it) == *name);
        self.conf(*key.unwrap(), version)
    }

    pub(super) fn clean(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        let id = machine.facts.machine.0.clone();
        machine.facts =
            Facts { staged: machine.facts.staged.clone(), ..super::super::notation::fresh(&id) };
        (machine.on_disk, machine.running, machine.opened, machine.formed) =
            (None, None, None, None);
    }

    fn prepare(&mut self, names: &[Name], version: Version, is_whole: bool) {
        let ring = self.living().map(|it| self.rings[it].id);
        let seeds = self.desired.members.iter();
        let seeds = seeds.map(|(name, at)| (name.clone(), self.desired.peer_url(*at))).collect();
        let seeds = ring.is_none().then_some(seeds);
        for name in names.iter().take(if is_whole { names.len() } else { 1 }) {
            let (at, conf) = (self.at(name), self.conf_of(name, version));
            if self.is_visible(at) {
                let machine = &mut self.machines[at];
                machine.on_disk = Some(conf);
                machine.facts.seeds.clone_from(&seeds);
                machine.formed = ring;
                machine.facts.unit = Unit::Stopped;
            }
        }
    }

    /// A change of the list, which needs a quorum.
    fn change(&mut self, step: &Step) {
        let Some(at) = self.living() else { return };
        let id = MemberId(self.id());
        let ring = &mut self.rings[at];
        match step {
            Step::AddLearner { peer_url, .. } => {
                let (name, url) = (String::new(), peer_url.clone());
                ring.peers.push(Peer { id, name, url, is_learner: true, behind: 3 });
                ring.unsettled = 1;
            }
            Step::Promote { member, .. } => {
                ring.peers
                    .iter_mut()
                    .filter(|it| it.id == *member)
                    .for_each(|it| it.is_learner = false);
                // What was read whole is not in vain; a voter with bad data is another story.
                ring.spoilt.remove(member);
                ring.unsettled = 2;
            }
            Step::DropLearner { member, .. }
            | Step::StartOver { member, .. }
            | Step::RemoveMember { member, .. } => {
                ring.peers.retain(|it| it.id != *member);
                ring.unsettled = 2;
            }
            Step::MoveLeader { member, .. } => ring.leader = Some(*member),
            Step::UpdatePeerUrl { host, member, peer_url } => {
                let peers = ring.peers.iter_mut().filter(|it| it.id == *member);
                peers.for_each(|it| it.url = peer_url.clone());
                let at = self.at(host);
                let told = self.desired.members[host].address;
                self.machines[at].facts.told = Some(told);
            }
            Step::Disarm { member } => drop(ring.corrupt.remove(member).then_some(())),
            _ => {}
        }
    }

    /// Whether the step is one that may be done now, at its worst moment.
    fn judge(&self, step: &Step) -> Result<(), String> {
        let ensure =
            |is_fine: bool, fault: &str| if is_fine { Ok(()) } else { Err(fault.to_owned()) };
        let ring = self.living();
        match step {
            Step::Bootstrap { .. } => {
                let all = self.places.values().all(|it| self.is_visible(it.0));
                ensure(all, "bootstraps while a host is unseen")?;
                ensure(ring.is_none() && self.known.is_none(), "bootstraps a second cluster")
            }
            Step::Discard { hosts } => {
                ensure(self.known.is_none(), "discards a cluster that was created")?;
                let was_formed = hosts.iter().any(|it| self.machines[self.at(it)].formed.is_some());
                ensure(!was_formed, "discards what had a quorum")
            }
            Step::MoveAside { host } => ensure(!self.is_in_use(self.at(host)), "wipes a member"),
            Step::Retire { host } => {
                ensure(!self.is_in_use(self.former_at(host)), "wipes a member")
            }
            Step::Restart { host } => self.may_pause(self.at(host)),
            Step::Reconfigure { host, version } => {
                let at = self.at(host);
                // A host that has the new program already was to be upgraded by a run that took one.
                let machine = &self.machines[at];
                let is_new = machine.on_disk.is_none_or(|it| it.version.minor != version.minor);
                let is_minor = is_new && machine.opened.is_some_and(|it| it.minor != version.minor);
                ensure(!is_minor || self.done.snapshot, "upgrades without a snapshot")?;
                let reads_log = is_minor && 7 <= version.minor && !self.done.cut_logs;
                ensure(!reads_log, "starts 3.7 on the log of 3.5")?;
                self.may_pause(at)
            }
            Step::Start { hosts } => {
                let wanted = hosts.iter().filter(|it| self.desired.members.contains_key(*it));
                let has_data =
                    wanted.map(|it| self.at(it)).all(|at| self.machines[at].facts.data.is_some());
                ensure(has_data, "starts without data")
            }
            Step::StartLearner { host } => {
                let at = self.at(host);
                ensure(self.machines[at].facts.data.is_none(), "starts a learner on data")
            }
            Step::AddLearner { .. }
            | Step::Promote { .. }
            | Step::DropLearner { .. }
            | Step::StartOver { .. }
            | Step::RemoveMember { .. }
            | Step::UpdatePeerUrl { .. } => match ring {
                Some(ring) => self.judge_change(ring, step),
                None => Err("changes the membership without a quorum".to_owned()),
            },
            _ => Ok(()),
        }
    }

    /// A process may be away for a moment only if the others are a quorum and none of them is away as well.
    fn may_pause(&self, at: usize) -> Result<(), String> {
        let Some((ring, id)) = self.ring_of(at).filter(|(ring, id)| self.is_active(*ring, *id))
        else {
            return Ok(());
        };
        let peers = &self.rings[ring].peers;
        if !self.has_quorum(ring) || peers.iter().any(|it| it.id == id && it.is_learner) {
            return Ok(());
        }
        let (voters, active) = (self.voters(ring), self.active(ring));
        let is_small = voters <= 2 && active == voters;
        if !is_small && active - 1 < quorum(voters) {
            return Err("loses quorum".to_owned());
        }
        if 1 < active && self.rings[ring].leader == Some(id) {
            return Err("stops the leader".to_owned());
        }
        let wanted = self.places.values().filter(|it| it.0 != at && self.is_visible(it.0));
        let mut wanted = wanted.filter_map(|it| self.ring_of(it.0));
        if wanted.any(|(ring, id)| !self.is_active(ring, id)) {
            return Err("stops a second member".to_owned());
        }
        Ok(())
    }

    fn judge_change(&self, ring: usize, step: &Step) -> Result<(), String> {
        let ensure =
            |is_fine: bool, fault: &str| if is_fine { Ok(()) } else { Err(fault.to_owned()) };
        let (voters, active) = (self.voters(ring), self.active(ring));
        let peers = &self.rings[ring].peers;
        let is_settled = self.rings[ring].unsettled == 0;
        match step {
            Step::AddLearner { host, peer_url } => {
                ensure(is_settled, "changes twice at once")?;
                ensure(peers.iter().all(|it| !it.is_learner), "has two learners")?;
                ensure(peers.iter().all(|it| it.url != *peer_url), "adds an address twice")?;
                ensure(voters == active, "adds a member while one is down")?;
                ensure(
                    self.machines[self.at(host)].facts.data.is_none(),
                    "adds a member with old data",
                )
            }
            Step::Promote { member, .. } => {
                ensure(is_settled, "changes twice at once")?;
                let is_ready =
                    |it: &Peer| it.is_learner && it.behind == 0 && self.is_active(ring, it.id);
                ensure(
                    peers.iter().any(|it| it.id == *member && is_ready(it)),
                    "promotes too early",
                )?;
                ensure(quorum(voters + 1) <= active + 1, "loses quorum")
            }
            Step::DropLearner { member, .. } | Step::StartOver { member, .. } => {
                ensure(peers.iter().any(|it| it.id == *member && it.is_learner), "drops a voter")
            }
            Step::RemoveMember { member, host, .. } => {
                ensure(is_settled, "changes twice at once")?;
                let was_active = self.is_active(ring, *member);
                ensure(
                    1 < voters && quorum(voters - 1) <= active - usize::from(was_active),
                    "loses quorum",
                )?;
                ensure(self.rings[ring].leader != Some(*member), "removes the leader")?;
                let holder = self.holder(ring, *member);
                let wanted: BTreeSet<_> = self.places.values().map(|it| it.0).collect();
                let is_corrupt = self.rings[ring].corrupt.contains(member);
                let is_kept = holder.is_some_and(|it| wanted.contains(&it));
                ensure(!is_kept || is_corrupt, "removes a member with intact data")?;
                let is_asked =
                    host.as_ref().is_none_or(|it| !self.desired.members.contains_key(it));
                ensure(
                    !(was_active && is_asked) || self.done.snapshot,
                    "shrinks without a snapshot",
                )
            }
            Step::UpdatePeerUrl { host, member, peer_url } => {
                ensure(peers.iter().all(|it| it.url != *peer_url), "gives an address twice")?;
                ensure(peers.iter().any(|it| it.id == *member), "moves nobody")?;
                self.may_pause(self.at(host))
            }
            _ => Ok(()),
        }
    }
}
