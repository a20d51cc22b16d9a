//! A fleet that heals nothing by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::super::notation::{fresh, recipient, wish};
use super::super::*;
use crate::domain::host::{Certificates, Owner, Unit};
use crate::domain::name::Name;

/// What a process is started with: which program and which settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conf {
    pub(super) version: Version,
    pub(super) flavour: u8,
}

/// A component on a machine.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Process {
    pub(super) on_disk: Option<Conf>,
    pub(super) running: Option<Conf>,
    pub(super) has_unit: bool,
    pub(super) hangs: bool,
    /// Looks until it can serve.
    pub(super) warming: u8,
}

#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) facts: Facts,
    pub(super) processes: [Process; 3],
    /// What was there before the last change of settings.
    pub(super) before: Option<[Option<Conf>; 3]>,
    /// A version that never comes up here.
    pub(super) bad: Option<Version>,
    pub(super) answers: bool,
    pub(super) has_power: bool,
}

/// Key to machine.
pub(super) type Places = BTreeMap<u8, usize>;

#[derive(Clone)]
pub(super) struct World {
    pub(super) machines: Vec<Machine>,
    pub(super) places: Places,
    /// What the state and the records name: key and machine.
    pub(super) past: BTreeSet<(u8, usize)>,
    pub(super) version: Version,
    /// Of each component.
    pub(super) flavours: [u8; 3],
    pub(super) desired: Desired,
    pub(super) is_known: bool,
    /// Whose objects lie in etcd.
    pub(super) data: Option<KeysId>,
    /// The keys of a bundle that the user has kept.
    pub(super) recovery: Option<KeysId>,
    pub(super) has_admins: bool,
    /// The machines of the controller manager and the scheduler that lead.
    pub(super) leaders: [Option<usize>; 2],
    /// Looks until a lease that was left has run out.
    pub(super) leaderless: [u8; 2],
    /// What the state says that ran on a machine behind a key.
    pub(super) last: BTreeMap<(u8, usize), Conf>,
    pub(super) failed: BTreeSet<u8>,
    ids: u64,
}

/// Made once: thousands of cases ask for them all the time.
static NAMES: LazyLock<Vec<Name>> =
    LazyLock::new(|| (b'a'..=b'z').map(|it| char::from(it).to_string().parse().unwrap()).collect());

pub(super) fn key_name(key: u8) -> Name {
    NAMES[usize::from(key)].clone()
}

pub(super) fn key_of(name: &Name) -> u8 {
    name.as_str().as_bytes()[0] - b'a'
}

pub(super) fn wanted(places: &Places, version: Version) -> Desired {
    let names: Vec<_> = places.keys().map(|it| key_name(*it).to_string()).collect();
    let mut wish = wish(&names.join(" "), "1.34");
    wish.version = version;
    wish.recipients.insert(recipient());
    Desired::new(wish).unwrap()
}

impl World {
    pub(super) fn new(size: u8, machines: usize, version: Version) -> Self {
        let blank = |at: usize| Machine {
            facts: fresh(&format!("m{at}")),
            processes: [Process::default(); 3],
            before: None,
            bad: None,
            answers: true,
            has_power: true,
        };
        let places: Places = (0..size).map(|key| (key, usize::from(key))).collect();
        let desired = wanted(&places, version);
        Self {
            machines: (0..machines).map(blank).collect(),
            past: places.iter().map(|(key, at)| (*key, *at)).collect(),
            places,
            version,
            flavours: [0; 3],
            desired,
            is_known: false,
            data: None,
            recovery: None,
            has_admins: false,
            leaders: [None; 2],
            leaderless: [0; 2],
            last: BTreeMap::new(),
            failed: BTreeSet::new(),
            ids: 100,
        }
    }

    pub(super) fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn conf(&self, component: Component, version: Version) -> Conf {
        Conf { version, flavour: self.flavours[component as usize] }
    }

    pub(super) fn is_visible(&self, at: usize) -> bool {
        self.machines[at].answers && self.machines[at].has_power
    }

    pub(super) fn is_wanted(&self, at: usize) -> bool {
        self.places.values().any(|it| *it == at)
    }

    /// The machine of a key: the wanted one, where there is one.
    pub(super) fn at(&self, name: &Name) -> usize {
        self.places.get(&key_of(name)).copied().unwrap_or_else(|| self.former_at(key_of(name)))
    }

    /// The former machine of a key: one that is nobody's machine now, and still holds something.
    pub(super) fn former_at(&self, key: u8) -> usize {
        // Of several, those first that can be cleaned.
        let order = |it: &&(u8, usize)| {
            let is_ours = self.is_ours(it.1);
            (self.is_wanted(it.1), !(is_ours && self.is_visible(it.1)), !is_ours)
        };
        let former = self.past.iter().filter(|it| it.0 == key && self.is_former(**it));
        former.min_by_key(order).unwrap().1
    }

    pub(super) fn is_former(&self, (key, at): (u8, usize)) -> bool {
        self.places.get(&key) != Some(&at)
    }

    /// Whether this process does what it is for.
    pub(super) fn serves(&self, at: usize, component: Component) -> bool {
        let machine = &self.machines[at];
        let process = &machine.processes[component as usize];
        let Some(conf) = process.running else { return false };
        let is_up = machine.has_power && !process.hangs && process.warming == 0;
        let is_good = machine.bad != Some(conf.version);
        is_up
            && is_good
            && if component == Component::ApiServer {
                let is_refused = matches!(
                    machine.facts.certificates,
                    Certificates::Missing | Certificates::Invalid
                );
                !is_refused && machine.facts.keys.is_some() && machine.facts.keys == self.data
            } else {
                self.serves(at, Component::ApiServer)
            }
    }

    fn unit(&self, at: usize, component: Component) -> Unit {
        let process = &self.machines[at].processes[component as usize];
        let is_server = component == Component::ApiServer;
        match process.running {
            None if process.has_unit => Unit::Stopped,
            None => Unit::Absent,
            Some(_) if self.serves(at, component) => Unit::Running,
            Some(_) if process.warming != 0 => Unit::Starting,
            // It waits for its API server.
            Some(_) if !is_server && !process.hangs && !self.serves(at, Component::ApiServer) => {
                Unit::Starting
            }
            Some(_) => Unit::Stuck,
        }
    }

    /// Starts a process as its files say.
    pub(super) fn start(&mut self, at: usize, component: Component) {
        let keys = self.machines[at].facts.keys.clone();
        let process = &mut self.machines[at].processes[component as usize];
        (process.running, process.hangs, process.warming) = (process.on_disk, false, 2);
        // The first API server writes.
        if component == Component::ApiServer && process.running.is_some() && self.data.is_none() {
            self.data = keys;
        }
    }

    pub(super) fn stop(&mut self, at: usize, component: Component) {
        self.machines[at].processes[component as usize].running = None;
        for (which, leader) in [(1, 0), (2, 1)] {
            if component as usize == which && self.leaders[leader] == Some(at) {
                (self.leaders[leader], self.leaderless[leader]) = (None, 3);
            }
        }
    }

    /// What time alone does.
    fn tick(&mut self) {
        for machine in &mut self.machines {
            for process in &mut machine.processes {
                process.warming = process.warming.saturating_sub(1);
            }
        }
        let controllers = [Component::ControllerManager, Component::Scheduler];
        for (which, component) in controllers.into_iter().enumerate() {
            let leads = self.leaders[which];
            if leads.is_some_and(|at| self.serves(at, component)) {
                continue;
            }
            let rest = &mut self.leaderless[which];
            (self.leaders[which], *rest) = (None, rest.saturating_sub(1));
            if *rest == 0 {
                let mut all = 0..self.machines.len();
                self.leaders[which] = all.find(|at| self.serves(*at, component));
            }
        }
    }

    fn seen(&self, at: usize, key: u8) -> Node {
        let settings = |component: Component, conf: Conf| Settings {
            version: conf.version,
            is_current: conf.flavour == self.flavours[component as usize],
        };
        if !self.is_visible(at) {
            let last = self.last.get(&(key, at)).copied();
            let last = last.filter(|_| self.is_known);
            return Node::Unseen { last: last.map(|it| settings(Component::ApiServer, it)) };
        }
        let machine = &self.machines[at];
        let mut facts = machine.facts.clone();
        for component in Component::ALL {
            let process = &machine.processes[*component as usize];
            *facts.part_mut(*component) = Part {
                unit: self.unit(at, *component),
                on_disk: process.on_disk.map(|it| settings(*component, it)),
                running: process.running.map(|it| settings(*component, it)),
            };
        }
        facts.previous = machine.before.and_then(|it| it[0]).map(|it| it.version);
        Node::Seen(Box::new(facts))
    }

    pub(super) fn look(&mut self) -> Observed {
        self.tick();
        let nodes: BTreeMap<_, _> =
            self.places.iter().map(|(key, at)| (key_name(*key), self.seen(*at, *key))).collect();
        let past: BTreeSet<u8> =
            self.past.iter().filter(|it| self.is_former(**it)).map(|it| it.0).collect();
        let former =
            past.into_iter().map(|key| (key_name(key), self.seen(self.former_at(key), key)));
        let former = former.collect();
        let can_ask = self
            .places
            .values()
            .any(|at| self.is_visible(*at) && self.serves(*at, Component::ApiServer));
        let leader = |at: Option<usize>| match at {
            None => Leader::Nobody,
            Some(at) => {
                let key = self.places.iter().find(|it| *it.1 == at).map(|it| *it.0);
                key.map_or(Leader::Other, |it| Leader::Node(key_name(it)))
            }
        };
        let [controller_manager, scheduler] = self.leaders.map(leader);
        for (key, at) in &self.places {
            let conf = self.machines[*at].processes[0].running;
            if let Some(conf) = conf.filter(|_| self.is_visible(*at)) {
                self.last.insert((*key, *at), conf);
            }
        }
        Observed {
            nodes,
            former,
            is_known: self.is_known,
            data: if self.data.is_some() { Data::Present } else { Data::Absent },
            leaders: can_ask.then_some(Leaders { controller_manager, scheduler }),
            has_admins: can_ask.then_some(self.has_admins),
            recovery: self.recovery.clone(),
            failed: self.failed.iter().map(|it| key_name(*it)).collect(),
        }
    }

    /// Removes everything of ours.
    pub(super) fn clean(&mut self, at: usize) {
        for component in Component::ALL {
            self.stop(at, *component);
        }
        let machine = &mut self.machines[at];
        let staged = machine.facts.staged.clone();
        let id = machine.facts.machine.0.clone();
        machine.facts = Facts { staged, ..fresh(&id) };
        (machine.processes, machine.before) = ([Process::default(); 3], None);
    }

    pub(super) fn is_ours(&self, at: usize) -> bool {
        matches!(self.machines[at].facts.owner, Owner::Unfinished | Owner::Ours { .. })
    }
}
