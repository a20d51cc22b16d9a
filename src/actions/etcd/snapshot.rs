//! All data of a member, kept on its host before something is done that cannot be undone.

use std::net::SocketAddr;

use super::EtcdCluster;
use super::setup::SERVER;
use crate::domain::etcd::{Name, snapshots};
use crate::host::HostError;
use crate::host::messages::SaveSnapshotRequest;

/// So many of the newest stay.
const KEEP: u32 = 2;

impl EtcdCluster<'_> {
    pub(super) async fn snapshot(&mut self, from: &Name) -> Result<(), HostError> {
        let status = self.status_on(from.as_str())?;
        // The revision is at least this one.
        let (cluster, revision) = (&self.setup.desired.name, status.revision);
        let name = format!("{cluster}-{}-revision-{revision}", status.version);
        let directory = snapshots(cluster);
        self.save_on(from.as_str(), (&directory, &name), (revision, KEEP)).await
    }

    /// Keeps all data of the member on a host in a file, with this revision at least, and so many of the newest.
    pub(super) async fn save_on(
        &mut self,
        key: &str,
        (directory, name): (&str, &str),
        (revision, keep): (u64, u32),
    ) -> Result<(), HostError> {
        let (sites, looks, desired) = (&self.sites, &self.looks, &self.setup.desired);
        let saved = self.fleet.one(key, async |key, host| {
            let site = &sites[&key];
            let address = looks[&key].listens().unwrap_or(site.place.address);
            let request = SaveSnapshotRequest {
                member: SocketAddr::new(address, desired.ports.client).to_string(),
                authority: site.certificate("ca").into(),
                certificate: site.certificate(SERVER).into(),
                key: site.key(SERVER).into(),
                directory: directory.to_owned().into(),
                name: name.to_owned(),
                keep,
                revision,
                ..SaveSnapshotRequest::default()
            };
            host.save_snapshot(request).await
        });
        if let Some(saved) = saved.await? {
            let path = String::from_utf8_lossy(&saved.path);
            tracing::info!(host = key, %path, size = saved.size, revision = saved.revision, "a verified snapshot is kept");
        }
        Ok(())
    }
}
