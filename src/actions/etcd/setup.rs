//! What the actions know beyond the planner.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use time::Duration;

use super::site::Site;
use crate::actions::Own;
use crate::actions::programs::Programs;
use crate::domain::etcd::{ClusterId, Desired, Settings};
use crate::domain::pki::{self, Profile, ProfileError, Usage};
use crate::host::HostName;

/// The wish, and what stands around it.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How errors call the cluster as a whole.
    pub called: HostName,
    /// What the planner brings about.
    pub desired: Desired,
    /// How certificates are made.
    pub certificates: Certificates,
    /// Whose hosts they are.
    pub own: Own,
    /// The cluster that the state knows.
    pub known: Option<ClusterId>,
    /// The last restore that the state knows of.
    pub generation: u64,
    /// What ran on each member when it was last seen, by its key.
    pub last: BTreeMap<String, Settings>,
    /// Where the program comes from.
    pub programs: Arc<Programs>,
}

/// How certificates are made.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// Of a leaf.
    pub validity: Duration,
    /// Of the authority.
    pub ca_validity: Duration,
    /// Names and addresses beside those of the host.
    pub extra_sans: Vec<String>,
}

/// The names of the leaves, as in paths and for people.
pub(super) const SERVER: &str = "server";
pub(super) const PEER: &str = "peer";

impl Setup {
    /// What a host is to have of certificates. `runs`: where its member listens until it is restarted, if that is not where
    /// it is to be: until then it is reached there.
    ///
    /// # Errors
    /// A name or a time that no certificate can have.
    pub fn leaves(
        &self,
        site: &Site,
        runs: Option<IpAddr>,
    ) -> Result<BTreeMap<String, Profile>, ProfileError> {
        let mut names = vec![site.place.address.to_string()];
        names.extend(runs.filter(|it| *it != site.place.address).map(|it| it.to_string()));
        if site.place.is_local {
            // Members are also judged by the address that they come from.
            names.push("127.0.0.1".to_owned());
        }
        names.extend(self.certificates.extra_sans.iter().cloned());
        // A server shows its certificate as a client of itself, behind its JSON gateway.
        let usages = [Usage::Server, Usage::Client];
        let leaf = |common_name: &str| {
            Profile::new((common_name, None), &names, usages, self.certificates.validity)
        };
        let leaves = [(SERVER, "etcd-server"), (PEER, "etcd-peer")];
        leaves.into_iter().map(|(name, cn)| Ok((name.to_owned(), leaf(cn)?))).collect()
    }

    pub(super) fn authority(&self) -> pki::Authority {
        let common_name = format!("etcd-{}", self.desired.name);
        pki::Authority { common_name, lifetime: self.certificates.ca_validity }
    }
}
