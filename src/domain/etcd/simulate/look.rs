//! What can be seen of a pretend fleet.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::*;
use super::world::{Conf, Peer, World, key_name, url};

impl World {
    fn seen(&self, at: usize, key: Option<u8>) -> Host {
        let settings = |it: Conf| Settings {
            version: it.version,
            address: IpAddr::from([192, 0, 2, it.address]),
            is_current: key.is_some_and(|key| self.conf(key, it.version) == it),
        };
        let machine = &self.machines[at];
        if !self.is_visible(at) {
            return Host::Unseen { last: machine.last.map(settings) };
        }
        let is_down = machine.facts.unit.is_down();
        Host::Seen(Box::new(Facts {
            is_formed: machine.formed.is_some(),
            on_disk: machine.on_disk.map(settings),
            running: machine.running.filter(|_| !is_down).map(settings),
            ..machine.facts.clone()
        }))
    }

    pub(super) fn look(&mut self) -> Observed {
        self.tick();
        let places = self.places.iter();
        let hosts =
            places.map(|(key, (at, _))| (key_name(*key), self.seen(*at, Some(*key)))).collect();
        let past: BTreeSet<u8> =
            self.past.iter().filter(|it| self.is_former(**it)).map(|it| it.0).collect();
        let former = past.into_iter().map(|key| {
            let name = key_name(key);
            let at = self.former_at(&name);
            let address = self.past.iter().filter(|it| it.0 == key && it.1 == at).map(|it| it.2);
            let peer_url = url(address.max().unwrap()).clone();
            (name, Former { peer_url, host: self.seen(at, None) })
        });
        let former = former.collect();
        let visible = (0..self.machines.len()).filter(|at| self.is_visible(*at));
        let visible: Vec<_> = visible.collect();
        let recorded = visible
            .iter()
            .filter(|at| self.is_recorded(**at))
            .find_map(|at| self.machines[*at].formed);
        let known = self.known.or(recorded);
        let can_list = |ring: &usize| {
            visible.iter().any(|at| {
                self.ring_of(*at).is_some_and(|it| it.0 == *ring && self.is_active(*ring, it.1))
            })
        };
        let cluster = self.living().filter(can_list).map(|it| self.cluster(it));
        for at in &visible {
            self.machines[*at].last = self.machines[*at].running;
        }
        let last_voters = self.last_voters.clone();
        Observed { hosts, former, known, last_voters, cluster, done: self.done.clone() }
    }

    fn is_recorded(&self, at: usize) -> bool {
        self.places.values().any(|it| it.0 == at) || self.past.iter().any(|it| it.1 == at)
    }

    fn cluster(&self, at: usize) -> Cluster {
        let ring = &self.rings[at];
        let member = |peer: &Peer| {
            let runs = self.holder(at, peer.id).and_then(|it| self.machines[it].running);
            let status = |it: Conf| Status {
                is_leader: ring.leader == Some(peer.id),
                version: it.version,
                raft_index: if peer.behind == 0 { 100 } else { 10 },
                revision: 1,
                db_size: 1,
            };
            Member {
                id: peer.id,
                name: peer.name.clone(),
                peer_urls: vec![peer.url.clone()],
                is_learner: peer.is_learner,
                status: runs.filter(|_| self.is_active(at, peer.id)).map(status),
            }
        };
        Cluster {
            id: ring.id,
            members: ring.peers.iter().map(member).collect(),
            alarms: ring.corrupt.iter().map(|it| (*it, Alarm::Corrupt)).collect(),
            is_settled: ring.unsettled == 0,
        }
    }
}
