//! A cluster as those see it who use it: where its members are, and a certificate for a client.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::site::authority;
use crate::actions::Issued;
use crate::actions::signing::Issuer;
use crate::domain::etcd::ClusterName;
use crate::engine::Fleet;

/// What is known of a cluster without being asked.
#[derive(Clone, Debug)]
pub struct Access {
    /// Part of its paths.
    pub name: ClusterName,
    /// Its authority, PEM.
    pub authority: String,
    /// Where clients reach each member, by its name.
    pub members: BTreeMap<String, SocketAddr>,
}

/// Has a certificate for `user` signed by the first host that can, for at most 24 hours. Nothing is written anywhere.
///
/// # Errors
/// Why no host has signed, by its key.
pub async fn issue(
    fleet: &Fleet,
    access: &Access,
    user: &str,
    lifetime: Duration,
) -> Result<Issued, BTreeMap<String, String>> {
    let directory = authority(access.name.as_str());
    let issuer =
        Issuer { of: "the cluster", certificate: &access.authority, directory: &directory };
    issuer.issue(fleet, (user, ""), lifetime).await
}
