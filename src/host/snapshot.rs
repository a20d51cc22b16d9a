//! A snapshot of a member of etcd, from the member to a disk of its host.

use super::messages::{SaveSnapshotReply, SaveSnapshotRequest};
use super::{HostError, Locked};

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
}
