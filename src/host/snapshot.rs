//! Snapshots of a member of etcd, from the member to a disk of its host.

use super::messages::{
    BackUpRequest, Backup, FetchBackupRequest, ForgetBackupsRequest, ListBackupsReply,
    ListBackupsRequest, ObjectStore, PlaceAgentRequest, SaveSnapshotReply, SaveSnapshotRequest,
};
use super::{Host, HostError, Locked};

impl Host {
    /// What lies in a directory of this host of a backup of a cluster, and why a store did not take it.
    ///
    /// # Errors
    /// It cannot be looked into.
    pub async fn backups(
        &self,
        directory: &str,
        (cluster, name): (&str, &str),
    ) -> Result<ListBackupsReply, HostError> {
        let request = ListBackupsRequest {
            directory: directory.to_owned().into(),
            cluster: cluster.to_owned(),
            name: name.to_owned(),
            store: None,
        };
        let call = format!("tell what is in {directory}");
        self.call(call, async |mut it| it.list_backups(request).await).await
    }

    /// What lies in a store of a backup of a cluster, as this host sees it.
    ///
    /// # Errors
    /// It cannot be looked into from here.
    pub async fn stored_backups(
        &self,
        store: ObjectStore,
        (cluster, name): (&str, &str),
    ) -> Result<Vec<Backup>, HostError> {
        let request = ListBackupsRequest {
            cluster: cluster.to_owned(),
            name: name.to_owned(),
            store: Some(store),
            ..ListBackupsRequest::default()
        };
        let call = "tell what is in a store";
        Ok(self.call(call, async |mut it| it.list_backups(request).await).await?.backups)
    }
}

impl Locked {
    /// Keeps all data of a member of this host in a file, once its digest is proven; the claim is added. Takes as long as
    /// the data is large.
    ///
    /// # Errors
    /// The member gives none, it is damaged, or the disk has no room. Then nothing was kept.
    pub async fn save_snapshot(
        &self,
        request: SaveSnapshotRequest,
    ) -> Result<SaveSnapshotReply, HostError> {
        let request = SaveSnapshotRequest { claim: self.claim(), ..request };
        let call = format!("keep a snapshot of {}", request.member);
        self.call(call, async |mut it| it.save_snapshot(request).await).await
    }

    /// Puts a copy of the agent to a path, for services that run it. Whether something else was there.
    ///
    /// # Errors
    /// As every call.
    pub async fn place_agent(&self, path: &str) -> Result<bool, HostError> {
        let request = PlaceAgentRequest { claim: self.claim(), path: path.to_owned().into() };
        let call = format!("place the agent at {path}");
        Ok(self.call(call, async |mut it| it.place_agent(request).await).await?.changed)
    }

    /// Takes a snapshot now, as the settings of a backup in this file say. Its manifest.
    ///
    /// # Errors
    /// The member gives none, it is damaged, or the disk has no room. Then nothing was kept.
    pub async fn back_up(&self, settings: &str) -> Result<Vec<u8>, HostError> {
        let request = BackUpRequest { claim: self.claim(), settings: settings.to_owned().into() };
        let call = format!("take a snapshot as {settings} says");
        let reply = self.call(call, async |mut it| it.back_up(request).await).await?;
        Ok(reply.manifest.to_vec())
    }
    /// Brings a snapshot of this name from a store into a directory, with its manifest. The manifest, and whether it was
    /// brought.
    ///
    /// # Errors
    /// There is none that counts, or no room. Then nothing was kept.
    pub async fn fetch_backup(
        &self,
        store: ObjectStore,
        name: &str,
        directory: &str,
    ) -> Result<(Vec<u8>, bool), HostError> {
        let request = FetchBackupRequest {
            claim: self.claim(),
            store: Some(store),
            name: name.to_owned(),
            directory: directory.to_owned().into(),
        };
        let call = format!("bring the snapshot {name} from a store");
        let reply = self.call(call, async |mut it| it.fetch_backup(request).await).await?;
        Ok((reply.manifest.to_vec(), reply.changed))
    }

    /// Removes all snapshots of a backup of a cluster from a store. How many there were.
    ///
    /// # Errors
    /// Some of them may be left.
    pub async fn forget_backups(
        &self,
        store: ObjectStore,
        (cluster, name): (&str, &str),
    ) -> Result<u32, HostError> {
        let request = ForgetBackupsRequest {
            claim: self.claim(),
            store: Some(store),
            cluster: cluster.to_owned(),
            name: name.to_owned(),
        };
        let call = format!("remove the snapshots {name} of {cluster} from a store");
        Ok(self.call(call, async |mut it| it.forget_backups(request).await).await?.count)
    }
}
