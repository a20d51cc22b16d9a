//! A snapshot of a backup: which one it is, and how it comes to be proven on a host.

use super::Restore;
use crate::actions::backup::{Stored, message, stored, stored_in};
use crate::domain::backup::{Manifest, ObjectStore};
use crate::host::HostError;
use crate::host::messages::StageSnapshotReply;

impl Restore<'_, '_> {
    pub(super) async fn in_directory(
        &mut self,
        directory: &str,
        snapshot: Option<&str>,
    ) -> Result<(String, StageSnapshotReply), HostError> {
        let found = stored(self.cluster.fleet, directory, ("", "")).await;
        let (key, manifest) =
            self.chosen(found, snapshot, "no host that answers has a verified snapshot")?;
        let path = format!("{directory}/{}", manifest.file());
        let beside = format!("{directory}/{}", Manifest::beside(&manifest.name));
        let reply = self.prove(&key, &path, &beside).await?;
        Ok((key, reply))
    }

    /// The host that could look into it brings it.
    pub(super) async fn in_store(
        &mut self,
        store: &ObjectStore,
        snapshot: Option<&str>,
    ) -> Result<(String, StageSnapshotReply), HostError> {
        // All names there begin with that of their cluster, which never changes.
        let cluster = self.cluster.setup.desired.name.to_string();
        let found = stored_in(self.cluster.fleet, store, (&cluster, "")).await;
        let Some(key) = found.through.clone() else {
            let why: Vec<_> = found.silent.into_values().collect();
            return Err(self.failed(&why.join("; ")));
        };
        let (_, manifest) = self.chosen(found, snapshot, "it has no verified snapshot")?;
        let folder = self.unproven();
        let brought = self.cluster.fleet.one(&key, async |_, host| {
            host.fetch_backup(message(store), &manifest.name, &folder).await
        });
        let brought = brought.await.map(drop);
        let path = format!("{folder}/{}", manifest.file());
        let beside = format!("{folder}/{}", Manifest::beside(&manifest.name));
        self.prove_unproven(key, brought, (&path, &beside)).await
    }

    /// The one to restore, with where it lies; `none` begins to say that there is none.
    fn chosen(
        &self,
        mut found: Stored,
        snapshot: Option<&str>,
        none: &str,
    ) -> Result<(String, Manifest), HostError> {
        if let Some(name) = snapshot {
            // Of whatever cluster: that is told when it was proven.
            let named = found.snapshots.into_iter().find(|it| it.1.name == name);
            return named.ok_or_else(|| {
                self.failed(&match found.unverified.remove(name) {
                    Some((_, why)) => format!("{name} does not count: {why}"),
                    None => format!("{none} {name}"),
                })
            });
        }
        let cluster = self.cluster.setup.desired.name.to_string();
        let resource = self.terms.wanted.resource.as_ref();
        let is_ours = |it: &Manifest| match resource {
            Some(resource) => it.cluster_resource == *resource,
            None => it.cluster == cluster,
        };
        found.snapshots.retain(|it| is_ours(&it.1));
        let newest = found.snapshots.pop();
        // Only the name tells whose they are, while the cluster itself has just been thought of.
        let is_other = |it: &&(String, Manifest)| {
            newest.as_ref().is_some_and(|newest| newest.1.cluster_resource != it.1.cluster_resource)
        };
        if let Some((_, other)) = found.snapshots.iter().find(is_other) {
            let why = format!(
                "{} and others there are of two clusters that are both called {cluster}: name the one to restore",
                other.name
            );
            return Err(self.failed(&why));
        }
        newest.ok_or_else(|| self.failed(&format!("{none} of the cluster {cluster}")))
    }
}
