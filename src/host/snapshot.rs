//! Snapshots of a member of etcd, from the member to a disk of its host.

use super::messages::{
    BackUpRequest, Backup, ListBackupsRequest, PlaceAgentRequest, SaveSnapshotReply,
    SaveSnapshotRequest,
};
use super::{Host, HostError, Locked};

impl Host {
    /// What lies in a directory of this host of a backup of a cluster.
    ///
    /// # Errors
    /// It cannot be looked into.
    pub async fn backups(
        &self,
        directory: &str,
        (cluster, name): (&str, &str),
    ) -> Result<Vec<Backup>, HostError> {
        let request = ListBackupsRequest {
            directory: directory.to_owned().into(),
            cluster: cluster.to_owned(),
            name: name.to_owned(),
        };
        let call = format!("tell what is in {directory}");
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
}
