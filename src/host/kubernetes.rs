//! What the agent of a node does for a control plane alone: the first right in it, and a bundle of its keys.

use super::messages::{BindAdministratorsReply, BindAdministratorsRequest, SealFilesRequest};
use super::{Host, HostError, Locked};

impl Host {
    /// Files of this host, in a bundle that its recipients alone can read.
    ///
    /// # Errors
    /// One of them is not there.
    pub async fn seal_files(&self, request: SealFilesRequest) -> Result<String, HostError> {
        let call = "seal a recovery bundle";
        Ok(self.call(call, async |mut it| it.seal_files(request).await).await?.bundle)
    }
}

impl Locked {
    /// Lets a group administrate the cluster of this host's API server; the claim is added. False: it did already.
    ///
    /// # Errors
    /// The API server does not answer or refuses, or the authority is not there.
    pub async fn bind_administrators(
        &self,
        request: BindAdministratorsRequest,
    ) -> Result<bool, HostError> {
        let request = BindAdministratorsRequest { claim: self.claim(), ..request };
        let call = format!("let {} administrate through {}", request.group, request.server);
        let reply: BindAdministratorsReply =
            self.call(call, async |mut it| it.bind_administrators(request).await).await?;
        Ok(reply.changed)
    }
}
