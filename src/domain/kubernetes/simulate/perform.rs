//! What steps do to the pretend fleet, and what they must never do.

use super::super::*;
use super::world::{World, key_of};
use crate::domain::host::{Certificates, Owner};
use crate::domain::name::Name;

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
        // Known to the run, whatever became of it.
        if let Step::PutBack { host, .. } = step {
            self.failed.insert(key_of(host));
        }
        if outcome == Outcome::Nothing {
            return Ok(());
        }
        let is_whole = outcome == Outcome::Whole;
        let hosts = |world: &Self, hosts: &[Name]| -> Vec<usize> {
            let count = if is_whole { hosts.len() } else { 1 };
            let ats = hosts.iter().take(count).map(|it| world.at(it));
            ats.filter(|it| world.is_visible(*it)).collect()
        };
        match step {
            Step::Claim { hosts: names } => {
                for at in hosts(self, names) {
                    self.machines[at].facts.owner = Owner::Unfinished;
                }
            }
            Step::Discard { hosts: names } | Step::Reset { hosts: names } => {
                for at in hosts(self, names) {
                    self.clean(at);
                }
            }
            Step::Recover { .. } | Step::KeepBundle { .. } | Step::ForgetBundle { .. } => {
                self.keep(step, hosts);
            }
            Step::Certify { hosts: names } => {
                let keys = self.keys();
                for at in hosts(self, names) {
                    let facts = &mut self.machines[at].facts;
                    facts.certificates = Certificates::Good;
                    facts.keys.get_or_insert_with(|| keys.clone());
                }
            }
            Step::Stage { hosts: names, version } => {
                for at in hosts(self, names) {
                    self.machines[at].facts.staged.insert(*version);
                }
            }
            Step::Prepare { hosts: names, version } => {
                for at in hosts(self, names) {
                    self.put(at, Component::ALL, *version);
                }
            }
            Step::Rewrite { hosts: names } => {
                for at in hosts(self, names) {
                    self.put(at, Component::ALL, self.version);
                }
            }
            Step::Begin { hosts: names } => {
                for at in hosts(self, names) {
                    self.machines[at].facts.is_begun = true;
                    self.start(at, Component::ApiServer);
                }
            }
            Step::Join { host } => {
                for at in hosts(self, std::slice::from_ref(host)) {
                    self.machines[at].facts.is_begun = true;
                    if is_whole {
                        self.start(at, Component::ApiServer);
                    }
                }
            }
            Step::BindAdmins { .. } => self.has_admins = true,
            Step::Start { hosts: names, components } => {
                for at in hosts(self, names) {
                    for component in components {
                        // One that runs goes on.
                        if self.machines[at].processes[*component as usize].running.is_none() {
                            self.start(at, *component);
                        }
                    }
                }
            }
            Step::Confirm { hosts: names, .. } => {
                for at in hosts(self, names) {
                    self.machines[at].before = None;
                }
            }
            Step::Record { hosts: names } => {
                for at in hosts(self, names) {
                    self.machines[at].facts.owner = Owner::Ours { is_current: true };
                }
            }
            Step::Restart { .. } | Step::Reconfigure { .. } | Step::PutBack { .. } => {
                self.restart(step, is_whole);
            }
            Step::Retire { host, .. } => {
                let at = self.former_at(key_of(host));
                if self.is_visible(at) {
                    self.clean(at);
                }
            }
            Step::Dismantle { .. } => return Err("nobody asked to destroy".to_owned()),
        }
        Ok(())
    }

    /// Those of whoever answers and has them; new ones where nobody does.
    fn keys(&mut self) -> KeysId {
        let visible = (0..self.machines.len()).filter(|at| self.is_visible(*at));
        let mut ours: Vec<_> = visible.filter(|at| self.is_ours(*at)).collect();
        ours.sort_by_key(|at| !self.machines[*at].facts.is_begun);
        let keys = ours.into_iter().find_map(|at| self.machines[at].facts.keys.clone());
        keys.unwrap_or_else(|| KeysId(self.id().to_string()))
    }

    /// Keys that come from a bundle, and copies of it.
    fn keep(&mut self, step: &Step, seen: impl Fn(&Self, &[Name]) -> Vec<usize>) {
        match step {
            Step::Recover { hosts } => {
                for at in seen(self, hosts) {
                    self.machines[at].facts.keys.clone_from(&self.recovery);
                }
            }
            Step::KeepBundle { from, hosts } => {
                let from = from.as_ref().map(|it| self.machines[self.at(it)].facts.bundle.clone());
                let bundle = from.unwrap_or_else(|| KeptBundle::Current(self.id().to_string()));
                for at in seen(self, hosts) {
                    self.machines[at].facts.bundle = bundle.clone();
                }
            }
            Step::ForgetBundle { hosts } => {
                for at in seen(self, hosts) {
                    self.machines[at].facts.bundle = KeptBundle::Absent;
                }
            }
            _ => {}
        }
    }

    fn put(&mut self, at: usize, components: &[Component], version: Version) {
        for component in components {
            let conf = self.conf(*component, version);
            let process = &mut self.machines[at].processes[*component as usize];
            (process.on_disk, process.has_unit) = (Some(conf), true);
        }
    }

    fn restart(&mut self, step: &Step, is_whole: bool) {
        let (host, components) = match step {
            Step::Restart { host, component } => (host, vec![*component]),
            Step::Reconfigure { host, components, .. } => (host, components.clone()),
            Step::PutBack { host, .. } => (host, Component::ALL.to_vec()),
            _ => return,
        };
        let at = self.at(host);
        if !self.is_visible(at) {
            return;
        }
        if let Step::Reconfigure { version, .. } = step {
            let machine = &mut self.machines[at];
            let on_disk = machine.processes.map(|it| it.on_disk);
            machine.before = machine.before.or(Some(on_disk));
            self.put(at, &components, *version);
        }
        let before = self.machines[at].before;
        for component in components {
            self.stop(at, component);
            if let (Step::PutBack { .. }, Some(before)) = (step, before) {
                let process = &mut self.machines[at].processes[component as usize];
                process.on_disk = before[component as usize];
            }
            if is_whole {
                self.start(at, component);
            }
        }
        if matches!(step, Step::PutBack { .. }) && is_whole {
            self.machines[at].before = None;
        }
    }

    /// Whether the step is one that may be done now, at its worst moment.
    fn judge(&self, step: &Step) -> Result<(), String> {
        let ensure =
            |is_fine: bool, fault: &str| if is_fine { Ok(()) } else { Err(fault.to_owned()) };
        match step {
            Step::Begin { hosts } => {
                let all = self.places.values().all(|at| self.is_visible(*at));
                ensure(all, "starts for the first time while a host is unseen")?;
                let is_first = !self.is_known || self.recovery.is_some() && !self.has_keys();
                ensure(is_first, "starts for the first time twice")?;
                let is_theirs =
                    |at: usize| self.data.is_some() && self.data != self.machines[at].facts.keys;
                ensure(!hosts.iter().any(|it| is_theirs(self.at(it))), "takes foreign data over")
            }
            Step::Certify { .. } => {
                let visible = |at: &usize| self.is_visible(*at) && self.is_ours(*at);
                let all = || 0..self.machines.len();
                let has = |at: &usize| self.machines[*at].facts.keys.is_some();
                let is_begun = |at: &usize| has(at) && self.machines[*at].facts.is_begun;
                let is_new = !all().any(|at| visible(&at) && has(&at));
                ensure(!is_new || !all().any(|at| is_begun(&at)), "makes keys beside others")
            }
            Step::Reset { hosts } => {
                let has_keys = |it: &Name| self.machines[self.at(it)].facts.keys.is_some();
                ensure(!hosts.iter().any(has_keys), "moves keys aside")
            }
            Step::Recover { .. } => ensure(!self.has_keys(), "recovers beside keys"),
            Step::Discard { hosts } => {
                let is_begun = |it: &Name| self.machines[self.at(it)].facts.is_begun;
                ensure(!hosts.iter().any(is_begun), "discards what was started")
            }
            Step::Restart { host, component } => self.may_stop(self.at(host), &[*component]),
            Step::Reconfigure { host, components, version } => {
                let at = self.at(host);
                let machine = &self.machines[at];
                ensure(machine.facts.staged.contains(version), "has no program")?;
                let runs = machine.processes.iter().filter_map(|it| it.running);
                let is_lower = runs.into_iter().any(|it| *version < it.version);
                let is_back = is_lower && components.contains(&Component::ApiServer);
                ensure(!is_back || !self.is_whole(), "goes back")?;
                self.may_stop(at, components)?;
                self.fits(at, components, *version)
            }
            Step::PutBack { host, version } => {
                let at = self.at(host);
                let before = self.machines[at].before.and_then(|it| it[0]);
                ensure(before.is_some_and(|it| it.version == *version), "puts back to nothing")?;
                self.may_stop(at, &[Component::ApiServer])?;
                self.fits(at, Component::ALL, *version)
            }
            Step::Join { host } => {
                let at = self.at(host);
                let mut others = self.places.values().filter(|it| **it != at);
                let is_away = |it: &usize| {
                    self.is_visible(*it)
                        && self.machines[*it].facts.is_begun
                        && !self.serves(*it, Component::ApiServer)
                };
                ensure(!others.any(is_away), "joins while another is away")
            }
            Step::Retire { host, .. } => {
                let at = self.former_at(key_of(host));
                ensure(!self.is_wanted(at), "stops a node that is wanted")?;
                let has_keys = |at: &usize| self.machines[*at].facts.keys == self.data;
                ensure(self.places.values().any(has_keys), "wipes the last keys")?;
                self.may_stop(at, Component::ALL)
            }
            _ => Ok(()),
        }
    }

    /// Whether a whole node has keys, be it one that does not answer.
    fn has_keys(&self) -> bool {
        let has = |it: &(u8, usize)| {
            let facts = &self.machines[it.1].facts;
            matches!(facts.owner, Owner::Ours { .. }) && facts.keys.is_some()
        };
        self.past.iter().any(has)
    }

    /// A component may be away for a moment only if others serve, and none of them is away as well.
    fn may_stop(&self, at: usize, components: &[Component]) -> Result<(), String> {
        // Nobody uses it before it is whole.
        let is_alone = self.places.len() == 1 && self.is_wanted(at);
        if is_alone || !self.is_whole() {
            return Ok(());
        }
        let mut others = self.places.values().filter(|it| **it != at);
        let server = Component::ApiServer;
        if components.contains(&server) && self.serves(at, server) {
            if !others.clone().any(|it| self.serves(*it, server)) {
                return Err("stops the last API server".to_owned());
            }
            let is_away = |it: &usize| {
                self.is_visible(*it)
                    && self.machines[*it].facts.is_begun
                    && !self.serves(*it, server)
            };
            if others.any(is_away) {
                return Err("stops a second API server".to_owned());
            }
        }
        for (which, component) in
            [Component::ControllerManager, Component::Scheduler].into_iter().enumerate()
        {
            let is_active = components.contains(&component) && self.serves(at, component);
            if is_active && self.leaders[which].is_none() {
                return Err(format!("stops a {component} while nobody leads"));
            }
        }
        Ok(())
    }

    /// Whether its creation came to an end, as far as anybody noted, and it is not about to be recovered.
    fn is_whole(&self) -> bool {
        if self.recovery.is_some() && !self.has_keys() {
            return false;
        }
        let is_done = |at: usize| matches!(self.machines[at].facts.owner, Owner::Ours { .. });
        self.is_known || (0..self.machines.len()).any(is_done)
    }

    /// Whether the versions fit each other afterwards.
    fn fits(&self, at: usize, components: &[Component], version: Version) -> Result<(), String> {
        if !self.is_whole() {
            return Ok(());
        }
        let server = |at: usize| self.machines[at].processes[0].running.map(|it| it.version);
        let own =
            if components.contains(&Component::ApiServer) { Some(version) } else { server(at) };
        let others = self.places.values().filter(|it| **it != at && self.machines[**it].has_power);
        let mut minors: Vec<_> = others.filter_map(|it| server(*it)).collect();
        minors.extend(own);
        let minors: Vec<_> = minors.iter().map(|it| it.minor).collect();
        if let (Some(low), Some(high)) = (minors.iter().min(), minors.iter().max())
            && low + 1 < *high
        {
            return Err("runs API servers that are two minors apart".to_owned());
        }
        let is_later = own.is_some_and(|it| it < version);
        let is_controller = components.iter().any(|it| *it != Component::ApiServer);
        if is_later && is_controller {
            return Err("runs a controller that is later than its API server".to_owned());
        }
        Ok(())
    }
}
