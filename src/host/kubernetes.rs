//! The first right in a cluster of Kubernetes, given by the agent of a node.

use super::messages::{BindAdministratorsReply, BindAdministratorsRequest};
use super::{HostError, Locked};

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
