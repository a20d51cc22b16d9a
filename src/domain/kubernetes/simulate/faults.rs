//! What befalls a fleet, what a user edits, and what is true in the end.

use std::collections::BTreeSet;

use super::super::notation::fresh;
use super::super::*;
use super::world::{Conf, Process, World, key_of, wanted};
use crate::domain::chance::Rng;
use crate::domain::host::{Certificates, Owner};
use crate::domain::name::Name;

impl World {
    /// One of the things that happen to hosts.
    pub(super) fn break_something(&mut self, rng: &mut Rng) {
        let at = rng.below(self.machines.len());
        let component = Component::ALL[rng.below(3)];
        let process = component as usize;
        match rng.below(11) {
            0 | 1 => self.machines[at].answers = false,
            2 => self.machines[at].answers = true,
            3 => {
                for component in Component::ALL {
                    self.stop(at, *component);
                }
                self.machines[at].has_power = false;
            }
            4 if !self.machines[at].has_power => self.machines[at].has_power = true,
            4 | 5 => self.stop(at, component),
            6 => self.machines[at].processes[process].hangs = true,
            7 => self.rebuild(at),
            8 if self.machines[at].facts.certificates == Certificates::Good => {
                let kinds = [Certificates::Due, Certificates::Invalid, Certificates::OtherNames];
                self.machines[at].facts.certificates = kinds[rng.below(3)];
            }
            9 => {
                let runs = self.machines[at].processes.iter().filter_map(|it| it.running);
                let is_proven = runs.into_iter().any(|it| it.version == self.version);
                if !is_proven {
                    self.machines[at].bad = Some(self.version);
                }
            }
            _ => {
                if let Some(conf) = &mut self.machines[at].processes[process].on_disk {
                    conf.flavour = 99;
                }
            }
        }
    }

    /// No node has its keys any more, but for one that does not answer, now and then.
    pub(super) fn lose_keys(&mut self, rng: &mut Rng) {
        let all: Vec<usize> = self.places.values().copied().collect();
        for at in all {
            match rng.below(6) {
                0 => self.machines[at].answers = false,
                1 => self.rebuild(at),
                _ => {
                    self.stop(at, Component::ApiServer);
                    let facts = &mut self.machines[at].facts;
                    (facts.keys, facts.certificates) = (None, Certificates::Missing);
                }
            }
        }
    }

    /// Another machine takes its place.
    fn rebuild(&mut self, at: usize) {
        self.clean(at);
        let id = self.id();
        self.machines[at].facts = fresh(&format!("m{id}"));
    }

    /// One or two of the edits that a user makes.
    pub(super) fn edit(&mut self, rng: &mut Rng) {
        for _ in 0..=rng.below(2) {
            let keys: Vec<u8> = self.places.keys().copied().collect();
            let key = keys[rng.below(keys.len())];
            let used: BTreeSet<usize> = self.places.values().copied().collect();
            let free = (0..self.machines.len()).find(|it| !used.contains(it));
            let new_key = (0..8).find(|it| !self.places.contains_key(it));
            match (rng.below(8), new_key, free) {
                (0, ..) if 1 < keys.len() => drop(self.places.remove(&key)),
                (1 | 2, Some(new), Some(at)) if keys.len() < 5 => {
                    self.places.insert(new, at);
                }
                (3, Some(new), _) => {
                    let at = self.places.remove(&key);
                    self.places.extend(at.map(|it| (new, it)));
                }
                (4, _, Some(at)) => drop(self.places.insert(key, at)),
                (5 | 6, ..) => {
                    let (minor, patch) = (self.version.minor, self.version.patch);
                    self.version = match minor {
                        34 if rng.one_in(8) => Version::new(36, 3),
                        34 if patch == 4 && rng.one_in(2) => Version::new(34, 5),
                        34 => Version::new(35, 4),
                        35 => Version::new(36, 3),
                        _ => self.version,
                    };
                }
                _ => {
                    let which = rng.below(4);
                    for (at, flavour) in self.flavours.iter_mut().enumerate() {
                        // The fourth is what concerns all of them.
                        if at == which || which == 3 {
                            *flavour = (*flavour + 1) % 90;
                        }
                    }
                }
            }
        }
        self.past.extend(self.places.iter().map(|(key, at)| (*key, *at)));
        self.desired = wanted(&self.places, self.version);
        for machine in &mut self.machines {
            if let Owner::Ours { is_current } = &mut machine.facts.owner {
                *is_current = false;
            }
        }
    }

    /// The state keeps what was reached.
    pub(super) fn finish(&mut self) {
        self.is_known = true;
        let past = std::mem::take(&mut self.past);
        let is_kept = |it: &(u8, usize)| !self.is_former(*it) || self.is_ours(it.1);
        self.past = past.into_iter().filter(is_kept).collect();
    }

    /// All hosts are back with programs that work, and what was lost stays lost.
    pub(super) fn heal(&mut self) {
        for machine in &mut self.machines {
            (machine.answers, machine.has_power, machine.bad) = (true, true, None);
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        (0..self.machines.len()).any(|at| !self.is_visible(at) || self.machines[at].bad.is_some())
    }

    /// Whether all is what was wished, as far as hosts answer.
    pub(super) fn is_as_wished(&self) -> Result<(), String> {
        let ensure = |is_fine: bool, fault: &str| {
            if is_fine { Ok(()) } else { Err(format!("done, but {fault}")) }
        };
        for at in self.places.values().copied().filter(|at| self.is_visible(*at)) {
            let machine = &self.machines[at];
            for component in Component::ALL {
                let conf: Option<Conf> = Some(self.conf(*component, self.version));
                let process: &Process = &machine.processes[*component as usize];
                let is_wish = process.running == conf && process.on_disk == conf;
                ensure(is_wish, "settings are others")?;
                ensure(self.serves(at, *component), "a component does not serve")?;
            }
            ensure(machine.facts.certificates == Certificates::Good, "certificates are not good")?;
            let is_current = machine.facts.owner == Owner::Ours { is_current: true };
            ensure(is_current, "a record is not current")?;
            ensure(machine.before.is_none(), "something could be put back")?;
            let is_kept = matches!(machine.facts.bundle, KeptBundle::Current(_));
            ensure(is_kept, "a node keeps no bundle")?;
        }
        let left = self.past.iter().filter(|it| self.is_former(**it) && !self.is_wanted(it.1));
        let is_left = left.into_iter().any(|it| self.is_visible(it.1) && self.is_ours(it.1));
        ensure(!is_left, "a former node is left")?;
        ensure(self.has_admins, "nobody may administrate")
    }

    /// Whether what a refusal says is true.
    pub(super) fn explains(&self, refusal: &Refusal) -> bool {
        let lacks = |names: &[Name]| {
            let silent = |key: u8| {
                let is_silent = |at: &usize| !self.is_visible(*at);
                self.places.get(&key).is_some_and(is_silent)
                    || self.past.iter().any(|it| it.0 == key && is_silent(&it.1))
            };
            names.iter().any(|it| silent(key_of(it)))
        };
        let begun = |at: &usize| self.is_ours(*at) && self.machines[*at].facts.is_begun;
        let all = || 0..self.machines.len();
        match refusal {
            Refusal::Unseen(names) | Refusal::Silent(names) | Refusal::SilentAtRecovery(names) => {
                lacks(names)
            }
            Refusal::WouldStopLast(_) => self.places.values().any(|at| !self.is_visible(*at)),
            Refusal::Failed(names) => {
                names.iter().any(|it| self.machines[self.at(it)].bad.is_some())
            }
            Refusal::Version(fault) => matches!(fault, VersionFault::SkipsMinor { .. }),
            Refusal::KeysLost => {
                self.recovery.is_none() && !all().any(|at| self.is_visible(at) && begun(&at))
            }
            Refusal::NothingInCommon => {
                let has_keys = |at: &usize| self.machines[*at].facts.keys.is_some();
                !self.places.values().any(|at| self.is_visible(*at) && begun(at) && has_keys(at))
            }
            Refusal::ForeignData(_) => !self.places.values().any(begun),
            _ => false,
        }
    }

    /// Whether only another wish, or a restore, can help.
    pub(super) fn is_final(&self, refusal: &Refusal) -> bool {
        match refusal {
            Refusal::KeysLost | Refusal::NothingInCommon | Refusal::ForeignData(_) => {
                !self.is_waiting()
            }
            Refusal::Version(_) => true,
            _ => false,
        }
    }
}
