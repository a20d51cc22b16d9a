//! Hosts and data that are left.

use std::collections::BTreeSet;

use super::EtcdCluster;
use super::consumers::Consumers;
use super::notes::Notes;
use crate::actions::notes::Journal as _;
use crate::actions::record_name;
use crate::actions::services::LONGEST_STOP;
use crate::domain::etcd::kept;
use crate::engine::gravest;
use crate::host::HostError;
use crate::host::messages::service_request::Action;

/// What becomes of the data of a host that is left.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Data {
    Aside,
    Deleted,
}

impl EtcdCluster<'_> {
    /// Stops the members of these hosts; nor do they start when their hosts do. Whoever leads goes last: as long as it sees
    /// others it waits for one to take over (`TryTransferLeadershipOnShutdown` of etcd), which none of these does.
    pub(super) async fn stop(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        let sites = &self.sites;
        let disabled = self
            .fleet
            .some(keys, async |key, host| host.service(Action::Disable, &sites[&key].unit()).await);
        gravest(disabled.await)?;
        let leads = |it: &String| self.status_on(it).is_ok_and(|it| it.is_leader);
        let (leaders, others): (BTreeSet<_>, BTreeSet<_>) = keys.iter().cloned().partition(leads);
        for turn in [others, leaders] {
            let sites = &self.sites;
            let stopped = self.fleet.some(&turn, async |key, host| {
                host.service_within(Action::Stop, &sites[&key].unit(), LONGEST_STOP).await
            });
            gravest(stopped.await)?;
        }
        Ok(())
    }

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
        let is_up = |it: &&String| self.looks.get(*it).is_some_and(|it| !it.facts.unit.is_down());
        let up = keys.iter().filter(is_up).cloned().collect();
        self.stop(&up).await?;
        let (sites, looks, claim) = (&self.sites, &self.looks, &self.setup.own.claim);
        let name = &self.setup.desired.name;
        let done = self.fleet.some(keys, async |key, host| {
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
        gravest(done.await).map(drop)
    }
}
