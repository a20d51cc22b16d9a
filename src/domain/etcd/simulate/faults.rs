//! What befalls a fleet, what a user edits, and what is true in the end.

use std::collections::BTreeSet;

use super::super::*;
use super::world::{World, key_name, url, wanted};
use crate::domain::chance::Rng;

impl World {
    /// One of the things that happen to hosts.
    pub(super) fn break_something(&mut self, rng: &mut Rng) {
        let at = rng.below(self.machines.len());
        let fresh_id = self.id();
        let listed = self.ring_of(at);
        let machine = &mut self.machines[at];
        match rng.below(12) {
            0 | 1 => machine.answers = false,
            2 => machine.answers = true,
            3 => {
                machine.has_power = false;
                machine.running = None;
                machine.facts.unit = Unit::Stopped;
            }
            4 if !machine.has_power => machine.has_power = true,
            4 | 5 if !machine.facts.unit.is_down() => {
                (machine.facts.unit, machine.running) = (Unit::Stopped, None);
            }
            6 if !machine.facts.unit.is_down() => machine.facts.unit = Unit::Stuck,
            7 if machine.facts.data.is_some() => {
                (machine.facts.data, machine.running, machine.opened) = (None, None, None);
                machine.facts.told = None;
                // Without its data it ends at every start, and may be started again and again.
                let is_started = !machine.facts.unit.is_down() && rng.one_in(2);
                machine.facts.unit = if is_started { Unit::Stuck } else { Unit::Stopped };
            }
            8 => {
                self.clean(at);
                let machine = &mut self.machines[at];
                machine.facts.machine = MachineId(format!("m{fresh_id}"));
                machine.facts.staged.clear();
            }
            9 if machine.facts.certificates == Certificates::Good => {
                let kinds = [Certificates::Due, Certificates::Invalid, Certificates::OtherNames];
                machine.facts.certificates = kinds[rng.below(3)];
            }
            10 => match listed {
                Some((own, id)) if rng.one_in(2) && self.is_active(own, id) => {
                    if self.rings[own].corrupt.is_empty() && 2 < self.voters(own) {
                        self.rings[own].corrupt.insert(id);
                    }
                }
                _ => {
                    if let Some(conf) = &mut self.machines[at].on_disk {
                        conf.flavour = 99;
                    }
                }
            },
            11 => self.spoil(),
            _ => {}
        }
    }

    /// What a learner has read is of no use, and only another beginning helps.
    fn spoil(&mut self) {
        for own in 0..self.rings.len() {
            let learner = self.rings[own].peers.iter().find(|it| it.is_learner).map(|it| it.id);
            let Some((id, at)) = learner.and_then(|it| Some((it, self.holder(own, it)?))) else {
                continue;
            };
            self.rings[own].spoilt.insert(id);
            self.machines[at].facts.unit = Unit::Stuck;
        }
    }

    /// One or two of the edits that a user makes.
    pub(super) fn edit(&mut self, rng: &mut Rng) {
        for _ in 0..=rng.below(2) {
            let keys: Vec<u8> = self.places.keys().copied().collect();
            let key = keys[rng.below(keys.len())];
            let used: BTreeSet<usize> = self.places.values().map(|it| it.0).collect();
            let free = (0..self.machines.len()).find(|it| !used.contains(it));
            let new_key = (0..8).find(|it| !self.places.contains_key(it));
            let address = self.id().to_le_bytes()[0];
            let address = if self.places.values().any(|it| it.1 == address) || address < 20 {
                250
            } else {
                address
            };
            let address_is_free = self.places.values().all(|it| it.1 != address);
            match (rng.below(7), new_key, free) {
                (0, ..) if 1 < keys.len() => drop(self.places.remove(&key)),
                (1 | 2, Some(new), Some(at)) if keys.len() < 5 && address_is_free => {
                    self.places.insert(new, (at, address));
                }
                (3, Some(new), _) => {
                    let place = self.places.remove(&key);
                    self.places.extend(place.map(|it| (new, it)));
                }
                (4, _, Some(at)) if address_is_free => drop(self.places.insert(key, (at, address))),
                (5, ..) if address_is_free => {
                    let at = self.places[&key].0;
                    self.places.insert(key, (at, address));
                }
                (6, ..) => {
                    self.version = match self.version.minor {
                        5 if rng.one_in(2) => Version::new(6, 16),
                        6 if self.version.patch == 16 => Version::new(6, 17),
                        6 if self.known.is_some() => Version::new(7, 1),
                        _ => self.version,
                    };
                }
                _ => self.flavour = self.flavour.wrapping_add(1) % 90,
            }
        }
        self.past.extend(self.places.iter().map(|(key, (at, address))| (*key, *at, *address)));
        self.desired = wanted(&self.places, self.version);
        // The wish gives new names to certificates that were made for other addresses.
        for (key, (at, _)) in self.places.clone() {
            let machine = &mut self.machines[at];
            let is_other = machine.on_disk.is_some_and(|it| it.address != self.places[&key].1);
            if is_other && machine.facts.certificates == Certificates::Good {
                machine.facts.certificates = Certificates::OtherNames;
            }
            if let Owner::Ours { is_current } = &mut machine.facts.owner {
                *is_current = false;
            }
        }
    }

    /// The state keeps what was reached.
    pub(super) fn finish(&mut self) {
        self.note_voters();
        self.reached = self.places.clone();
        self.known = self.known.or(self.living().map(|it| self.rings[it].id));
        let silent: BTreeSet<_> = self.past.iter().copied().collect();
        self.past = silent
            .into_iter()
            .filter(|(key, at, address)| {
                self.places.get(key) == Some(&(*at, *address)) || self.is_listed(*at)
            })
            .collect();
    }

    /// Members whose machines the state does not know.
    pub(super) fn is_new(&self) -> Vec<String> {
        let reached = |key: u8, place: (usize, u8)| self.reached.get(&key) == Some(&place);
        let new = self.places.iter().filter(|(key, place)| !reached(**key, **place));
        new.map(|(key, _)| key_name(*key).to_string()).collect()
    }

    /// All hosts are back, and what was lost stays lost.
    pub(super) fn heal(&mut self) {
        for machine in &mut self.machines {
            (machine.answers, machine.has_power) = (true, true);
        }
    }

    pub(super) fn is_waiting_for_hosts(&self) -> bool {
        (0..self.machines.len()).any(|at| !self.is_visible(at))
    }

    /// Whether the fleet is what was wished, as far as hosts answer.
    pub(super) fn is_as_wished(&self) -> Result<(), String> {
        let ensure = |is_fine: bool, fault: &str| {
            if is_fine { Ok(()) } else { Err(format!("done, but {fault}")) }
        };
        let Some(ring) = self.living() else { return Err("done without a quorum".to_owned()) };
        let peers = &self.rings[ring].peers;
        ensure(peers.len() == self.places.len(), "the members are others")?;
        for (key, (at, address)) in &self.places {
            let holds = self.ring_of(*at).filter(|it| it.0 == ring);
            if !self.is_visible(*at) {
                continue;
            }
            let Some((_, id)) = holds else {
                return Err(format!("done without {}", key_name(*key)));
            };
            let peer = peers.iter().find(|it| it.id == id).unwrap();
            let conf = self.conf(*key, self.version);
            ensure(!peer.is_learner && self.is_active(ring, id), "a member does not serve")?;
            ensure(peer.url == *url(*address), "an address is another")?;
            let machine = &self.machines[*at];
            ensure(
                machine.running == Some(conf) && machine.on_disk == Some(conf),
                "settings are others",
            )?;
            ensure(machine.facts.certificates == Certificates::Good, "certificates are not good")?;
            ensure(
                machine.facts.owner == Owner::Ours { is_current: true },
                "a record is not current",
            )?;
            ensure(
                machine.formed.is_some() && machine.facts.seeds.is_none(),
                "a host could start a second cluster",
            )?;
        }
        Ok(())
    }

    /// Whether what a refusal says is true.
    pub(super) fn explains(&self, refusal: &Refusal) -> bool {
        let ring = self.living();
        let lacks = |names: &[Name]| names.iter().any(|it| !self.is_visible(self.at(it)));
        let is_down = ring.is_some_and(|it| self.active(it) < self.voters(it));
        let has_vote = |ring: usize, at: usize| {
            let Some((_, id)) = self.ring_of(at).filter(|it| it.0 == ring) else { return false };
            self.rings[ring].peers.iter().any(|it| it.id == id && !it.is_learner)
        };
        let held = |ring: usize| {
            let machines = 0..self.machines.len();
            machines.filter(|at| self.is_visible(*at) && has_vote(ring, *at)).count()
        };
        match refusal {
            Refusal::Unseen(names) | Refusal::Silent(names) => lacks(names),
            Refusal::NobodyAnswers(names) => names.iter().all(|it| lacks(std::slice::from_ref(it))),
            Refusal::Unhealthy(_) => is_down,
            Refusal::WouldLoseQuorum { .. } => is_down || self.is_final(refusal),
            Refusal::QuorumLost { .. } | Refusal::NothingLeft | Refusal::FormerSilent(_) => {
                (0..self.rings.len()).all(|it| {
                    held(it) < quorum(self.voters(it))
                        || self.is_waiting_for_hosts()
                        || self.is_split(it)
                })
            }
            Refusal::NothingInCommon => {
                let voters = |at: usize| (0..self.rings.len()).any(|it| has_vote(it, at));
                !self.places.values().any(|it| voters(it.0))
            }
            Refusal::EvenStart(_) => self.places.len().is_multiple_of(2),
            Refusal::Version(fault) => matches!(fault, VersionFault::SkipsMinor { .. }),
            Refusal::ForeignData { name } => !self.is_listed(self.at(name)),
            Refusal::AddressTaken { .. } | Refusal::OneOfTwoMoves(_) => true,
            Refusal::OtherAddressFirst { .. } => ring.is_none(),
            _ => false,
        }
    }

    /// Whether enough voters exist, but on machines that the wish does not name.
    fn is_split(&self, ring: usize) -> bool {
        let wanted: BTreeSet<usize> = self.places.values().map(|it| it.0).collect();
        let has_it = |at: &usize| self.ring_of(*at).is_some_and(|it| it.0 == ring);
        (0..self.machines.len()).filter(has_it).any(|it| !wanted.contains(&it))
    }

    /// Whether only another wish, or a restore, can help.
    pub(super) fn is_final(&self, refusal: &Refusal) -> bool {
        match refusal {
            // Of two, a corrupt one cannot be spared.
            Refusal::WouldLoseQuorum { .. } => {
                self.living().is_some_and(|it| !self.rings[it].corrupt.is_empty())
            }
            Refusal::QuorumLost { .. } | Refusal::NothingLeft | Refusal::FormerSilent(_) => {
                !self.is_waiting_for_hosts()
            }
            Refusal::NothingInCommon
            | Refusal::EvenStart(_)
            | Refusal::Version(_)
            | Refusal::ForeignData { .. }
            | Refusal::AddressTaken { .. }
            | Refusal::OneOfTwoMoves(_)
            | Refusal::OtherAddressFirst { .. } => true,
            _ => false,
        }
    }
}
