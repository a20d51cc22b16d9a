//! How each step is done. What it must guarantee is in the documentation of the planner.

use std::collections::BTreeSet;

use super::site::PROGRAM;
use super::{Backups, Look};
use crate::actions::{Act, former_key, record_name, remove_service, run_service, write_record};
use crate::domain::backup::hosts::Step;
use crate::domain::name::Name;
use crate::engine::gravest;
use crate::host::messages::service_request::Action;
use crate::host::{HostError, Locked};

/// How the names of manifests end.
const MANIFEST: &str = ".json";

impl Backups<'_> {
    pub(super) async fn perform_step(&mut self, step: &Step) -> Result<(), HostError> {
        match step {
            Step::Claim(hosts) => self.record(hosts, false).await,
            Step::Record(hosts) => self.record(hosts, true).await,
            Step::Write(hosts) => self.write(hosts).await,
            Step::Take(host) => self.take(host).await,
            Step::Start(hosts) => self.start(hosts).await,
            Step::Retire(hosts) => {
                let keys = self.keys(hosts, true);
                self.clean(&keys, false).await
            }
            Step::Dismantle { hosts, purges } => {
                let keys = hosts.iter().flat_map(|it| [it.to_string(), former_key(it)]);
                // What is there and not ours stays as it is.
                let is_ours = |it: &String| self.looks.get(it).is_some_and(Look::is_ours);
                let keys = keys.filter(is_ours).collect();
                self.clean(&keys, *purges).await
            }
        }
    }

    async fn record(&mut self, hosts: &[Name], is_complete: bool) -> Result<(), HostError> {
        let keys = self.keys(hosts, false);
        let (claim, record) = (&self.setup.own.claim, self.setup.own.record(is_complete));
        let written = async |_, host: Locked| write_record(&host, claim, &record).await;
        gravest(self.fleet.some(&keys, written).await).map(drop)
    }

    async fn write(&mut self, hosts: &[Name]) -> Result<(), HostError> {
        let keys = self.keys(hosts, false);
        let (looks, digests) = (&self.looks, &self.digests);
        let written = async |key: String, host: Locked| {
            let Some(look) = looks.get(&key) else { return Ok(()) };
            if digests.get(&look.architecture) != look.program.as_ref() {
                host.place_agent(PROGRAM).await?;
            }
            for file in &look.files {
                directory_of(&host, &file.path, 0o755).await?;
                host.put(file.clone()).await?;
            }
            host.service(Action::ReadUnits, "").await.map(drop)
        };
        gravest(self.fleet.some(&keys, written).await).map(drop)
    }

    async fn take(&mut self, host: &Name) -> Result<(), HostError> {
        let path = self.setup.settings_path();
        let taken = async |_, host: Locked| host.back_up(&path).await;
        let taken = self.fleet.some(&self.keys(std::slice::from_ref(host), false), taken).await;
        for (key, text) in gravest(taken)? {
            let text = String::from_utf8_lossy(&text).into_owned();
            tracing::info!(host = key, manifest = text, "a verified snapshot is kept");
        }
        self.is_taken = true;
        Ok(())
    }

    async fn start(&mut self, hosts: &[Name]) -> Result<(), HostError> {
        let keys = self.keys(hosts, false);
        let (looks, unit) = (&self.looks, self.setup.unit());
        let started = async |key: String, host: Locked| {
            let Some(look) = looks.get(&key) else { return Ok(()) };
            let act = if look.has_unit() && look.is_up() { Act::Restart } else { Act::Start };
            run_service(&host, &unit, act, &look.stamp()).await
        };
        gravest(self.fleet.some(&keys, started).await).map(drop)
    }

    /// The record goes last: until then the next run knows whose this is.
    async fn clean(&mut self, keys: &BTreeSet<String>, purges: bool) -> Result<(), HostError> {
        let setup = &self.setup;
        let names = (setup.cluster.as_str(), setup.name.as_str());
        let done = self.fleet.some(keys, async |_, host| {
            remove_service(&host, &setup.unit()).await?;
            if purges {
                for backup in host.backups(setup.directory(), names).await? {
                    // The data first: what is left does not count.
                    let mut files = backup.files;
                    files.sort_by_key(|it| it.ends_with(MANIFEST));
                    for file in files {
                        host.remove(&format!("{}/{file}", setup.directory()), false).await?;
                    }
                }
            }
            host.remove(&setup.settings_path(), false).await?;
            host.remove_record(&record_name(&setup.own.claim)).await.map(drop)
        });
        gravest(done.await).map(drop)
    }
}

async fn directory_of(host: &Locked, path: &str, mode: u32) -> Result<(), HostError> {
    let Some((directory, _)) = path.rsplit_once('/') else { return Ok(()) };
    host.make_directory(directory, mode, ("", ""), true).await.map(drop)
}
