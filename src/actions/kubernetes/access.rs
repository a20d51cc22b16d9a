//! A control plane as those see it who use it: where its API servers are, and a certificate for a client.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::site::authority;
pub use crate::actions::etcd::Issued;
use crate::actions::etcd::Newborn;
use crate::domain::kubernetes::Authority;
use crate::domain::name::ClusterName;
use crate::domain::pki::Certificate;
use crate::engine::{Fleet, chain};
use crate::host::messages::{SignRequest, Subject};
use crate::host::{Host, HostError};

/// Who may administrate every control plane, from its creation on.
pub const ADMINISTRATORS: &str = "ha:cluster-admins";

/// What is known of a control plane without being asked.
#[derive(Clone, Debug)]
pub struct Access {
    /// Part of its paths.
    pub name: ClusterName,
    /// Its authority, PEM.
    pub authority: String,
    /// Where the API server of each node listens, by its name.
    pub nodes: BTreeMap<String, SocketAddr>,
}

/// Has a certificate for `user` in `group` (empty: in none) signed by the first node that can, for at most 24 hours. Nothing
/// is written anywhere.
///
/// # Errors
/// Why no node has signed, by its key.
pub async fn issue(
    fleet: &Fleet,
    access: &Access,
    (user, group): (&str, &str),
    lifetime: Duration,
) -> Result<Issued, BTreeMap<String, String>> {
    let newborn = Newborn::new().map_err(|it| BTreeMap::from([("here".to_owned(), it)]))?;
    let ours = Certificate::parse(access.authority.as_bytes()).ok();
    let directory = authority(&access.name, Authority::Cluster);
    let request = request(&newborn, directory, (user, group), lifetime);
    let sign = async |_: String, host: Host| {
        let certificate = host.sign_for_client(request.clone()).await?;
        let signed = Certificate::parse(certificate.as_bytes()).ok();
        let is_ours =
            ours.as_ref().zip(signed.as_ref()).is_some_and(|(it, of)| of.is_signed_by(it));
        if is_ours {
            return Ok(certificate);
        }
        let reason = "its authority is not that of the control plane".to_owned();
        let call = "sign a certificate".to_owned();
        Err(HostError::Failed { host: host.name().clone(), call, reason })
    };
    let certificate = fleet.first(sign).await.map_err(|why| {
        why.into_iter().map(|(key, it)| (key, chain(&it))).collect::<BTreeMap<_, _>>()
    })?;
    Ok(Issued { certificate, key: newborn.key() })
}

/// For a client of the API.
pub(super) fn request(
    newborn: &Newborn,
    authority: String,
    (user, group): (&str, &str),
    lifetime: Duration,
) -> SignRequest {
    let subject = Subject {
        common_name: user.to_owned(),
        organization: group.to_owned(),
        ..Subject::default()
    };
    SignRequest {
        authority: authority.into(),
        csr: newborn.csr().to_owned(),
        subject: Some(subject),
        client: true,
        lifetime: u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX),
        ..SignRequest::default()
    }
}
