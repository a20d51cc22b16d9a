//! Pretend hosts, and what no step may do to them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use proptest::prelude::*;
use proptest::sample::select;

use super::super::samples::with_virtual_ip;
use super::*;
use crate::domain::host::{MachineId, Owner};
use crate::domain::name::Name;

/// What a file says: settings by their number, backends, and the nodes that keepalived knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) settings: u16,
    pub(super) backends: BTreeMap<Name, SocketAddr>,
    pub(super) peers: BTreeSet<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It does not answer us, and serves on.
    Silent(usize),
    /// It is off.
    Dead(usize),
    /// It is as before.
    Back(usize),
    /// The process ends, and is started again with what lies there.
    ProxyDies(usize),
    /// The process hangs.
    ProxyHangs(usize),
    KeepalivedDies(usize),
    Edited(usize),
    Drained(usize),
    /// No process comes up with the present settings.
    Cursed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All is done, and the answer arrives.
    Whole,
    /// The first host has done it.
    Half,
    /// Nothing was done.
    Nothing,
    /// All is done, and the answer is lost.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    Settings,
    More,
    AddBackend,
    DropBackend,
    MoveBackend,
    AddNode,
    DropNode,
    ReplaceNode,
}

impl Edit {
    pub(super) const ALL: &[Self] = &[
        Self::Settings,
        Self::More,
        Self::AddBackend,
        Self::DropBackend,
        Self::MoveBackend,
        Self::AddNode,
        Self::DropNode,
        Self::ReplaceNode,
    ];
}

pub(super) fn any_edit() -> impl Strategy<Value = Edit> {
    select(Edit::ALL)
}

pub(super) fn any_outcome() -> impl Strategy<Value = Outcome> {
    select(&[Outcome::Whole, Outcome::Half, Outcome::Nothing, Outcome::Lost])
}

pub(super) fn any_fault() -> impl Strategy<Value = Fault> {
    let host = || 0..4_usize;
    prop_oneof![
        host().prop_map(Fault::Silent),
        host().prop_map(Fault::Dead),
        host().prop_map(Fault::Back),
        host().prop_map(Fault::ProxyDies),
        host().prop_map(Fault::ProxyHangs),
        host().prop_map(Fault::KeepalivedDies),
        host().prop_map(Fault::Edited),
        host().prop_map(Fault::Drained),
        Just(Fault::Cursed),
    ]
}

#[expect(clippy::struct_excessive_bools, reason = "each can be so by itself")]
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) answers: bool,
    pub(super) is_on: bool,
    pub(super) owner: Owner,
    pub(super) has_programs: bool,
    pub(super) on_disk: Option<Content>,
    pub(super) good: Option<Content>,
    pub(super) recorded: Option<Content>,
    pub(super) running: Option<Content>,
    pub(super) hangs: bool,
    /// Connections that the process was started for.
    pub(super) room: u32,
    pub(super) drained: BTreeSet<Name>,
    /// The peers that it knows. None: it does not run.
    pub(super) keepalived: Option<BTreeSet<Name>>,
    pub(super) has_keepalived: bool,
}

impl Machine {
    pub(super) fn bare() -> Self {
        Self {
            answers: true,
            is_on: true,
            owner: Owner::Nobody,
            has_programs: false,
            on_disk: None,
            good: None,
            recorded: None,
            running: None,
            hangs: false,
            room: 0,
            drained: BTreeSet::new(),
            keepalived: None,
            has_keepalived: false,
        }
    }

    pub(super) fn serves(&self) -> bool {
        self.is_on && !self.hangs && self.running.is_some()
    }

    pub(super) fn may_hold(&self) -> bool {
        self.serves() && self.keepalived.is_some()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Fleet {
    pub(super) desired: Desired,
    pub(super) settings: u16,
    pub(super) machines: BTreeMap<Name, Machine>,
    pub(super) former: BTreeSet<Name>,
    pub(super) holder: Option<Name>,
    pub(super) cursed: BTreeSet<u16>,
    pub(super) is_known: bool,
    pub(super) tried: BTreeSet<Name>,
    pub(super) failed: BTreeMap<Name, String>,
    pub(super) spare: u8,
    pub(super) heard: [Option<Strangers>; 2],
}

pub(super) fn key(text: &str) -> Name {
    text.parse().unwrap()
}

impl Fleet {
    pub(super) fn new() -> Self {
        let desired = Desired::new(with_virtual_ip()).unwrap();
        let machines = desired.nodes.keys().map(|it| (it.clone(), Machine::bare())).collect();
        Self {
            desired,
            settings: 1,
            machines,
            former: BTreeSet::new(),
            holder: None,
            cursed: BTreeSet::new(),
            is_known: false,
            tried: BTreeSet::new(),
            failed: BTreeMap::new(),
            spare: 3,
            heard: [None, None],
        }
    }

    pub(super) fn begin(&mut self) {
        self.tried.clear();
        self.failed.clear();
        self.heard = [None, None];
    }

    pub(super) fn finish(&mut self) {
        self.is_known = true;
        self.former.clear();
    }

    pub(super) fn wished(&self) -> Content {
        let (backends, nodes) = (self.desired.backends.clone(), self.desired.nodes.keys());
        Content { settings: self.settings, backends, peers: nodes.cloned().collect() }
    }

    pub(super) fn edit(&mut self, edit: Edit) {
        let mut wish = Wish::clone(&self.desired);
        let mut is_other = false;
        match edit {
            Edit::Settings => self.settings += 1,
            Edit::More => {
                wish.max_connections += 1000;
                self.settings += 1;
            }
            Edit::AddBackend => {
                let endpoint = SocketAddr::from(([10, 0, 1, self.spare], 6443));
                wish.backends.insert(key(&format!("x{}", self.spare)), endpoint);
                self.spare += 1;
            }
            Edit::DropBackend if 1 < wish.backends.len() => drop(wish.backends.pop_first()),
            Edit::MoveBackend => {
                let endpoint = SocketAddr::from(([10, 0, 1, self.spare], 6443));
                wish.backends.values_mut().take(1).for_each(|it| *it = endpoint);
                self.spare += 1;
            }
            Edit::AddNode => is_other = true,
            Edit::DropNode if 2 < wish.nodes.len() => self.part(&mut wish),
            Edit::ReplaceNode => {
                self.part(&mut wish);
                is_other = true;
            }
            Edit::DropBackend | Edit::DropNode => {}
        }
        if is_other {
            let (name, mut place) =
                (key(&format!("lb{}", self.spare)), wish.nodes.values().next().unwrap().clone());
            place.address = [10, 0, 0, 10 + self.spare].into();
            self.machines.insert(name.clone(), Machine::bare());
            wish.nodes.insert(name, place);
            self.spare += 1;
        }
        self.begin();
        self.desired = Desired::new(wish).unwrap();
    }

    fn part(&mut self, wish: &mut Wish) {
        if let Some((name, _)) = wish.nodes.pop_first() {
            self.former.insert(name);
        }
    }

    pub(super) fn break_something(&mut self, fault: &Fault) {
        let all: Vec<_> = self.machines.keys().cloned().collect();
        let mut on = |at: usize, edit: &dyn Fn(&mut Machine)| {
            edit(self.machines.get_mut(&all[at % all.len()]).unwrap());
        };
        match *fault {
            Fault::Silent(at) => on(at, &|it| it.answers = false),
            Fault::Dead(at) => on(at, &|it| it.is_on = false),
            Fault::Back(at) => on(at, &|it| (it.answers, it.is_on) = (true, true)),
            Fault::ProxyHangs(at) => on(at, &|it| it.hangs = it.running.is_some()),
            Fault::KeepalivedDies(at) => on(at, &|it| it.keepalived = None),
            Fault::ProxyDies(at) => {
                let cursed = self.cursed.clone();
                let is_up = |it: &Content| !cursed.contains(&it.settings);
                on(at, &|it| {
                    if it.running.is_some() {
                        it.running = it.on_disk.clone().filter(is_up);
                        it.hangs = false;
                    }
                });
            }
            Fault::Edited(at) => on(at, &|it| {
                if let Some(content) = &mut it.on_disk {
                    content.settings = 0;
                }
            }),
            Fault::Drained(at) => on(at, &|it| {
                if let Some(running) = &it.running {
                    it.drained = running.backends.keys().cloned().collect();
                }
            }),
            Fault::Cursed => drop(self.cursed.insert(self.settings)),
        }
        self.elect();
    }

    pub(super) fn heal(&mut self) {
        self.cursed.clear();
        for machine in self.machines.values_mut() {
            (machine.answers, machine.is_on) = (true, true);
        }
        self.elect();
    }

    /// Whoever has the address keeps it, as long as it may.
    pub(super) fn elect(&mut self) {
        let may = |it: &Name| self.machines.get(it).is_some_and(Machine::may_hold);
        if self.holder.as_ref().is_some_and(may) {
            return;
        }
        self.holder = self.machines.keys().find(|it| may(it)).cloned();
    }

    pub(super) fn time_passes(&mut self) {
        self.elect();
    }

    pub(super) fn look(&self) -> Observed {
        let node = |name: &Name| {
            let machine = &self.machines[name];
            if !machine.answers || !machine.is_on {
                return Node::Unseen { is_current: self.is_current(machine) };
            }
            Node::Seen(Box::new(self.facts(name, machine)))
        };
        let former = self.former.iter().filter(|it| self.machines.contains_key(*it));
        Observed {
            nodes: self.desired.nodes.keys().map(|it| (it.clone(), node(it))).collect(),
            former: former.map(|it| (it.clone(), node(it))).collect(),
            is_known: self.is_known,
            tried: self.tried.clone(),
            failed: self.failed.clone(),
            is_early: false,
            before: self.heard[0].clone(),
            after: self.heard[1].clone(),
        }
    }

    fn facts(&self, name: &Name, machine: &Machine) -> Facts {
        let wished = self.wished();
        let lies = |it: &Option<Content>| match it {
            None => Lies::Nothing,
            Some(it) if *it == wished => Lies::Wished,
            Some(_) => Lies::Other,
        };
        let proxy = match &machine.running {
            Some(_) if machine.hangs => Process::Stuck,
            Some(running) => {
                let backend = |(name, endpoint): (&Name, &SocketAddr)| {
                    let is_drained = machine.drained.contains(name);
                    let sessions = u64::from(endpoint.ip().to_string().ends_with('3'));
                    let backend =
                        Backend { endpoint: *endpoint, is_up: true, is_drained, sessions };
                    (name.clone(), backend)
                };
                let backends = running.backends.iter().map(backend).collect();
                Process::Running(Running {
                    is_wished: running.settings == wished.settings,
                    is_cramped: machine.room < self.desired.max_connections,
                    backends,
                })
            }
            None if machine.on_disk.is_some() => Process::Stopped,
            None => Process::Absent,
        };
        let keepalived = match &machine.keepalived {
            Some(peers) => Keepalived::Running { is_current: *peers == wished.peers },
            None if machine.has_keepalived => Keepalived::Stopped,
            None => Keepalived::Absent,
        };
        let owner = match &machine.owner {
            Owner::Ours { .. } => {
                Owner::Ours { is_current: machine.recorded.as_ref() == Some(&wished) }
            }
            other => other.clone(),
        };
        Facts {
            machine: MachineId(name.to_string()),
            owner,
            foreign: None,
            has_programs: machine.has_programs,
            most_files: u64::MAX,
            has_network: true,
            on_disk: lies(&machine.on_disk),
            good: lies(&machine.good),
            proxy,
            keepalived,
            holds: self.holder.as_ref() == Some(name),
        }
    }

    fn is_current(&self, machine: &Machine) -> bool {
        let wished = self.wished();
        machine
            .running
            .as_ref()
            .is_some_and(|it| (it.settings, &it.backends) == (wished.settings, &wished.backends))
    }

    pub(super) fn is_as_wished(&self) -> Result<(), String> {
        for (name, it) in &self.machines {
            let is_wanted = self.desired.nodes.contains_key(name);
            if is_wanted && !self.is_current(it) {
                return Err(format!("{name} runs something else"));
            }
            if !is_wanted && (it.running.is_some() || it.owner != Owner::Nobody) {
                return Err(format!("{name} was left behind"));
            }
        }
        if self.holder.is_none() { Err("nobody has the virtual IP".to_owned()) } else { Ok(()) }
    }
}
