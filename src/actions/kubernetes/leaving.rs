//! Hosts and keys that are left.

use std::collections::BTreeSet;

use super::ControlPlane;
use super::notes::Notes;
use super::recovery::Sealed;
use crate::actions::notes::Journal as _;
use crate::actions::{random_id, record_name, remove_service};
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
    /// A part of them may be left, for which the rest may be found. It may happen again.
    Rest,
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
        let id = &self.setup.own.id;
        let label = match becomes {
            // Where the answer is lost nothing is left to be moved, so the next may be called otherwise.
            Keys::Rest => random_id().map(|it| format!("{id}-{it}")),
            _ => Ok(id.clone()),
        };
        let label = label.map_err(|reason| HostError::Failed {
            host: self.setup.called.clone(),
            call: "move keys aside".to_owned(),
            reason,
        })?;
        let (sites, claim) = (&self.sites, &self.setup.own.claim);
        let done = self.fleet.some(keys, async |key, host| {
            let site = &sites[&key];
            // The API server last: the others give back what they hold.
            for component in Component::ALL.iter().rev() {
                remove_service(&host, &site.unit(*component)).await?;
            }
            match becomes {
                Keys::Aside | Keys::Rest => {
                    host.move_aside(&site.folder(), &label).await?;
                }
                Keys::Wiped | Keys::Deleted => {
                    host.remove(&site.folder(), true).await?;
                }
            }
            if becomes == Keys::Deleted {
                host.remove(site.log(), true).await?;
            }
            host.remove_record(&Notes::name(claim)).await?;
            host.remove_record(&Sealed::name(claim)).await?;
            host.remove_record(&record_name(claim)).await.map(drop)
        });
        gravest(done.await).map(drop)
    }
}
