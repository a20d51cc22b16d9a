//! Members that start with the data of a snapshot.

use super::cluster::{Cluster, Seat};
use super::flags::{self, Flags};
use super::programs::Programs;
use crate::actions::etcd::notes::first_ids;
use crate::domain::etcd::{Name, PeerUrl};

impl Programs {
    /// The members that a snapshot was restored for are a cluster of their own.
    pub(super) fn restore(&mut self, flags: &Flags, whose: &str) -> Result<(u64, u64), String> {
        let (token, initial) = whose.split_once(' ').ok_or("the data cannot be read")?;
        if flags.is_new {
            self.breaches.push(format!("{} would found a cluster without its data", flags.name));
        }
        let initial = flags::members(initial);
        let (id, members) = first_ids(token, &initial);
        let seat = |(name, url): (&Name, &PeerUrl)| (members[name].0, Seat::first(name, url));
        let cluster = self.clusters.entry(id.0).or_insert_with(|| Cluster {
            members: initial.iter().map(seat).collect(),
            minor: flags.version.minor,
            // Their logs begin anew.
            is_readable: members.values().map(|it| it.0).collect(),
            ..Cluster::default()
        });
        let own = members.iter().find(|(name, _)| name.as_str() == flags.name);
        let own = own.map(|(_, id)| id.0).ok_or("it is in no list")?;
        cluster.started.insert(own);
        if self.running.values().any(|it| it.cluster != id.0) {
            self.breaches.push(format!("{} runs beside a member of before", flags.name));
        }
        Ok((id.0, own))
    }
}
