//! Where the snapshot comes from: it is proven on one host, and lies there from then on.

use std::path::Path;

use super::{Restore, Source};
use crate::actions::is_former;
use crate::domain::artifacts::Digest;
use crate::domain::backup::{Compression, MOST_MANIFEST, Manifest};
use crate::domain::consumers::Consumers;
use crate::domain::etcd::kept;
use crate::domain::etcd::restore::{Found, Origin, staged};
use crate::host::messages::{StageSnapshotReply, StageSnapshotRequest};
use crate::host::{Feed, File, Host, HostError, read_here, sum_here};

impl Restore<'_, '_> {
    pub(super) async fn find(&mut self) -> Result<(), HostError> {
        let (key, reply) = match self.terms.source.clone() {
            Source::Directory { path, snapshot } => {
                self.in_directory(&path, snapshot.as_deref()).await?
            }
            Source::Store { store, snapshot } => self.in_store(&store, snapshot.as_deref()).await?,
            Source::File(path) => self.of_this_machine(&path).await?,
            Source::Survivor => self.of_survivor().await?,
        };
        let digest = reply.digest.to_vec().try_into().map(Digest::new);
        let digest = digest.map_err(|_| self.failed("its digest is none"))?;
        let origin = match &reply.manifest[..] {
            [] => None,
            text => {
                let name = serde_json::from_slice::<Manifest>(text).map(|it| it.name);
                let name = name.map_err(|it| self.failed(&it.to_string()))?;
                let manifest = Manifest::parse(text, &name);
                let manifest = manifest.map_err(|it| self.failed(&it.to_string()))?;
                self.unreadable = unreadable(&manifest, &self.known_clients());
                Some(origin(manifest))
            }
        };
        let (size, revision) = (reply.size, reply.revision);
        let key = if is_former(&key) { self.bring_over(&key, (&digest, size)).await? } else { key };
        let found = Found { digest: digest.to_string(), size, revision, origin };
        self.found = Some((found, key));
        Ok(())
    }

    /// From a host that is left to one that stays.
    async fn bring_over(
        &mut self,
        former: &str,
        (digest, size): (&Digest, u64),
    ) -> Result<String, HostError> {
        let path = staged(&self.cluster.setup.desired.name);
        let from = self.host(former).await?;
        let stays = self.cluster.looks.keys().find(|it| !is_former(it)).cloned();
        let stays = stays.ok_or_else(|| self.failed("no wanted host answers"))?;
        let brought = self.cluster.fleet.one(&stays, async |_, host| {
            let feed = Feed::There(from.clone(), path.clone());
            host.put_snapshot(&path, (digest.bytes(), size), feed).await
        });
        brought.await?;
        self.clear(former, &path).await?;
        Ok(stays)
    }

    /// For reading what lies there.
    pub(super) async fn host(&mut self, key: &str) -> Result<Host, HostError> {
        let found = self.cluster.fleet.one(key, async |_, host| Ok((*host).clone())).await?;
        found.ok_or_else(|| self.failed("its host is gone"))
    }

    pub(super) fn failed(&self, reason: &str) -> HostError {
        HostError::Failed {
            host: self.cluster.setup.called.clone(),
            call: format!("use {}", self.terms.wanted.source),
            reason: reason.to_owned(),
        }
    }

    /// Below it lies what is not proven yet.
    pub(super) fn unproven(&self) -> String {
        format!("{}/unproven", kept(&self.cluster.setup.desired.name))
    }

    async fn of_this_machine(
        &mut self,
        path: &Path,
    ) -> Result<(String, StageSnapshotReply), HostError> {
        let shown = path.display();
        let unreadable = |it: std::io::Error| self.failed(&format!("{shown}: {it}"));
        let file = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        let name = Compression::before_end(&file)
            .ok_or_else(|| self.failed("its name does not end as that of a snapshot"))?;
        let beside = path.with_file_name(Manifest::beside(name));
        let manifest = read_here(&beside, MOST_MANIFEST).await.map_err(|it| {
            self.failed(&format!("{}, which tells what it is: {it}", beside.display()))
        })?;
        let parsed = Manifest::parse(&manifest, name);
        parsed.map_err(|it| self.failed(&format!("{}: {it}", beside.display())))?;
        let sum = sum_here(path).await.map_err(unreadable)?;
        let first = self.cluster.looks.keys().find(|it| !is_former(it)).cloned();
        let key = first.ok_or_else(|| self.failed("no wanted host answers"))?;
        let folder = self.unproven();
        let (stored, description) =
            (format!("{folder}/{file}"), format!("{folder}/{}", Manifest::beside(name)));
        let brought = self.cluster.fleet.one(&key, async |_, host| {
            host.put_snapshot(&stored, (&sum.0, sum.1), Feed::Here(path.to_owned())).await?;
            let (path, content) = (description.clone(), manifest.clone());
            host.put(File { path, content, mode: 0o600, ..File::default() }).await
        });
        let brought = brought.await.map(drop);
        self.prove_unproven(key, brought, (&stored, &description)).await
    }

    async fn of_survivor(&mut self) -> Result<(String, StageSnapshotReply), HostError> {
        let cluster = &self.cluster;
        let told = |key: &String| Some((cluster.status_on(key).ok()?, key.clone()));
        let furthest =
            cluster.looks.keys().filter_map(told).max_by_key(|it| (it.0.raft_index, it.0.revision));
        let (status, key) = furthest.ok_or_else(|| self.failed("no member answers"))?;
        let folder = self.unproven();
        let saved = self.cluster.save_on(&key, (&folder, "survivor"), (status.revision, 1)).await;
        self.prove_unproven(key, saved, (&format!("{folder}/survivor.db"), "")).await
    }

    pub(super) async fn prove(
        &mut self,
        key: &str,
        path: &str,
        manifest: &str,
    ) -> Result<StageSnapshotReply, HostError> {
        let into = staged(&self.cluster.setup.desired.name);
        let proven = self.cluster.fleet.one(key, async |_, host| {
            let request = StageSnapshotRequest {
                path: path.to_owned().into(),
                manifest: manifest.to_owned().into(),
                into: into.clone().into(),
                ..StageSnapshotRequest::default()
            };
            host.stage_snapshot(request).await
        });
        proven.await?.ok_or_else(|| self.failed("its host is gone"))
    }

    /// The same of what was brought into the folder for that. It does not stay there, whatever came of it.
    pub(super) async fn prove_unproven(
        &mut self,
        key: String,
        brought: Result<(), HostError>,
        (path, manifest): (&str, &str),
    ) -> Result<(String, StageSnapshotReply), HostError> {
        let reply = match brought {
            Ok(()) => self.prove(&key, path, manifest).await,
            Err(error) => Err(error),
        };
        let folder = self.unproven();
        let swept = self.clear(&key, &folder).await;
        let reply = reply?;
        swept.map(|()| (key, reply))
    }

    async fn clear(&mut self, key: &str, folder: &str) -> Result<(), HostError> {
        let cleared = self.cluster.fleet.one(key, async |_, host| host.remove(folder, true).await);
        cleared.await.map(drop)
    }
}

/// Secrets that were encrypted with another key than the one that is there now.
fn unreadable(manifest: &Manifest, known: &Consumers) -> Vec<String> {
    let known = known.encryption_keys();
    let other = |(plane, key): (&String, &String)| {
        let now = known.get(plane).filter(|it| *it != key)?;
        Some(format!(
            "the Secrets of {plane} in {} are encrypted with the key {key}, and its nodes have {now}: they can be read again where a recovery bundle of that time brings the key back",
            manifest.name
        ))
    };
    manifest.encryption_keys.iter().filter_map(other).collect()
}

fn origin(manifest: Manifest) -> Origin {
    Origin {
        name: manifest.name,
        cluster: manifest.cluster,
        resource: manifest.cluster_resource,
        version: manifest.etcd_version.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::consumers::Consumer;

    #[test]
    fn secrets_of_another_key_are_told_of() {
        let key = |it: &str| BTreeMap::from([("prod".to_owned(), it.to_owned())]);
        let of = |keys| Manifest {
            name: "p.n.1".to_owned(),
            encryption_keys: keys,
            ..Manifest::empty()
        };
        let known = |key: Option<&str>| {
            let (name, hosts) = ("prod".to_owned(), serde_json::Map::new());
            let encryption_key = key.map(str::to_owned);
            Consumers([("1".to_owned(), Consumer { name, hosts, encryption_key })].into())
        };
        let told = unreadable(&of(key("old")), &known(Some("new")));
        assert!(told[0].starts_with("the Secrets of prod in p.n.1 are encrypted with"), "{told:?}");
        for (manifest, known) in [
            (of(key("one")), known(Some("one"))),
            (of(key("one")), known(None)),
            (of(key("one")), Consumers::default()),
            (of(BTreeMap::new()), known(Some("one"))),
        ] {
            assert_eq!(unreadable(&manifest, &known), [""; 0]);
        }
    }
}
