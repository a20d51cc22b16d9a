//! The snapshots that there are.

use std::collections::BTreeMap;

use crate::actions::silent;
use crate::domain::backup::Manifest;
use crate::engine::Fleet;

/// What lies on the hosts of a fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Those that count, each with the key of its host; the oldest first.
    pub snapshots: Vec<(String, Manifest)>,
    /// Those that do not, by their names, each with the key of its host and why not.
    pub unverified: BTreeMap<String, (String, String)>,
    /// Hosts that did not answer, and why.
    pub silent: BTreeMap<String, String>,
}

impl Stored {
    /// The newest that counts.
    pub fn newest(&self) -> Option<&Manifest> {
        self.snapshots.last().map(|it| &it.1)
    }
}

/// Looks into a directory of every host, for the snapshots of one backup of a cluster.
pub async fn stored(fleet: &Fleet, directory: &str, (cluster, name): (&str, &str)) -> Stored {
    let answers = fleet.look(async |_, host| host.backups(directory, (cluster, name)).await).await;
    let mut found = Stored { silent: silent(&answers), ..Stored::default() };
    let all = answers.into_iter().filter_map(|(key, it)| Some((key, it.ok()?)));
    for (key, backup) in all.flat_map(|(key, all)| all.into_iter().map(move |it| (key.clone(), it)))
    {
        // The agent has judged; a later one may write what this version cannot read.
        match Manifest::parse(&backup.manifest, &backup.name) {
            Ok(manifest) => found.snapshots.push((key, manifest)),
            Err(fault) => {
                let why = if backup.fault.is_empty() { fault.to_string() } else { backup.fault };
                found.unverified.insert(backup.name, (key, why));
            }
        }
    }
    found.snapshots.sort_by_key(|(key, it)| (it.covers(), it.taken, key.clone()));
    found
}
