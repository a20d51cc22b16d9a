//! The first right in a cluster of Kubernetes: who may administrate it.
//!
//! Somebody of the group `system:masters` has to give it away. Its certificate is signed here, for minutes, and is gone with
//! the call.

use std::sync::Arc;

use super::change::{Deed, Host};
use super::fault::Fault;
use super::place::HostPath;
use super::{clock, forward, pki};
use crate::proto::agent::{BindAdministratorsReply, BindAdministratorsRequest};
use crate::remote::kubernetes::{Api, Binding, CallError, NameFault};

/// Binds both, or says which of them was refused.
pub(super) async fn bind(
    host: &Arc<Host>,
    mut request: BindAdministratorsRequest,
) -> Result<BindAdministratorsReply, Fault> {
    let claim = request.claim.take();
    let authority = HostPath::parse(&request.authority)?;
    let invalid = |it: NameFault| Fault::Invalid(it.to_string());
    let bindings = [
        Binding::administrators(&request.group).map_err(invalid)?,
        Binding::of_kubelet_client(&request.kubelet_client).map_err(invalid)?,
    ];
    let (group, server) = (&request.group, request.server.clone());
    let deed = Deed::new(format!("let {group:?} administrate through {server}"), &request);
    let at = Arc::clone(host);
    let work = async move { through(&at, &server, authority, &bindings).await };
    let changed = host.change(claim, deed, work).await?;
    Ok(BindAdministratorsReply { changed })
}

async fn through(
    host: &Arc<Host>,
    server: &str,
    authority: HostPath,
    bindings: &[Binding],
) -> Result<bool, Fault> {
    let said = |error: CallError| {
        Fault::failed(format!("give rights through {server}"))(std::io::Error::other(error))
    };
    let credentials =
        host.blocking(move |it| pki::of_masters(&it.root, &authority, clock::now())).await?;
    let (stream, address) = forward::connect(server).await?;
    let api = Api::open(stream, address.ip(), &credentials).await.map_err(said)?;
    let mut changed = false;
    for binding in bindings {
        changed |= api.bind(binding).await.map_err(said)?;
    }
    Ok(changed)
}
