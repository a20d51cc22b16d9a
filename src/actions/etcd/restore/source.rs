//! Where the snapshot comes from: it is proven on one host, and lies there from then on.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Restore, Source};
use crate::actions::is_former;
use crate::domain::artifacts::Digest;
use crate::domain::backup::{Compression, MOST_MANIFEST, Manifest};
use crate::domain::etcd::kept;
use crate::domain::etcd::restore::{Found, Origin, staged};
use crate::host::messages::{StageSnapshotReply, StageSnapshotRequest};
use crate::host::{Feed, File, Host, HostError, read_here, sum_here};

impl Restore<'_, '_> {
    pub(super) async fn find(&mut self) -> Result<(), HostError> {
        let (key, reply) = match self.terms.source.clone() {
            Source::Directory { path, snapshot } => self.in_directory(&path, snapshot).await?,
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
                Some(origin(manifest.map_err(|it| self.failed(&it.to_string()))?))
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

    fn failed(&self, reason: &str) -> HostError {
        HostError::Failed {
            host: self.cluster.setup.called.clone(),
            call: format!("use {}", self.terms.wanted.source),
            reason: reason.to_owned(),
        }
    }

    /// Below it lies what is not proven yet.
    fn unproven(&self) -> String {
        format!("{}/unproven", kept(&self.cluster.setup.desired.name))
    }

    async fn in_directory(
        &mut self,
        directory: &str,
        snapshot: Option<String>,
    ) -> Result<(String, StageSnapshotReply), HostError> {
        let cluster = self.cluster.setup.desired.name.to_string();
        let all: BTreeSet<String> = self.cluster.looks.keys().cloned().collect();
        let asked =
            self.cluster.fleet.some(&all, async |_, host| host.backups(directory, ("", "")).await);
        let mut counted = Vec::new();
        for (key, stored) in asked.await {
            let Ok(stored) = stored else { continue };
            let parsed =
                |it: &crate::host::messages::Backup| Manifest::parse(&it.manifest, &it.name).ok();
            counted.extend(stored.backups.iter().filter_map(parsed).map(|it| (key.clone(), it)));
        }
        let resource = &self.terms.wanted.resource;
        let is_ours = |it: &Manifest| match resource {
            Some(resource) => it.cluster_resource == *resource,
            None => it.cluster == cluster,
        };
        let chosen = match &snapshot {
            // Of whatever cluster: that is told when it was proven.
            Some(name) => counted.into_iter().find(|it| it.1.name == *name),
            None => counted
                .into_iter()
                .filter(|it| is_ours(&it.1))
                .max_by_key(|(_, it)| (it.covers(), it.taken, it.revision)),
        };
        let Some((key, manifest)) = chosen else {
            let what = snapshot.map_or_else(
                || format!("a verified snapshot of the cluster {cluster}"),
                |it| format!("a verified snapshot {it}"),
            );
            return Err(self.failed(&format!("no host that answers has {what} there")));
        };
        let path = format!("{directory}/{}", manifest.file());
        let beside = format!("{directory}/{}", Manifest::beside(&manifest.name));
        let reply = self.prove(&key, &path, &beside).await?;
        Ok((key, reply))
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
        brought.await?;
        let reply = self.prove(&key, &stored, &description).await;
        self.clear(&key, &folder).await?;
        Ok((key, reply?))
    }

    async fn of_survivor(&mut self) -> Result<(String, StageSnapshotReply), HostError> {
        let cluster = &self.cluster;
        let told = |key: &String| Some((cluster.status_on(key).ok()?, key.clone()));
        let furthest =
            cluster.looks.keys().filter_map(told).max_by_key(|it| (it.0.raft_index, it.0.revision));
        let (status, key) = furthest.ok_or_else(|| self.failed("no member answers"))?;
        let folder = self.unproven();
        self.cluster.save_on(&key, (&folder, "survivor"), (status.revision, 1)).await?;
        let reply = self.prove(&key, &format!("{folder}/survivor.db"), "").await;
        self.clear(&key, &folder).await?;
        Ok((key, reply?))
    }

    async fn prove(
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

    async fn clear(&mut self, key: &str, folder: &str) -> Result<(), HostError> {
        let cleared = self.cluster.fleet.one(key, async |_, host| host.remove(folder, true).await);
        cleared.await.map(drop)
    }
}

fn origin(manifest: Manifest) -> Origin {
    Origin {
        name: manifest.name,
        cluster: manifest.cluster,
        resource: manifest.cluster_resource,
        version: manifest.etcd_version.parse().ok(),
    }
}
