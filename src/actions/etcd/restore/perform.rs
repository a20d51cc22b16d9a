//! How each step is done. What it must guarantee is in the documentation of the planner.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Look;
use super::super::notes::{Restoring, first_ids};
use super::super::site::{Initial, PROGRAMS, USER};
use super::Restore;
use crate::actions::{former_key, is_former, random_id};
use crate::domain::artifacts::Digest;
use crate::domain::etcd::restore::{Begun, Step, bump, mark, staged};
use crate::domain::etcd::{ClusterId, MemberId, Name, PeerUrl, Token};
use crate::engine::gravest;
use crate::host::messages::service_request::Action;
use crate::host::messages::{PrepareMemberRequest, SwitchMemberRequest};
use crate::host::{Feed, HostError};

impl Restore<'_, '_> {
    pub(super) async fn perform_step(&mut self, step: &Step) -> Result<(), HostError> {
        let keys = |hosts: &[Name]| hosts.iter().map(ToString::to_string).collect();
        match step {
            Step::Outfit(step) => self.cluster.perform_step(step).await,
            Step::Find { .. } => self.find().await,
            Step::Begin { hosts, like } => self.begin(&keys(hosts), like.as_ref()).await,
            Step::Bring { hosts } => self.bring(&keys(hosts)).await,
            Step::Prepare { hosts } => self.prepare(&keys(hosts)).await,
            Step::StopClients { .. } => self.stop_clients().await,
            Step::StartClients { .. } => self.start_clients().await,
            Step::Stop { hosts, former } => {
                let mut all: BTreeSet<String> = keys(hosts);
                all.extend(former.iter().map(former_key));
                self.cluster.stop(&all).await
            }
            Step::Switch { hosts } => self.switch(&keys(hosts)).await,
            Step::Start { hosts } => self.start(&keys(hosts)).await,
            Step::Finish { hosts, generation } => self.finish(&keys(hosts), *generation).await,
        }
    }

    /// The members of the cluster that it makes, by their names.
    fn seeds(&self) -> BTreeMap<Name, PeerUrl> {
        self.cluster.seeds()
    }

    fn ids(&self, token: &Token) -> (ClusterId, BTreeMap<Name, MemberId>) {
        first_ids(&self.token_of(token), &self.seeds())
    }

    /// As etcd is told.
    fn token_of(&self, token: &Token) -> String {
        format!("{}-{}", self.cluster.setup.desired.name, token.0)
    }

    /// What was begun, as one of the hosts has it.
    fn begun(&self) -> Result<Begun, HostError> {
        let noted = |it: &Look| it.notes.restoring.as_ref().map(Restoring::begun);
        let wanted = self.cluster.looks.iter().filter(|(key, _)| !is_former(key));
        let begun = wanted.map(|it| it.1).find_map(noted);
        begun.ok_or_else(|| self.lost("nothing was begun"))
    }

    fn lost(&self, reason: &str) -> HostError {
        HostError::Failed {
            host: self.cluster.setup.called.clone(),
            call: "restore".to_owned(),
            reason: reason.to_owned(),
        }
    }

    async fn begin(
        &mut self,
        keys: &BTreeSet<String>,
        like: Option<&Begun>,
    ) -> Result<(), HostError> {
        let (begun, has_file) = match (like, &self.found) {
            (Some(begun), _) => (begun.clone(), None),
            (None, Some((found, key))) => {
                let token = Token(random_id().map_err(|it| self.lost(&it))?);
                let noted = self.cluster.looks.values().map(|it| it.notes.revision);
                let told = self.cluster.sites.keys();
                let told = told.filter_map(|it| self.cluster.status_on(it).ok());
                let highest = noted.chain(told.map(|it| it.revision)).max().unwrap_or_default();
                let wanted = &self.terms.wanted;
                let begun = Begun {
                    generation: wanted.generation,
                    source: wanted.source.clone(),
                    cluster: self.ids(&token).0,
                    token,
                    digest: found.digest.clone(),
                    size: found.size,
                    bump: bump(wanted.generation, found.revision, highest),
                };
                (begun, Some(key.clone()))
            }
            (None, None) => return Err(self.lost("no snapshot was found")),
        };
        let holder = has_file.and_then(|it| self.cluster.sites.get(&it));
        let holder = holder.map(|it| it.name.clone());
        self.cluster
            .note(keys, |site, notes| {
                let before = notes.restoring.as_ref().filter(|it| it.begun() == begun);
                let had = before.is_some_and(|it| it.has_file);
                let has_file = had || holder.as_ref() == Some(&site.name);
                notes.restoring = Some(Restoring::new(&begun, has_file));
            })
            .await
    }

    async fn bring(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        let begun = self.begun()?;
        let path = staged(&self.cluster.setup.desired.name);
        let digest: Digest = begun.digest.parse().map_err(|_| self.lost("it has no digest"))?;
        let has_file = |it: &Look| {
            it.notes.restoring.as_ref().is_some_and(|it| it.has_file && it.begun() == begun)
        };
        let holder = self.cluster.looks.iter().find(|(_, it)| has_file(it));
        let holder = holder.map(|it| it.0.clone());
        let holder = holder.ok_or_else(|| self.lost("no host has the snapshot"))?;
        let from = self.host(&holder).await?;
        let brought = self.cluster.fleet.some(keys, async |_, host| {
            let feed = Feed::There(from.clone(), path.clone());
            host.put_snapshot(&path, (digest.bytes(), begun.size), feed).await
        });
        gravest(brought.await)?;
        self.cluster
            .note(keys, |_, notes| notes.restoring = Some(Restoring::new(&begun, true)))
            .await
    }

    async fn prepare(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        let (begun, seeds) = (self.begun()?, self.seeds());
        let desired = self.cluster.setup.desired.clone();
        // Without its data a member must never found a cluster of its own.
        let initial = Initial::new(&desired, &begun.token, &seeds, false);
        self.cluster.write_units(keys, desired.version, Some(initial)).await?;
        let members: Vec<_> = seeds.iter().map(|(name, url)| format!("{name}={url}")).collect();
        let (members, token) = (members.join(","), self.token_of(&begun.token));
        let digest: Digest = begun.digest.parse().map_err(|_| self.lost("it has no digest"))?;
        let sites = &self.cluster.sites;
        let prepared = self.cluster.fleet.some(keys, async |key, host| {
            let site = &sites[&key];
            let request = PrepareMemberRequest {
                snapshot: staged(&desired.name).into(),
                digest: digest.bytes().to_vec().into(),
                programs: format!("{PROGRAMS}/{}", desired.version).into(),
                name: site.name.to_string(),
                initial_cluster: members.clone(),
                token: token.clone(),
                peer_url: site.peer_url.to_string(),
                data_dir: site.data_dir().to_owned().into(),
                wal_dir: site.wal_dir().unwrap_or_default().to_owned().into(),
                bump: begun.bump,
                user: USER.to_owned(),
                group: USER.to_owned(),
                mark: mark(&begun),
                ..PrepareMemberRequest::default()
            };
            host.prepare_member(request).await
        });
        gravest(prepared.await).map(drop)
    }

    async fn switch(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        let begun = self.begun()?;
        let sites = &self.cluster.sites;
        let label = format!("before-{}", begun.token.0);
        let switched = self.cluster.fleet.some(keys, async |key, host| {
            let site = &sites[&key];
            let request = SwitchMemberRequest {
                data_dir: site.data_dir().to_owned().into(),
                wal_dir: site.wal_dir().unwrap_or_default().to_owned().into(),
                label: label.clone(),
                mark: mark(&begun),
                ..SwitchMemberRequest::default()
            };
            host.switch_member(request).await
        });
        for (key, aside) in gravest(switched.await)? {
            let path = aside.unwrap_or_else(|| "nowhere: there was nothing".to_owned());
            tracing::info!(host = key, path, "what was there before the restore is kept");
        }
        Ok(())
    }

    async fn start(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        let begun = self.begun()?;
        let (cluster, members) = self.ids(&begun.token);
        let voters: BTreeSet<u64> = members.values().map(|it| it.0).collect();
        self.cluster
            .note(keys, |site, it| {
                it.token = Some(begun.token.0.clone());
                (it.cluster, it.is_formed) = (Some(cluster.0), true);
                it.member = members.get(&site.name).map(|it| it.0);
                it.voters.clone_from(&voters);
                (it.told, it.started) = (Some(site.place.address), None);
            })
            .await?;
        let version = self.cluster.setup.desired.version;
        self.cluster.start(keys, Action::Start, Some(version)).await
    }

    async fn finish(&mut self, keys: &BTreeSet<String>, generation: u64) -> Result<(), HostError> {
        let path = staged(&self.cluster.setup.desired.name);
        let removed =
            self.cluster.fleet.some(keys, async |_, host| host.remove(&path, false).await);
        gravest(removed.await)?;
        let told = self.cluster.sites.keys().filter_map(|it| self.cluster.status_on(it).ok());
        let revision = told.map(|it| it.revision).max().unwrap_or_default();
        self.cluster
            .note(keys, |_, it| {
                (it.generation, it.restoring) = (generation, None);
                it.revision = it.revision.max(revision);
            })
            .await
    }
}
