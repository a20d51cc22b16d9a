//! The promise of the planner, on many pretend fleets: hosts fall silent, restart or lose their data, answers are lost, runs
//! break off, and the user changes his mind about the snapshot. At its worst moment no step may break what
//! [`World::perform`] judges, and once the faults end every host has the same restored data.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::domain::Next;
use crate::domain::chance::Rng;
use crate::domain::etcd::notation::{fresh, want};
use crate::domain::etcd::observed::{
    Certificates, Cluster, Data, Done, Host, Member, MemberId, Owner, Settings, Status, Unit,
};
use crate::domain::etcd::{self, Desired};

const CASES: u64 = 5_000;
/// Looks that a run has.
const LOOKS: usize = 80;
const OLD: ClusterId = ClusterId(1);

#[derive(Clone, Debug)]
struct Machine {
    is_visible: bool,
    runs: bool,
    /// When the host starts.
    is_enabled: bool,
    /// The cluster whose data is in its place, and that whose data waits for it.
    data: Option<ClusterId>,
    prepared: Option<ClusterId>,
    facts: etcd::Facts,
    notes: Progress,
}

struct World {
    desired: Desired,
    wanted: Wanted,
    machines: BTreeMap<Name, Machine>,
    found: Option<Found>,
    /// Clusters that were made.
    made: u64,
    /// Snapshots that were proven.
    proven: u64,
}

type Judged = Result<(), String>;

fn ensure(is_so: bool, what: &str) -> Judged {
    if is_so { Ok(()) } else { Err(what.to_owned()) }
}

impl World {
    /// A cluster of three of which `lost` members were rebuilt.
    fn new(lost: usize) -> Self {
        let desired = want("a b c", "3.6");
        let machine = |(at, name): (usize, &Name)| {
            let mut facts = fresh(name.as_str());
            let is_lost = at < lost;
            if !is_lost {
                facts.owner = Owner::Ours { is_current: true };
                facts.certificates = Certificates::Good;
                facts.staged = BTreeSet::from([desired.version]);
                facts.unit = Unit::Stopped;
            }
            let data = (!is_lost).then_some(OLD);
            let (runs, is_visible) = (!is_lost, true);
            let notes = Progress::default();
            let machine =
                Machine { is_visible, runs, is_enabled: runs, data, prepared: None, facts, notes };
            (name.clone(), machine)
        };
        let machines = desired.members.keys().enumerate().map(machine).collect();
        let wanted = Wanted {
            generation: 1,
            source: "x".to_owned(),
            is_of_survivor: false,
            discards: true,
            clients_stopped: false,
            resource: None,
        };
        Self { desired, wanted, machines, found: None, made: 100, proven: 0 }
    }

    fn running(&self, cluster: ClusterId) -> impl Iterator<Item = (&Name, &Machine)> {
        self.machines.iter().filter(move |(_, it)| it.runs && it.data == Some(cluster))
    }

    fn is_switched(machine: &Machine) -> bool {
        let begun = machine.notes.begun.as_ref();
        begun.is_some_and(|it| machine.data == Some(it.cluster))
    }

    fn look(&self) -> Observed {
        let clusters: BTreeSet<_> = self.machines.values().filter_map(|it| it.data).collect();
        let quorate = clusters.into_iter().find(|it| 2 <= self.running(*it).count());
        let host = |machine: &Machine| {
            if !machine.is_visible {
                return Host::Unseen { last: None };
            }
            let mut facts = machine.facts.clone();
            let member = MemberId(u64::from(facts.machine.0.as_bytes()[0]));
            facts.data = machine.data.map(|cluster| Data { cluster, member });
            if machine.runs {
                let serves = machine.data.is_some() && machine.data == quorate;
                facts.unit = if serves { Unit::Running } else { Unit::Starting };
            } else if facts.unit != Unit::Absent {
                facts.unit = Unit::Stopped;
            }
            Host::Seen(Box::new(facts))
        };
        let member = |(name, _): (&Name, &Machine)| Member {
            id: MemberId(u64::from(name.as_str().as_bytes()[0])),
            name: name.to_string(),
            peer_urls: Vec::new(),
            is_learner: false,
            status: Some(Status {
                is_leader: false,
                version: self.desired.version,
                raft_index: 1,
                revision: 1,
                db_size: 1,
            }),
        };
        let cluster = quorate.map(|id| Cluster {
            id,
            members: self.running(id).map(member).collect(),
            alarms: BTreeSet::new(),
            is_settled: true,
        });
        let seen = self.machines.iter().filter(|(_, it)| it.is_visible);
        let progress = |(name, it): (&Name, &Machine)| {
            let begun = it.notes.begun.as_ref();
            let is_prepared = begun.is_some_and(|begun| it.prepared == Some(begun.cluster));
            let is_switched = Self::is_switched(it);
            (name.clone(), Progress { is_prepared, is_switched, ..it.notes.clone() })
        };
        let etcd = etcd::Observed {
            hosts: self.machines.iter().map(|(name, it)| (name.clone(), host(it))).collect(),
            former: BTreeMap::new(),
            known: None,
            last_voters: BTreeSet::new(),
            cluster,
            done: Done::default(),
        };
        let heard = seen.clone().filter(|(_, it)| it.runs).map(|it| it.0.clone()).collect();
        let progress = seen.map(progress).collect();
        Observed { etcd, progress, found: self.found.clone(), heard, clients: Clients::default() }
    }

    /// Does the step on as many of its hosts as `most`, and judges it before.
    fn perform(&mut self, step: &Step, most: usize) -> Judged {
        self.judge(step)?;
        let mut made = None;
        let hosts = <Step as crate::domain::Step>::hosts(step);
        let names: Vec<Name> = hosts.iter().map(|it| it.parse().unwrap()).collect();
        if let Step::Find { .. } = step {
            self.proven += 1;
            let digest = format!("{}", self.proven / 3);
            self.found = Some(Found { digest, size: 1, revision: 1, origin: None });
        }
        if let Step::Begin { like, .. } = step {
            let found = self.found.clone();
            self.made += 1;
            let (source, generation) = (self.wanted.source.clone(), self.wanted.generation);
            made = like.clone().or(found.map(|it| Begun {
                generation,
                source,
                token: Token(self.made.to_string()),
                digest: it.digest,
                size: 1,
                bump: BUMP,
                cluster: ClusterId(self.made),
            }));
        }
        for (number, name) in names.iter().enumerate().take(most) {
            let version = self.desired.version;
            let address = self.desired.members[name].address;
            let machine = self.machines.get_mut(name).unwrap();
            match step {
                Step::Outfit(etcd::Step::Claim { .. }) => machine.facts.owner = Owner::Unfinished,
                Step::Outfit(etcd::Step::Certify { .. }) => {
                    machine.facts.certificates = Certificates::Good;
                }
                Step::Outfit(etcd::Step::Stage { .. }) => {
                    machine.facts.staged.insert(version);
                }
                Step::Begin { like, .. } => {
                    let is_same = machine.notes.begun == made;
                    machine.notes.has_file &= is_same;
                    machine.notes.has_file |= like.is_none() && number == 0;
                    machine.notes.begun.clone_from(&made);
                }
                Step::Bring { .. } => machine.notes.has_file = true,
                Step::Prepare { .. } => {
                    machine.prepared = machine.notes.begun.as_ref().map(|it| it.cluster);
                    let is_current = true;
                    machine.facts.on_disk = Some(Settings { version, address, is_current });
                    machine.facts.unit = Unit::Stopped;
                }
                Step::Stop { .. } => (machine.runs, machine.is_enabled) = (false, false),
                Step::Switch { .. } => machine.data = machine.prepared.take(),
                Step::Start { .. } => (machine.runs, machine.is_enabled) = (true, true),
                Step::Finish { generation, .. } => {
                    let generation = *generation;
                    machine.notes = Progress { generation, ..Progress::default() };
                    machine.facts.owner = Owner::Ours { is_current: true };
                }
                _ => {}
            }
        }
        self.never()
    }

    fn judge(&self, step: &Step) -> Judged {
        let all = || self.machines.values();
        let begun: BTreeSet<_> =
            all().map(|it| it.notes.begun.as_ref().map(|it| it.token.clone())).collect();
        match step {
            Step::Stop { .. } | Step::Switch { .. } => {
                ensure(begun.len() == 1, "stops before all have begun the same")?;
                let is_ready = |it: &Machine| {
                    let cluster = it.notes.begun.as_ref().map(|it| it.cluster);
                    cluster.is_some() && (it.prepared == cluster || it.data == cluster)
                };
                ensure(all().all(is_ready), "stops before all have what takes its place")?;
                let is_old = all().any(|it| it.runs);
                ensure(!is_old || matches!(step, Step::Stop { .. }), "switches while a member runs")
            }
            Step::Start { .. } => {
                ensure(begun.len() == 1, "starts members of two restores")?;
                ensure(all().all(Self::is_switched), "starts before all have switched")
            }
            _ => Ok(()),
        }
    }

    /// What must never be, whatever happened.
    fn never(&self) -> Judged {
        let running: BTreeSet<_> =
            self.machines.values().filter(|it| it.runs).filter_map(|it| it.data).collect();
        ensure(running.len() < 2, "members of two clusters run at once")
    }

    fn break_something(&mut self, rng: &mut Rng) {
        let (visible, wanted) = (rng.one_in(2), rng.below(2));
        let name: Name = ["a", "b", "c"][rng.below(3)].parse().unwrap();
        let machine = self.machines.get_mut(&name).unwrap();
        match rng.below(4) {
            0 => machine.is_visible = visible,
            // The host restarts.
            1 => machine.runs = machine.is_enabled && machine.data.is_some(),
            // Somebody removes what waits there.
            2 => machine.prepared = None,
            _ => self.wanted.source = ["x", "y"][wanted].to_owned(),
        }
    }
}

/// Whether a run came to its end.
fn run(world: &mut World, rng: &mut Rng, faults: &mut usize) -> Result<bool, String> {
    world.found = None;
    let mut last = None;
    for _ in 0..LOOKS {
        if 0 < *faults && rng.one_in(5) {
            *faults -= 1;
            world.break_something(rng);
            world.never()?;
            last = None;
        }
        let step = match next(&world.desired, &world.wanted, &world.look()) {
            Next::Done => return Ok(true),
            Next::Refuse(refusal)
                if *faults == 0 && world.machines.values().all(|it| it.is_visible) =>
            {
                return Err(format!("refused: {refusal}"));
            }
            Next::Refuse(_) | Next::Wait(_) => return Ok(false),
            Next::Act(step) => step,
        };
        if last.as_ref() == Some(&step) {
            return Err(format!("did not help: {step}"));
        }
        let is_unlucky = 0 < *faults && rng.one_in(3);
        let most = if is_unlucky { rng.below(3) } else { usize::MAX };
        world.perform(&step, most).map_err(|it| format!("{step}: {it}"))?;
        if is_unlucky && rng.one_in(2) {
            return Ok(false);
        }
        last = (!is_unlucky).then_some(step);
    }
    Err("does not end".to_owned())
}

#[test]
fn every_fleet_comes_to_one_restored_cluster() {
    for seed in 0..CASES {
        let mut rng = Rng((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut world = World::new(rng.below(4));
        let mut faults = rng.below(5);
        let mut told = || -> Judged {
            for _ in 0..rng.below(4) {
                run(&mut world, &mut rng, &mut faults)?;
            }
            world.machines.values_mut().for_each(|it| it.is_visible = true);
            ensure(run(&mut world, &mut rng, &mut 0)?, "does not come to its end")?;
            let data: BTreeSet<_> = world.machines.values().map(|it| it.data).collect();
            ensure(data.len() == 1 && !data.contains(&None), "has different data")?;
            ensure(!data.contains(&Some(OLD)), "has the old data")?;
            ensure(world.machines.values().all(|it| it.runs && it.is_enabled), "does not run")?;
            // Whatever is wished with the same number, it is over.
            world.wanted.source = "z".to_owned();
            let made = world.made;
            ensure(run(&mut world, &mut rng, &mut 0)?, "begins again")?;
            ensure(made == world.made, "was restored twice")
        };
        if let Err(fault) = told() {
            panic!("seed {seed}: {fault}");
        }
    }
}

/// A planner that would switch too early is caught: the judge is no rubber stamp.
#[test]
fn the_judge_tells_what_must_not_be() {
    let mut world = World::new(0);
    let hosts: Vec<Name> = world.desired.members.keys().cloned().collect();
    let found = Found { digest: "1".to_owned(), size: 1, revision: 1, origin: None };
    world.found = Some(found);
    let said = |world: &mut World, step: Step| world.perform(&step, usize::MAX).unwrap_err();
    let stop = || Step::Stop { hosts: hosts.clone(), former: Vec::new() };
    assert_eq!(said(&mut world, stop()), "stops before all have what takes its place");
    let begin = Step::Begin { hosts: hosts.clone(), like: None };
    world.perform(&begin, usize::MAX).unwrap();
    assert_eq!(said(&mut world, stop()), "stops before all have what takes its place");
    world.perform(&Step::Prepare { hosts: hosts.clone() }, usize::MAX).unwrap();
    let switch = || Step::Switch { hosts: hosts.clone() };
    assert_eq!(said(&mut world, switch()), "switches while a member runs");
    world.perform(&stop(), usize::MAX).unwrap();
    world.perform(&switch(), 2).unwrap();
    let start = Step::Start { hosts: hosts.clone() };
    assert_eq!(said(&mut world, start), "starts before all have switched");
    world.machines.get_mut(&hosts[2]).unwrap().runs = true;
    world.machines.get_mut(&hosts[0]).unwrap().runs = true;
    assert_eq!(world.never().unwrap_err(), "members of two clusters run at once");
}
