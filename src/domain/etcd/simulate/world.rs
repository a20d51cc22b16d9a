//! A fleet that heals nothing by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::LazyLock;

use super::super::notation::{fresh, wish};
use super::super::*;

/// What a process is started with: whose, where, which program and which arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conf {
    pub(super) version: Version,
    pub(super) key: u8,
    pub(super) address: u8,
    pub(super) flavour: u8,
}

#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) facts: Facts,
    pub(super) on_disk: Option<Conf>,
    pub(super) running: Option<Conf>,
    /// What ran when it was last looked at.
    pub(super) last: Option<Conf>,
    /// What the data was last opened by.
    pub(super) opened: Option<Version>,
    pub(super) answers: bool,
    pub(super) has_power: bool,
    /// The cluster that its journal knows.
    pub(super) formed: Option<ClusterId>,
}

#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) id: MemberId,
    pub(super) name: String,
    pub(super) url: PeerUrl,
    pub(super) is_learner: bool,
    /// Looks until it has caught up.
    pub(super) behind: u8,
}

/// One incarnation of the cluster.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    pub(super) id: ClusterId,
    token: Option<Token>,
    seeds: BTreeMap<Name, PeerUrl>,
    pub(super) peers: Vec<Peer>,
    pub(super) leader: Option<MemberId>,
    /// Looks until etcd allows the next change.
    pub(super) unsettled: u8,
    pub(super) corrupt: BTreeSet<MemberId>,
    /// Whose data no start makes serve.
    pub(super) spoilt: BTreeSet<MemberId>,
}

/// Key to machine and address.
pub(super) type Places = BTreeMap<u8, (usize, u8)>;

#[derive(Clone)]
pub(super) struct World {
    pub(super) machines: Vec<Machine>,
    pub(super) rings: Vec<Ring>,
    pub(super) places: Places,
    /// The wish that an apply last came to the end of.
    pub(super) reached: Places,
    pub(super) version: Version,
    pub(super) flavour: u8,
    pub(super) desired: Desired,
    /// What the state and the records name: key, machine, address.
    pub(super) past: BTreeSet<(u8, usize, u8)>,
    /// The state has it.
    pub(super) known: Option<ClusterId>,
    pub(super) done: Done,
    pub(super) last_voters: BTreeSet<MemberId>,
    ids: u64,
}

/// Made once: a hundred thousand cases ask for them all the time.
static NAMES: LazyLock<Vec<Name>> =
    LazyLock::new(|| (b'a'..=b'z').map(|it| char::from(it).to_string().parse().unwrap()).collect());
static URLS: LazyLock<Vec<PeerUrl>> =
    LazyLock::new(|| (0..=255).map(|it| PeerUrl::new([192, 0, 2, it].into(), 2380)).collect());

pub(super) fn key_name(key: u8) -> Name {
    NAMES[usize::from(key)].clone()
}

fn key_of(name: &Name) -> u8 {
    name.as_str().as_bytes()[0] - b'a'
}

pub(super) fn url(address: u8) -> &'static PeerUrl {
    &URLS[usize::from(address)]
}

pub(super) fn wanted(places: &Places, version: Version) -> Desired {
    let mut wish = wish("a", "3.6");
    wish.version = version;
    wish.members = places
        .iter()
        .map(|(key, (_, address))| {
            let address = IpAddr::from([192, 0, 2, *address]);
            (key_name(*key), Place { address, is_local: false })
        })
        .collect();
    Desired::new(wish).unwrap()
}

impl World {
    pub(super) fn new(size: u8, machines: usize, version: Version) -> Self {
        let blank = |at: usize| Machine {
            facts: fresh(&format!("m{at}")),
            on_disk: None,
            running: None,
            last: None,
            opened: None,
            answers: true,
            has_power: true,
            formed: None,
        };
        let places: Places = (0..size).map(|key| (key, (usize::from(key), key + 1))).collect();
        let desired = wanted(&places, version);
        Self {
            machines: (0..machines).map(blank).collect(),
            rings: Vec::new(),
            past: places.iter().map(|(key, (at, address))| (*key, *at, *address)).collect(),
            places,
            reached: Places::new(),
            version,
            flavour: 0,
            desired,
            known: None,
            done: Done::default(),
            last_voters: BTreeSet::new(),
            ids: 100,
        }
    }

    pub(super) fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn conf(&self, key: u8, version: Version) -> Conf {
        Conf { version, key, address: self.places[&key].1, flavour: self.flavour }
    }

    pub(super) fn is_visible(&self, at: usize) -> bool {
        self.machines[at].answers && self.machines[at].has_power
    }

    /// The machine of a key: the wanted one, where there is one.
    pub(super) fn at(&self, name: &Name) -> usize {
        self.places.get(&key_of(name)).map_or_else(|| self.former_at(name), |it| it.0)
    }

    /// The former machine of a key.
    pub(super) fn former_at(&self, name: &Name) -> usize {
        let has_it = |it: &&(u8, usize, u8)| it.0 == key_of(name) && self.is_former(**it);
        let is_wanted = |at: usize| self.places.values().any(|it| it.0 == at);
        let order = |it: &&(u8, usize, u8)| (is_wanted(it.1), !self.is_listed(it.1));
        self.past.iter().filter(has_it).min_by_key(order).unwrap().1
    }

    pub(super) fn is_former(&self, (key, at, _): (u8, usize, u8)) -> bool {
        self.places.get(&key).map(|it| it.0) != Some(at)
    }

    /// Whether this machine holds the data of a present member.
    pub(super) fn is_listed(&self, at: usize) -> bool {
        self.ring_of(at).is_some()
    }

    /// Whether this machine holds the data of a member of a cluster that ever had a quorum, as far as anybody noted.
    pub(super) fn is_in_use(&self, at: usize) -> bool {
        let Some((ring, _)) = self.ring_of(at) else { return false };
        let id = Some(self.rings[ring].id);
        self.living() == Some(ring)
            || self.known == id
            || self.machines.iter().any(|it| it.formed == id)
    }

    /// The ring whose present member has its data here.
    pub(super) fn ring_of(&self, at: usize) -> Option<(usize, MemberId)> {
        let data = self.machines[at].facts.data?;
        let ring = self.rings.iter().position(|it| it.id == data.cluster)?;
        let is_in = self.rings[ring].peers.iter().any(|it| it.id == data.member);
        is_in.then_some((ring, data.member))
    }

    /// The machine with the data of this member.
    pub(super) fn holder(&self, ring: usize, id: MemberId) -> Option<usize> {
        let data = Some(Data { cluster: self.rings[ring].id, member: id });
        self.machines.iter().position(|it| it.facts.data == data)
    }

    /// Whether its process runs, where the others look for it, with certificates that they accept.
    pub(super) fn is_active(&self, ring: usize, id: MemberId) -> bool {
        let Some(at) = self.holder(ring, id) else { return false };
        let machine = &self.machines[at];
        let peer = self.rings[ring].peers.iter().find(|it| it.id == id);
        let is_found = |it: &Peer| machine.running.is_some_and(|conf| *url(conf.address) == it.url);
        let is_trusted =
            !matches!(machine.facts.certificates, Certificates::Invalid | Certificates::Missing);
        machine.has_power
            && is_trusted
            && matches!(machine.facts.unit, Unit::Starting | Unit::Running)
            && (peer.is_some_and(is_found) || self.voters(ring) == 1)
    }

    pub(super) fn voters(&self, ring: usize) -> usize {
        self.rings[ring].peers.iter().filter(|it| !it.is_learner).count()
    }

    /// Voters whose processes run.
    pub(super) fn active(&self, ring: usize) -> usize {
        let voters = self.rings[ring].peers.iter().filter(|it| !it.is_learner);
        voters.filter(|it| self.is_active(ring, it.id)).count()
    }

    /// What the journal keeps of a list.
    pub(super) fn note_voters(&mut self) {
        let Some(ring) = self.living() else { return };
        let voters = self.rings[ring].peers.iter().filter(|it| !it.is_learner);
        self.last_voters = voters.map(|it| it.id).collect();
    }

    /// Whether the journal takes a learner for a voter, for its promotion was noted and then cut off.
    pub(super) fn has_noted_too_many_votes(&self) -> bool {
        let learners = self.rings.iter().flat_map(|it| &it.peers).filter(|it| it.is_learner);
        learners.into_iter().any(|it| self.last_voters.contains(&it.id))
    }

    pub(super) fn has_quorum(&self, ring: usize) -> bool {
        quorum(self.voters(ring)) <= self.active(ring)
    }

    /// The one ring that has a quorum.
    pub(super) fn living(&self) -> Option<usize> {
        let mut living = (0..self.rings.len()).filter(|it| self.has_quorum(*it));
        let ring = living.next();
        assert!(living.next().is_none(), "two clusters at once");
        ring
    }

    /// Starts the process of this machine as its files say.
    pub(super) fn start(&mut self, at: usize) {
        if self.machines[at].facts.data.is_none() {
            let data = self.first_data(at);
            self.machines[at].facts.data = data;
        }
        let listed = self.ring_of(at);
        let is_spoilt = listed.is_some_and(|(ring, id)| self.rings[ring].spoilt.contains(&id));
        let machine = &mut self.machines[at];
        machine.running = machine.on_disk;
        machine.opened = machine.running.map(|it| it.version).or(machine.opened);
        machine.facts.unit = if is_spoilt { Unit::Stuck } else { Unit::Starting };
        if machine.facts.told.is_none() {
            machine.facts.told = machine.running.map(|it| IpAddr::from([192, 0, 2, it.address]));
        }
        if let Some((ring, _)) = listed {
            self.rings[ring].unsettled = 2;
        }
    }

    /// What an empty data directory becomes: a seed of its cluster, or the learner that waits for it.
    fn first_data(&mut self, at: usize) -> Option<Data> {
        let key = self.machines[at].on_disk?.key;
        if let Some(seeds) = self.machines[at].facts.seeds.clone() {
            let token = self.machines[at].facts.token.clone();
            let known = self.rings.iter().position(|it| it.token == token && it.seeds == seeds);
            let ring = known.unwrap_or_else(|| self.found(token, seeds));
            let peer =
                self.rings[ring].peers.iter().find(|it| it.name == key_name(key).as_str())?;
            return Some(Data { cluster: self.rings[ring].id, member: peer.id });
        }
        let ring = self.living()?;
        let own = url(self.machines[at].on_disk?.address);
        let ring = &mut self.rings[ring];
        let peer = ring.peers.iter_mut().find(|it| it.name.is_empty() && it.url == *own)?;
        peer.name = key_name(key).to_string();
        Some(Data { cluster: ring.id, member: peer.id })
    }

    fn found(&mut self, token: Option<Token>, seeds: BTreeMap<Name, PeerUrl>) -> usize {
        let id = ClusterId(self.id());
        let mut peers = Vec::new();
        for (name, url) in &seeds {
            let (id, url) = (MemberId(self.id()), url.clone());
            peers.push(Peer { id, name: name.to_string(), url, is_learner: false, behind: 0 });
        }
        let (corrupt, spoilt) = (BTreeSet::new(), BTreeSet::new());
        let (leader, unsettled) = (None, 2);
        self.rings.push(Ring { id, token, seeds, peers, leader, unsettled, corrupt, spoilt });
        self.rings.len() - 1
    }

    /// What time alone does: processes that can join have joined, evicted ones end.
    pub(super) fn tick(&mut self) {
        let living = self.living();
        for at in 0..self.machines.len() {
            let machine = &self.machines[at];
            if machine.facts.unit.is_down() {
                continue;
            }
            let listed = self.ring_of(at);
            let is_stray =
                machine.facts.data.is_some() && machine.formed.is_some() && listed.is_none();
            if is_stray {
                let machine = &mut self.machines[at];
                (machine.facts.unit, machine.running) = (Unit::Stopped, None);
                continue;
            }
            let can_join = |(ring, id)| living == Some(ring) && self.is_active(ring, id);
            if machine.facts.unit == Unit::Starting && listed.is_some_and(can_join) {
                self.machines[at].facts.unit = Unit::Running;
            }
        }
        let Some(ring) = living else { return };
        let (mut names, mut fit) = (Vec::new(), Vec::new());
        for peer in &self.rings[ring].peers {
            if self.is_active(ring, peer.id) {
                let running = self.holder(ring, peer.id).and_then(|it| self.machines[it].running);
                names.extend(running.map(|it| (peer.id, it.key)));
                fit.extend((!peer.is_learner).then_some(peer.id));
            }
        }
        let ring = &mut self.rings[ring];
        ring.unsettled = ring.unsettled.saturating_sub(1);
        for (id, name) in names {
            let peer = ring.peers.iter_mut().find(|it| it.id == id).unwrap();
            peer.behind = peer.behind.saturating_sub(1);
            if peer.name != NAMES[usize::from(name)].as_str() {
                peer.name = key_name(name).to_string();
            }
        }
        if ring.leader.is_none_or(|it| !fit.contains(&it)) {
            ring.leader = fit.first().copied();
        }
    }
}
