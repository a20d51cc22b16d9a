//! Hosts and data that are left.

use std::collections::BTreeSet;

use super::EtcdCluster;
use super::consumers::Consumers;
use super::notes::Notes;
use crate::actions::notes::Journal as _;
use crate::actions::record_name;
use crate::domain::etcd::kept;
use crate::engine::{Answers, gravest};
use crate::host::HostError;
use crate::host::messages::service_request::Action;

/// What becomes of the data of a host that is left.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Data {
    Aside,
    Deleted,
}

impl EtcdCluster<'_> {
    pub(super) async fn move_aside(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        let (sites, looks) = (&self.sites, &self.looks);
        let done = self.fleet.some(keys, async |key, host| {
            let site = &sites[&key];
            host.service(Action::Stop, &site.unit()).await?;
            let member = looks.get(&key).and_then(|it| it.notes.member).unwrap_or_default();
            for path in site.data_dirs() {
                host.move_aside(path, &format!("{member:x}")).await?;
            }
            Ok(())
        });
        gravest(done.await)?;
        self.note(keys, |_, it| it.forget_data()).await
    }

    /// Of a log with a directory of its own something may be left when the data is gone, and etcd would go on from there.
    pub(super) async fn clear_log(
        &mut self,
        keys: &BTreeSet<String>,
        newcomer: u64,
    ) -> Result<(), HostError> {
        let sites = &self.sites;
        let done = self.fleet.some(keys, async |key, host| {
            for path in sites[&key].data_dirs().skip(1) {
                // An empty one is nothing to keep.
                match host.remove(path, false).await {
                    Err(HostError::Failed { .. }) => {
                        host.move_aside(path, &format!("before-{newcomer:x}")).await?;
                    }
                    other => drop(other?),
                }
            }
            Ok(())
        });
        gravest(done.await).map(drop)
    }

    /// The record goes last: until then the next run knows whose this is.
    pub(super) async fn clean(
        &mut self,
        keys: &BTreeSet<String>,
        data: Data,
    ) -> Result<(), HostError> {
        let mut done = Answers::new();
        for turn in self.leader_last(keys) {
            let (sites, looks, claim) = (&self.sites, &self.looks, &self.setup.own.claim);
            let name = &self.setup.desired.name;
            let cleaned = self.fleet.some(&turn, async |key, host| {
                let site = &sites[&key];
                crate::actions::remove_service(&host, &site.unit()).await?;
                let member = looks.get(&key).and_then(|it| it.notes.member).unwrap_or_default();
                if data == Data::Deleted {
                    host.remove(&kept(name), true).await?;
                }
                for path in site.data_dirs() {
                    if data == Data::Deleted {
                        host.remove(path, true).await?;
                    } else {
                        host.move_aside(path, &format!("{member:x}")).await?;
                    }
                }
                host.remove(&site.certificates(), true).await?;
                host.remove_record(&Consumers::name(claim)).await?;
                host.remove_record(&Notes::name(claim)).await?;
                host.remove_record(&record_name(claim)).await.map(drop)
            });
            done.extend(cleaned.await);
        }
        gravest(done).map(drop)
    }
}
