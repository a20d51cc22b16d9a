//! The snapshots that there are.

use std::collections::{BTreeMap, BTreeSet};

use crate::actions::silent;
use crate::domain::backup::{Manifest, ObjectStore};
use crate::engine::{Fleet, chain};
use crate::host::messages::{self, Backup};

/// What lies on the hosts of a fleet, or in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Those that count, each with the key of its host or the name of the store; the oldest first.
    pub snapshots: Vec<(String, Manifest)>,
    /// Those that do not, by their names, each with where it lies and why not.
    pub unverified: BTreeMap<String, (String, String)>,
    /// Hosts that did not answer, or the store that could not be looked into, and why.
    pub silent: BTreeMap<String, String>,
    /// The key of the host through which a store was looked into.
    pub through: Option<String>,
    /// Hosts on which something waits for a store, and why.
    pub waits: BTreeMap<String, String>,
}

impl Stored {
    /// The newest that counts.
    pub fn newest(&self) -> Option<&Manifest> {
        self.snapshots.last().map(|it| &it.1)
    }

    fn take(&mut self, at: &str, backups: Vec<Backup>) {
        for backup in backups {
            // The agent has judged; a later one may write what this version cannot read.
            match Manifest::parse(&backup.manifest, &backup.name) {
                Ok(manifest) => self.snapshots.push((at.to_owned(), manifest)),
                Err(fault) => {
                    let why =
                        if backup.fault.is_empty() { fault.to_string() } else { backup.fault };
                    self.unverified.insert(backup.name, (at.to_owned(), why));
                }
            }
        }
        self.snapshots.sort_by_key(|(key, it)| (it.covers(), it.taken, it.revision, key.clone()));
    }
}

/// Looks into a directory of every host, for the snapshots of one backup of a cluster.
pub async fn stored(fleet: &Fleet, directory: &str, (cluster, name): (&str, &str)) -> Stored {
    let answers = fleet.look(async |_, host| host.backups(directory, (cluster, name)).await).await;
    let mut found = Stored { silent: silent(&answers), ..Stored::default() };
    for (key, answer) in answers {
        let Ok(answer) = answer else { continue };
        found.take(&key, answer.backups);
        if !answer.waits.is_empty() {
            found.waits.insert(key, answer.waits);
        }
    }
    found
}

/// Looks into a store through the first host that can, for the snapshots of one backup of a cluster.
pub async fn stored_in(
    fleet: &Fleet,
    store: &ObjectStore,
    (cluster, name): (&str, &str),
) -> Stored {
    let asked = async |key, host: crate::host::Host| {
        Ok((key, host.stored_backups(message(store), (cluster, name)).await?))
    };
    let mut found = Stored::default();
    match fleet.first(asked).await {
        Ok((key, backups)) => {
            found.take(&store.name, backups);
            found.through = Some(key);
        }
        Err(why) => {
            // Hosts often say the same.
            let why: BTreeSet<_> = why.values().map(|it| chain(it)).collect();
            let why = why.into_iter().collect::<Vec<_>>().join("; ");
            found.silent.insert(store.name.clone(), why);
        }
    }
    found
}

/// As agents are told of it.
pub(in crate::actions) fn message(store: &ObjectStore) -> messages::ObjectStore {
    let keys = store.keys.as_ref().and_then(|it| it.print().ok()).unwrap_or_default();
    let bucket = store.bucket.print().unwrap_or_default();
    messages::ObjectStore { bucket: bucket.into(), keys: keys.into() }
}
