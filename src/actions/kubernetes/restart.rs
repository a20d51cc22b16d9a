//! What components run and read: tried, written, started, and put back.

use std::collections::{BTreeMap, BTreeSet};

use super::notes::{Notes, Previous, Started};
use super::rehearse::rehearse;
use super::site::{Site, Wanted};
use super::{ControlPlane, Look};
use crate::domain::kubernetes::{Component, Version};
use crate::domain::name::Name;
use crate::engine::gravest;
use crate::host::messages::file;
use crate::host::messages::service_request::Action;
use crate::host::{File, HostError, Locked};

/// For the service manager itself, beyond what the service may take to stop.
const MARGIN: u64 = 30;

impl ControlPlane<'_> {
    /// What a component is to have on the host of this key.
    fn wanted(&self, key: &str, which: Component, version: Version) -> Result<Wanted, HostError> {
        let secret = self.looks.get(key).and_then(|it| it.key.clone());
        self.sites[key].wanted(&self.setup.desired, which, version, secret.as_ref())
    }

    fn all_wanted(
        &self,
        keys: &BTreeSet<String>,
        components: &[Component],
        version: Version,
    ) -> Result<BTreeMap<String, Vec<(Component, Wanted)>>, HostError> {
        let of = |key: &String| {
            let each = components.iter().map(|it| Ok((*it, self.wanted(key, *it, version)?)));
            Ok((key.clone(), each.collect::<Result<Vec<_>, HostError>>()?))
        };
        keys.iter().map(of).collect()
    }

    /// Lets the programs judge what they are to get.
    pub(super) async fn rehearse(
        &mut self,
        keys: &BTreeSet<String>,
        components: &[Component],
        version: Version,
    ) -> Result<(), HostError> {
        let wanted = self.all_wanted(keys, components, version)?;
        let (sites, desired) = (&self.sites, &self.setup.desired);
        let tried = self.fleet.some(keys, async |key, host| {
            for (component, wanted) in &wanted[&key] {
                rehearse(&host, &sites[&key], desired, *component, (version, wanted)).await?;
            }
            Ok(())
        });
        gravest(tried.await).map(drop)
    }

    /// Files, folders and units. Nothing restarts.
    pub(super) async fn write(
        &mut self,
        keys: &BTreeSet<String>,
        components: &[Component],
        version: Version,
    ) -> Result<(), HostError> {
        let wanted = self.all_wanted(keys, components, version)?;
        let sites = &self.sites;
        let done = self.fleet.some(keys, async |key, host| {
            make_folders(&host, &sites[&key]).await?;
            for file in wanted[&key].iter().flat_map(|(_, it)| it.all()) {
                host.put(file.clone()).await?;
            }
            host.service(Action::ReadUnits, "").await.map(drop)
        });
        gravest(done.await)?;
        for (key, wanted) in wanted {
            let Some(look) = self.looks.get_mut(&key) else { continue };
            for (component, wanted) in wanted {
                let started = Started { version: version.to_string(), stamp: wanted.stamp() };
                look.on_disk.insert(component, started);
            }
        }
        Ok(())
    }

    /// Starts components with what is on disk, and notes that: a crash in between costs one more restart, never one too few.
    pub(super) async fn run(
        &mut self,
        keys: &BTreeSet<String>,
        components: &[Component],
        action: Action,
    ) -> Result<(), HostError> {
        let sites = &self.sites;
        let limit = (self.setup.desired.shutdown_delay.as_secs() + 85 + MARGIN)
            .try_into()
            .unwrap_or(u32::MAX);
        let done = self.fleet.some(keys, async |key, host| {
            let mut refused = Vec::new();
            for component in components {
                let unit = sites[&key].unit(*component);
                host.service(Action::Enable, &unit).await?;
                host.service(Action::ResetFailed, &unit).await?;
                // What the service manager refuses is told in the log. Whether it serves is seen by itself, and what does
                // not is for the planner to mend.
                match host.service_within(action, &unit, limit).await {
                    Err(error @ HostError::Failed { .. }) => {
                        tracing::warn!(host = %host.name(), %error, "a component did not come up");
                        refused.push(*component);
                    }
                    done => drop(done?),
                }
            }
            Ok(refused)
        });
        let done = gravest(done.await);
        // Also where the answer was lost: they have their time to come up.
        self.round.started(keys, components);
        let refused = done?;
        let lies = |key: &str, component: Component| {
            self.looks.get(key).and_then(|it| it.on_disk.get(&component)).cloned()
        };
        let started: BTreeMap<_, Vec<_>> = keys
            .iter()
            .map(|key| (key.clone(), components.iter().map(|it| lies(key, *it)).collect()))
            .collect();
        let runs = |look: &Look, component: Component| look.facts.part(component).running.is_some();
        let went_on: BTreeSet<_> = keys
            .iter()
            .flat_map(|key| components.iter().map(move |it| (key.clone(), *it)))
            .filter(|(key, it)| {
                action == Action::Start && self.looks.get(key).is_some_and(|look| runs(look, *it))
            })
            .collect();
        self.note(keys, |key, notes| {
            for (component, started) in components.iter().zip(&started[key]) {
                // One that ran before was not started with anything, and may run on where a restart was refused.
                let is_refused = refused.get(key).is_some_and(|it| it.contains(component));
                if !is_refused && !went_on.contains(&(key.to_owned(), *component)) {
                    notes.start(*component, started.clone());
                }
            }
        })
        .await
    }

    pub(super) async fn reconfigure(
        &mut self,
        host: &Name,
        components: &[Component],
        version: Version,
    ) -> Result<(), HostError> {
        let keys = BTreeSet::from([host.to_string()]);
        self.rehearse(&keys, components, version).await?;
        self.keep(host).await?;
        self.write(&keys, components, version).await?;
        self.run(&keys, components, Action::Restart).await
    }

    /// Copies what is there, unless something older is kept that has served. The note comes last: what it names is whole.
    async fn keep(&mut self, host: &Name) -> Result<(), HostError> {
        let key = host.to_string();
        let Some(look) = self.looks.get(&key).filter(|it| it.notes.previous.is_none()) else {
            return Ok(());
        };
        let Some(server) = look.on_disk.get(&Component::ApiServer) else { return Ok(()) };
        let version = server.version.clone();
        let parts = look.on_disk.iter();
        let parts = parts.map(|(it, lies)| (it.program().to_owned(), lies.clone())).collect();
        let previous = Previous { version, parts, is_over: false };
        let keys = BTreeSet::from([key]);
        let files = self.files(host)?;
        let sites = &self.sites;
        let kept = self.fleet.some(&keys, async |key, host| {
            let site = &sites[&key];
            host.remove(&site.previous(), true).await?;
            host.make_directory(&site.previous(), 0o700, ("", ""), true).await?;
            for file in &files {
                let Some(content) = content(&host, &file.path).await? else { continue };
                let copy = File { path: site.kept(&file.path), content, ..file.clone() };
                host.put(copy).await?;
            }
            Ok(())
        });
        gravest(kept.await)?;
        self.note(&keys, |_, it| it.previous = Some(previous.clone())).await
    }

    /// Removes what was kept. The first note says that it is not whole any more, the last one that it is gone.
    pub(super) async fn forget(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        let over = |it: &mut Notes| it.previous.iter_mut().for_each(|it| it.is_over = true);
        self.note(keys, |_, it| over(it)).await?;
        let sites = &self.sites;
        let removed = self
            .fleet
            .some(keys, async |key, host| host.remove(&sites[&key].previous(), true).await);
        gravest(removed.await)?;
        self.note(keys, |_, it| it.previous = None).await
    }

    /// Every file that a component of this node may read, as it is to be.
    fn files(&self, host: &Name) -> Result<Vec<File>, HostError> {
        let key = BTreeSet::from([host.to_string()]);
        let wanted = self.all_wanted(&key, Component::ALL, self.setup.desired.version)?;
        let all = wanted.values().flatten().flat_map(|(_, it)| it.all());
        Ok(all.cloned().collect())
    }

    pub(super) async fn put_back(&mut self, host: &Name) -> Result<(), HostError> {
        let key = host.to_string();
        let previous = self.looks.get(&key).and_then(|it| it.notes.previous.clone());
        let keys = BTreeSet::from([key.clone()]);
        if previous.as_ref().is_some_and(|it| it.is_over) {
            return self.forget(&keys).await;
        }
        // Whatever becomes of it, this is not tried once more in this run.
        self.failed.insert(host.clone());
        let Some(previous) = previous else { return Ok(()) };
        let files = self.files(host)?;
        let sites = &self.sites;
        let restored = self.fleet.some(&keys, async |key, host| {
            for file in &files {
                let kept = sites[&key].kept(&file.path);
                let Some(content) = content(&host, &kept).await? else { continue };
                host.put(File { content, ..file.clone() }).await?;
            }
            host.service(Action::ReadUnits, "").await.map(drop)
        });
        gravest(restored.await)?;
        if let Some(look) = self.looks.get_mut(&key) {
            let part = |it: &Component| Some((*it, previous.parts.get(it.program())?.clone()));
            look.on_disk = Component::ALL.iter().filter_map(part).collect();
        }
        self.run(&keys, Component::ALL, Action::Restart).await?;
        self.forget(&keys).await
    }
}

/// None: there is none.
async fn content(host: &Locked, path: &str) -> Result<Option<Vec<u8>>, HostError> {
    let read = host.read(path, 1 << 20).await?;
    let is_there = read.file.is_some_and(|it| it.kind() == file::Kind::Regular);
    Ok(is_there.then(|| read.content.to_vec()))
}

async fn make_folders(host: &Locked, site: &Site) -> Result<(), HostError> {
    let server = super::site::user(Component::ApiServer);
    host.make_directory(site.log(), 0o700, (server, server), true).await?;
    host.make_directory("/etc/systemd/system", 0o755, ("", ""), true).await.map(drop)
}
