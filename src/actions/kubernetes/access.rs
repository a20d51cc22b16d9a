//! A control plane as those see it who use it: where its API servers are, and a certificate for a client.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::site::authority;
use crate::actions::Issued;
use crate::actions::signing::Issuer;
use crate::domain::kubernetes::Authority;
use crate::domain::name::ClusterName;
use crate::engine::Fleet;

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

/// Has a certificate for a user in a group (empty: in none) signed by the first node that can, for at most 24 hours. Nothing
/// is written anywhere.
///
/// # Errors
/// Why no node has signed, by its key.
pub async fn issue(
    fleet: &Fleet,
    access: &Access,
    person: (&str, &str),
    lifetime: Duration,
) -> Result<Issued, BTreeMap<String, String>> {
    let directory = authority(&access.name, Authority::Cluster);
    let of = "the control plane";
    let issuer = Issuer { of, certificate: &access.authority, directory: &directory };
    issuer.issue(fleet, person, lifetime).await
}
