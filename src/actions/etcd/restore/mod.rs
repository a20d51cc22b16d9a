//! A restore: what is seen of it on the hosts, and how each step of its planner is done.
//!
//! [`Restore`] is the world that a run goes through before that of the cluster. `source` finds the
//! snapshot, `stored` among those of backups.

mod clients;
mod perform;
mod source;
mod stored;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use self::clients::Client;
pub use self::clients::Reach;
use super::EtcdCluster;
use crate::actions::is_former;
use crate::domain::Next;
use crate::domain::backup::ObjectStore;
use crate::domain::etcd::restore::{Found, Observed, Refusal, Step, Wanted, next};
use crate::engine::World;
use crate::host::HostError;

/// Where a snapshot comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory of the hosts.
    Directory {
        /// Absolute.
        path: String,
        /// Its name. None: the newest that was verified.
        snapshot: Option<String>,
    },
    /// An object store, which hosts alone speak to.
    Store {
        /// Where it is, and what opens it.
        store: Arc<ObjectStore>,
        /// Its name. None: the newest that was verified.
        snapshot: Option<String>,
    },
    /// A file of this machine, with its manifest beside it.
    File(PathBuf),
    /// The member that is left whose data goes furthest.
    Survivor,
}

/// A restore as a user wishes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// For the planner.
    pub wanted: Wanted,
    /// What it means by its source.
    pub source: Source,
}

/// The world of a restore.
pub struct Restore<'a, 'b> {
    cluster: &'a mut EtcdCluster<'b>,
    terms: Terms,
    /// Once it was proven, and the key of the host where it lies.
    found: Option<(Found, String)>,
    reach: Reach<'a>,
    /// Control planes, by their ids.
    clients: BTreeMap<String, Client>,
    /// Those that were stopped were started again.
    are_started: bool,
    /// What is in the snapshot and cannot be read.
    unreadable: Vec<String>,
}

impl<'a, 'b> Restore<'a, 'b> {
    /// Nothing is looked at yet.
    pub fn new(cluster: &'a mut EtcdCluster<'b>, terms: Terms, reach: Reach<'a>) -> Self {
        let (found, clients, are_started) = (None, BTreeMap::new(), false);
        Self { cluster, terms, found, reach, clients, are_started, unreadable: Vec::new() }
    }

    /// What the snapshot holds and nobody can read, as far as that is known; in words.
    pub fn unreadable(&self) -> &[String] {
        &self.unreadable
    }
}

impl World for Restore<'_, '_> {
    type Observed = Observed;
    type Step = Step;
    type Refusal = Refusal;

    async fn observe(&mut self) -> Result<Observed, HostError> {
        let etcd = self.cluster.observe().await?;
        let clients = self.look_at_clients().await;
        let cluster = &self.cluster;
        let wanted = cluster.looks.iter().filter(|(key, _)| !is_former(key));
        let name = |key: &String| cluster.sites[key].name.clone();
        let progress = wanted.map(|(key, look)| (name(key), look.progress())).collect();
        let heard = cluster.sites.keys().filter(|it| cluster.round.has(it)).map(name).collect();
        let found = self.found.as_ref().map(|it| it.0.clone());
        Ok(Observed { etcd, progress, found, heard, clients })
    }

    fn next(&self, observed: &Observed) -> Next<Step, Refusal> {
        next(&self.cluster.setup.desired, &self.terms.wanted, observed)
    }

    async fn perform(&mut self, step: &Step) -> Result<(), HostError> {
        self.perform_step(step).await
    }
}
