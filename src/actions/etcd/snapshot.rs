//! All data of a member, kept on its host before something is done that cannot be undone.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::EtcdCluster;
use super::setup::SERVER;
use crate::domain::etcd::{Name, snapshots};
use crate::engine::gravest;
use crate::host::HostError;
use crate::host::messages::SaveSnapshotRequest;

/// So many of the newest stay.
const KEEP: u32 = 2;

impl EtcdCluster<'_> {
    pub(super) async fn snapshot(&mut self, from: &Name) -> Result<(), HostError> {
        let status = self.status_on(from.as_str())?;
        let (sites, looks, desired) = (&self.sites, &self.looks, &self.setup.desired);
        // The revision is at least this one.
        let (cluster, revision, version) = (&desired.name, status.revision, status.version);
        let name = format!("{cluster}-{version}-revision-{revision}");
        let on = BTreeSet::from([from.to_string()]);
        let saved = self.fleet.some(&on, async |key, host| {
            let site = &sites[&key];
            let address = looks[&key].listens().unwrap_or(site.place.address);
            let request = SaveSnapshotRequest {
                member: SocketAddr::new(address, desired.ports.client).to_string(),
                authority: site.certificate("ca").into(),
                certificate: site.certificate(SERVER).into(),
                key: site.key(SERVER).into(),
                directory: snapshots(cluster).into(),
                name: name.clone(),
                keep: KEEP,
                revision,
                ..SaveSnapshotRequest::default()
            };
            host.save_snapshot(request).await
        });
        for (key, saved) in gravest(saved.await)? {
            let path = String::from_utf8_lossy(&saved.path);
            tracing::info!(host = key, %path, size = saved.size, revision = saved.revision, "a verified snapshot is kept");
        }
        Ok(())
    }
}
