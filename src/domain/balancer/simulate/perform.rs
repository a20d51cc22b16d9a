//! What each step does to a pretend fleet, and what it may not do.

use std::collections::BTreeSet;

use super::fleet::{Content, Fleet, Machine, Outcome, key};
use super::*;
use crate::domain::Step as _;
use crate::domain::host::Owner;
use crate::domain::name::Name;

impl Fleet {
    /// Does a step, unless it breaks what was promised.
    pub(super) fn perform(&mut self, step: &Step, outcome: Outcome) -> Result<(), String> {
        let hosts: Vec<Name> = step.hosts().into_iter().map(key).collect();
        if let Some(silent) = hosts.iter().find(|it| !self.machines[*it].answers) {
            return Err(format!("{silent} is not seen"));
        }
        self.judge(step)?;
        let serving = self.serving();
        let had_holder = self.holder.is_some();
        let count = match outcome {
            Outcome::Whole | Outcome::Lost => hosts.len(),
            Outcome::Half => 1,
            Outcome::Nothing => 0,
        };
        match step {
            Step::Listen { .. } if 0 < count => self.heard[0] = Some(Strangers::default()),
            Step::Confirm { .. } if 0 < count => self.heard[1] = Some(Strangers::default()),
            _ => {}
        }
        for host in hosts.iter().take(count) {
            self.perform_on(host, step);
        }
        self.elect();
        if serving != 0 && self.serving() == 0 {
            return Err("nobody serves any more".to_owned());
        }
        let is_possible = self.machines.values().any(|it| it.serves() && it.has_keepalived);
        if had_holder
            && self.holder.is_none()
            && is_possible
            && !matches!(step, Step::MoveAway { host } if self.former.contains(host))
        {
            return Err("nobody has the virtual IP any more".to_owned());
        }
        Ok(())
    }

    fn serving(&self) -> usize {
        self.machines.values().filter(|it| it.serves()).count()
    }

    fn judge(&self, step: &Step) -> Result<(), String> {
        let wished = self.wished();
        match step {
            Step::Write { host } => {
                // Another one has it on its disk, and has not shown that it works.
                let is_open = |(name, it): (&Name, &Machine)| {
                    let is_proven =
                        it.running.as_ref().is_some_and(|it| it.settings == wished.settings);
                    name != host
                        && self.desired.nodes.contains_key(name)
                        && it.answers
                        && it.is_on
                        && !it.hangs
                        && it.on_disk.as_ref() == Some(&wished)
                        && !is_proven
                };
                match self.machines.iter().find(|it| is_open(*it)) {
                    Some((other, _)) => Err(format!("{other} does not serve with it yet")),
                    None => Ok(()),
                }
            }
            Step::DropBackends { host, names } => {
                let running = self.machines[host].running.as_ref();
                let has_sessions = |it: &Name| {
                    running.is_some_and(|all| {
                        all.backends.get(it).is_some_and(|it| it.ip().to_string().ends_with('3'))
                    })
                };
                let is_open = |it: &Name| !self.machines[host].drained.contains(it);
                if names.iter().any(|it| has_sessions(it) || is_open(it)) {
                    return Err("cuts connections".to_owned());
                }
                Ok(())
            }
            Step::TakePart { host } => {
                let is_stranger = |(name, it): &(&Name, &Machine)| {
                    *name != host
                        && it.keepalived.as_ref().is_some_and(|it| !it.contains(host))
                        && it.answers
                        && it.is_on
                        && self.desired.nodes.contains_key(*name)
                };
                match self.machines.iter().find(is_stranger) {
                    Some((other, _)) => {
                        Err(format!("{other} does not know it: two have the address"))
                    }
                    None => Ok(()),
                }
            }
            Step::Retire { host } if self.machines[host].keepalived.is_some() => {
                Err("it may have the virtual IP".to_owned())
            }
            Step::Retire { host } if self.desired.nodes.contains_key(host) => {
                Err("it is wanted".to_owned())
            }
            Step::Restart { host } if self.machines[host].serves() => {
                let is_other = |it: &(&Name, &Machine)| it.0 != host && it.1.serves();
                if !self.machines.iter().any(|it| is_other(&it)) {
                    return Err("nobody else serves".to_owned());
                }
                if self.machines[host].keepalived.is_some() {
                    return Err("it serves, and may have the virtual IP".to_owned());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn perform_on(&mut self, host: &Name, step: &Step) {
        let (wished, cursed) = (self.wished(), &self.cursed);
        let Some(it) = self.machines.get_mut(host) else { return };
        let is_up = |it: &Content| !cursed.contains(&it.settings);
        match step {
            Step::Listen { .. } | Step::Confirm { .. } => {}
            Step::Claim { .. } => it.owner = Owner::Unfinished,
            Step::Install { .. } => it.has_programs = true,
            Step::Write { .. } => {
                it.on_disk = Some(wished);
                it.has_keepalived = true;
                self.tried.remove(host);
            }
            Step::Start { .. } | Step::Restart { .. } => {
                it.running = it.on_disk.clone().filter(is_up);
                (it.hangs, it.drained) = (false, BTreeSet::new());
                if it.on_disk == Some(wished) {
                    it.room = self.desired.max_connections;
                }
                self.tried.insert(host.clone());
            }
            Step::Reload { .. } => {
                if let Some(next) = it.on_disk.clone().filter(is_up) {
                    (it.running, it.drained) = (Some(next), BTreeSet::new());
                }
                self.tried.insert(host.clone());
            }
            Step::AddBackends { names, .. } => {
                let all = self.desired.backends.iter().filter(|it| names.contains(it.0));
                if let Some(running) = &mut it.running {
                    running.backends.extend(all.map(|(name, it)| (name.clone(), *it)));
                }
            }
            Step::ReadyBackends { names, .. } => it.drained.retain(|it| !names.contains(it)),
            Step::DrainBackends { names, .. } => it.drained.extend(names.iter().cloned()),
            Step::DropBackends { names, .. } => {
                if let Some(running) = &mut it.running {
                    running.backends.retain(|it, _| !names.contains(it));
                }
                it.drained.retain(|it| !names.contains(it));
            }
            Step::PutBack { .. } => {
                it.on_disk.clone_from(&it.good);
                if let Some(next) = it.on_disk.clone().filter(is_up) {
                    it.running = Some(next);
                }
                self.failed.insert(host.clone(), "cursed".to_owned());
            }
            Step::Keep { .. } => it.good.clone_from(&it.on_disk),
            Step::TakePart { .. } | Step::Inform { .. } => {
                it.keepalived = it.on_disk.as_ref().map(|it| it.peers.clone());
            }
            Step::MoveAway { .. } => it.keepalived = None,
            Step::Unguard { .. } => (it.keepalived, it.has_keepalived) = (None, false),
            Step::Retire { .. } | Step::Dismantle { .. } => {
                *it = Machine { has_programs: it.has_programs, ..Machine::bare() };
            }
            Step::Record { .. } => {
                it.owner = Owner::Ours { is_current: true };
                it.recorded = Some(wished);
            }
        }
    }
}
