//! How each step is done. What it must guarantee is in the documentation of the planner.

use std::collections::BTreeSet;

use super::site::{KEYS_MODE, PROGRAM};
use super::stored::message;
use super::{Backups, Look, Setup};
use crate::actions::{Act, former_key, record_name, remove_service, run_service, write_record};
use crate::domain::backup::hosts::Step;
use crate::domain::backup::leaving;
use crate::domain::name::Name;
use crate::engine::gravest;
use crate::host::messages::service_request::Action;
use crate::host::{File, HostError, Locked};

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
        let (looks, digests, setup) = (&self.looks, &self.digests, &self.setup);
        let written = async |key: String, host: Locked| {
            let Some(look) = looks.get(&key) else { return Ok(()) };
            if digests.get(&look.architecture) != look.program.as_ref() {
                host.place_agent(PROGRAM).await?;
            }
            for file in &look.files {
                directory_of(&host, &file.path, 0o755).await?;
                host.put(file.clone()).await?;
            }
            write_keys(&host, look, setup).await?;
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
        // On all hosts first: nobody brings any more what is to go.
        let ended = async |_, host: Locked| remove_service(&host, &setup.unit()).await;
        gravest(self.fleet.some(keys, ended).await)?;
        if let (true, Some(store)) = (purges, setup.store()) {
            // One for all.
            let one = keys.iter().next().cloned().into_iter().collect();
            let names = (setup.cluster.as_str(), setup.name.as_str());
            let gone = async |_, host: Locked| host.forget_backups(message(store), names).await;
            gravest(self.fleet.some(&one, gone).await)?;
        }
        let done = self.fleet.some(keys, async |_, host| {
            remove_snapshots(&host, setup, purges).await?;
            host.remove(&setup.settings_path(), false).await?;
            host.remove(&setup.keys_path(), false).await?;
            host.remove_record(&record_name(&setup.own.claim)).await.map(drop)
        });
        gravest(done.await).map(drop)
    }
}

/// Keys that are not wished go: nobody is to find them.
async fn write_keys(host: &Locked, look: &Look, setup: &Setup) -> Result<(), HostError> {
    let path = setup.keys_path();
    match setup.keys() {
        Some(keys) => {
            let (content, mode) = (keys.into_bytes(), KEYS_MODE);
            host.put(File { path, content, mode, ..File::default() }).await.map(drop)
        }
        None if look.has_keys() => host.remove(&path, false).await.map(drop),
        None => Ok(()),
    }
}

/// What waits for a store, and is not to be purged, stays: it may be the only one.
async fn remove_snapshots(host: &Locked, setup: &Setup, purges: bool) -> Result<(), HostError> {
    let directory = setup.directory();
    let names = (setup.cluster.as_str(), setup.name.as_str());
    let is_own = setup.store().is_some();
    if !purges && !is_own {
        return Ok(());
    }
    let all = host.backups(&directory, names).await?.backups;
    if is_own {
        if purges || all.is_empty() {
            host.remove(&directory, true).await?;
        }
        return Ok(());
    }
    for backup in all {
        for file in leaving(&backup.files) {
            host.remove(&format!("{directory}/{file}"), false).await?;
        }
    }
    Ok(())
}

async fn directory_of(host: &Locked, path: &str, mode: u32) -> Result<(), HostError> {
    let Some((directory, _)) = path.rsplit_once('/') else { return Ok(()) };
    host.make_directory(directory, mode, ("", ""), true).await.map(drop)
}
