//! Hosts and keys that are left.

use std::collections::BTreeSet;

use super::ControlPlane;
use super::notes::Notes;
use crate::actions::notes::Journal as _;
use crate::actions::{record_name, remove_service};
use crate::domain::kubernetes::Component;
use crate::engine::gravest;
use crate::host::HostError;

/// What becomes of the keys of a host that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// Others have them still.
    Wiped,
    /// They may be needed again: without them nobody can read what is in etcd.
    Aside,
    /// Nor is anything else kept.
    Deleted,
}

impl ControlPlane<'_> {
    /// The record goes last: until then the next run knows whose this is.
    pub(super) async fn clean(
        &mut self,
        keys: &BTreeSet<String>,
        becomes: Keys,
    ) -> Result<(), HostError> {
        let (sites, claim, id) = (&self.sites, &self.setup.own.claim, &self.setup.own.id);
        let done = self.fleet.some(keys, async |key, host| {
            let site = &sites[&key];
            // The API server last: the others give back what they hold.
            for component in Component::ALL.iter().rev() {
                remove_service(&host, &site.unit(*component)).await?;
            }
            match becomes {
                Keys::Aside => {
                    host.move_aside(&site.folder(), id).await?;
                }
                Keys::Wiped | Keys::Deleted => {
                    host.remove(&site.folder(), true).await?;
                }
            }
            if becomes == Keys::Deleted {
                host.remove(site.log(), true).await?;
            }
            host.remove_record(&Notes::name(claim)).await?;
            host.remove_record(&record_name(claim)).await.map(drop)
        });
        gravest(done.await).map(drop)
    }
}
