//! What the actions know beyond the planner.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::recovery::Recovery;
use crate::actions::programs::Programs;
use crate::actions::{Own, etcd};
use crate::domain::host::Place;
use crate::domain::kubernetes::{Authority, CertificateWish, Desired, Settings};
use crate::domain::pki::ProfileError;
use crate::host::HostName;

/// The wish, and what stands around it.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How errors call the control plane as a whole.
    pub called: HostName,
    /// What the planner brings about.
    pub desired: Desired,
    /// How certificates are made.
    pub certificates: CertificateWish,
    /// Whose hosts they are.
    pub own: Own,
    /// The state has it: its creation came to an end.
    pub is_known: bool,
    /// What the API server of each node ran when it was last seen, by its key.
    pub last: BTreeMap<String, Settings>,
    /// Where the programs come from.
    pub programs: Arc<Programs>,
    /// Keys from a bundle. None: there is none, or nobody needs it.
    pub recovery: Option<Recovery>,
    /// The cluster that holds the objects.
    pub etcd: etcd::Access,
}

impl Setup {
    /// Whether a node at this place can have its certificates.
    ///
    /// # Errors
    /// A name or a time that no certificate can have.
    pub fn check_certificates(&self, place: Place) -> Result<(), ProfileError> {
        let all = [Authority::Cluster, Authority::FrontProxy, Authority::Etcd];
        all.into_iter()
            .try_for_each(|it| it.leaves(&self.desired, &self.certificates, place).map(drop))
    }
}
