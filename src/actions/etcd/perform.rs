//! How each step is done. What it must guarantee is in the documentation of the planner.

use std::collections::{BTreeMap, BTreeSet};

use super::EtcdCluster;
use super::leaving::Data;
use super::members::explain;
use super::notes::{Notes, first_ids};
use super::site::{Initial, Site, USER};
use crate::actions::notes::Journal as _;
use crate::actions::{former_key, write_record};
use crate::domain::etcd::{MemberId, Name, PeerUrl, Step, Token, Version};
use crate::engine::gravest;
use crate::host::messages::service_request::Action;
use crate::host::{HostError, Locked};
use crate::remote::etcd::{AlarmType, Members};

impl EtcdCluster<'_> {
    pub(super) async fn perform_step(&mut self, step: &Step) -> Result<(), HostError> {
        match step {
            Step::Claim { hosts } => self.claim(&Self::keys(hosts)).await,
            Step::Discard { hosts } => self.clean(&Self::keys(hosts), Data::Aside).await,
            Step::Certify { hosts } => match hosts.first() {
                Some(first) => self.certify(first.as_str()).await,
                None => Ok(()),
            },
            Step::Stage { hosts, version } => self.stage(&Self::keys(hosts), *version).await,
            Step::Prepare { hosts, version } => self.prepare(&Self::keys(hosts), *version).await,
            Step::Rewrite { hosts } => {
                self.write_units(&Self::keys(hosts), self.setup.desired.version, None).await
            }
            Step::Bootstrap { hosts } => self.bootstrap(&Self::keys(hosts)).await,
            Step::RecordFormed { hosts } => self.record_formed(&Self::keys(hosts)).await,
            Step::Start { hosts } => {
                let keys = self.present_keys(hosts);
                self.run(&keys, Action::Start).await
            }
            Step::Restart { host } => {
                self.run(&BTreeSet::from([host.to_string()]), Action::Restart).await
            }
            Step::Reconfigure { host, version } => {
                let keys = BTreeSet::from([host.to_string()]);
                self.write_units(&keys, *version, None).await?;
                self.start(&keys, Action::Restart, Some(*version)).await
            }
            Step::AddLearner { host, peer_url } => self.add_learner(host, peer_url).await,
            Step::StartLearner { host } => self.start_learner(host).await,
            Step::Promote { member, .. } => {
                self.note_voters(Some(*member), None).await?;
                let (api, host) = self.voter(*member)?;
                api.promote(member.0).await.map_err(|it| explain(host, it))
            }
            Step::DropLearner { member, .. } => self.remove(*member, true).await,
            Step::StartOver { host, member } => {
                self.remove(*member, true).await?;
                let left = self.list_now().await?;
                if left.members.iter().any(|it| it.id == member.0) {
                    return Ok(());
                }
                self.move_aside(&BTreeSet::from([host.to_string()])).await
            }
            Step::RemoveMember { member, .. } => {
                self.remove(*member, false).await?;
                self.note_voters(None, Some(*member)).await
            }
            Step::MoveLeader { member, .. } => {
                let (api, host) = self.leader()?;
                api.move_leader(member.0).await.map_err(|it| explain(host, it))
            }
            Step::MoveAside { host } => self.move_aside(&BTreeSet::from([host.to_string()])).await,
            Step::Retire { host } => {
                self.clean(&BTreeSet::from([former_key(host)]), Data::Aside).await
            }
            Step::UpdatePeerUrl { host, member, peer_url } => {
                let address = self.sites[host.as_str()].place.address;
                self.note(&BTreeSet::from([host.to_string()]), |_, it| it.told = Some(address))
                    .await?;
                let (api, host) = self.voter(MemberId(0))?;
                api.update(member.0, peer_url.as_str()).await.map_err(|it| explain(host, it))
            }
            Step::Snapshot { from, .. } => self.snapshot(from).await,
            Step::CutLog { hosts, .. } => self.cut_logs(&Self::keys(hosts)).await,
            Step::Disarm { member } => {
                let (api, host) = self.voter(MemberId(0))?;
                let done = api.disarm(member.0, AlarmType::Corrupt).await;
                done.map_err(|it| explain(host, it))
            }
            Step::Record { hosts } => self.record(&Self::keys(hosts)).await,
            Step::Dismantle { hosts, is_purged } => {
                let data = if *is_purged { Data::Deleted } else { Data::Aside };
                let former = hosts.iter().map(former_key);
                let keys = hosts.iter().map(ToString::to_string).chain(former);
                // What is there and not ours stays as it is.
                let is_ours = |it: &String| self.looks.get(it).is_some_and(|it| it.facts.is_ours());
                let keys = keys.filter(is_ours).collect();
                self.clean(&keys, data).await
            }
        }
    }

    /// The wanted hosts of these names; the former one where there is no other.
    fn present_keys(&self, names: &[Name]) -> BTreeSet<String> {
        let key = |it: &Name| {
            if self.sites.contains_key(it.as_str()) { it.to_string() } else { former_key(it) }
        };
        names.iter().map(key).collect()
    }

    /// Changes the notes of these hosts.
    pub(super) async fn note(
        &mut self,
        keys: &BTreeSet<String>,
        edit: impl Fn(&Site, &mut Notes) + Sync,
    ) -> Result<(), HostError> {
        let (sites, looks, claim) = (&self.sites, &self.looks, &self.setup.own.claim);
        let done = self.fleet.some(keys, async |key, host| {
            let mut notes = looks.get(&key).map(|it| it.notes.clone()).unwrap_or_default();
            edit(&sites[&key], &mut notes);
            notes.put(&host, claim).await?;
            Ok(notes)
        });
        for (key, notes) in gravest(done.await)? {
            if let Some(look) = self.looks.get_mut(&key) {
                look.notes = notes;
            }
        }
        Ok(())
    }

    /// Before a vote is given, and after one was taken.
    async fn note_voters(
        &mut self,
        comes: Option<MemberId>,
        goes: Option<MemberId>,
    ) -> Result<(), HostError> {
        let members = self.round.cluster().into_iter().flat_map(|it| it.members);
        let voters = members.filter(|it| !it.is_learner).map(|it| it.id);
        let voters = voters.chain(comes).filter(|it| Some(*it) != goes).map(|it| it.0);
        let voters: BTreeSet<u64> = voters.collect();
        let ours = self.looks.iter().filter(|(_, it)| it.facts.is_ours());
        let keys = ours.map(|(key, _)| key.clone()).collect();
        let notes = || self.looks.values().map(|it| &it.notes);
        let generation = notes().map(|it| it.generation).max().unwrap_or_default();
        let revision = notes().map(|it| it.revision).max().unwrap_or_default();
        self.note(&keys, |_, it| {
            it.voters.clone_from(&voters);
            // Whoever came later remembers it too, when nobody else is left.
            (it.generation, it.revision) = (generation, revision);
        })
        .await
    }

    async fn claim(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        let known = self.looks.values().find_map(|it| it.notes.token.clone());
        let token = known.map_or_else(crate::actions::random_id, Ok);
        let token = token.map_err(|reason| {
            let (host, call) = (self.setup.called.clone(), "claim".to_owned());
            HostError::Failed { host, call, reason }
        })?;
        self.note(keys, |_, it| it.token = Some(token.clone())).await?;
        let (claim, record) = (&self.setup.own.claim, self.setup.own.record(false));
        let done = self.fleet.some(keys, async |_, host| write_record(&host, claim, &record).await);
        gravest(done.await).map(drop)
    }

    fn token(&self) -> Token {
        let token = self.looks.values().find_map(|it| it.notes.token.clone());
        Token(token.unwrap_or_default())
    }

    pub(super) fn seeds(&self) -> BTreeMap<Name, PeerUrl> {
        let desired = &self.setup.desired;
        desired.members.iter().map(|(name, at)| (name.clone(), desired.peer_url(*at))).collect()
    }

    /// Those of the list, by their names; a member without one is that of `newcomer`.
    fn listed(list: &Members, newcomer: Option<&Site>) -> BTreeMap<Name, PeerUrl> {
        let entry = |it: &crate::remote::etcd::Member| {
            let url = PeerUrl::listed(it.peer_urls.first()?);
            let own = newcomer.filter(|site| site.peer_url == url).map(|it| it.name.clone());
            Some((own.or_else(|| it.name.parse().ok())?, url))
        };
        list.members.iter().filter_map(entry).collect()
    }

    async fn prepare(
        &mut self,
        keys: &BTreeSet<String>,
        version: Version,
    ) -> Result<(), HostError> {
        let initial = match self.round.cluster() {
            Some(_) => {
                let list = self.list_now().await?;
                let members = Self::listed(&list, None);
                self.note(keys, |_, it| it.is_formed = true).await?;
                Initial::new(&self.setup.desired, &self.token(), &members, false)
            }
            None => Initial::new(&self.setup.desired, &self.token(), &self.seeds(), true),
        };
        self.write_units(keys, version, Some(initial)).await
    }

    /// Folders and units. Without `initial` what a first start reads stays as it is.
    pub(super) async fn write_units(
        &mut self,
        keys: &BTreeSet<String>,
        version: Version,
        initial: Option<Initial>,
    ) -> Result<(), HostError> {
        let (sites, looks, desired) = (&self.sites, &self.looks, &self.setup.desired);
        let token = self.token();
        let existing = self.round.cluster().is_some();
        let done = self.fleet.some(keys, async |key, host| {
            let site = &sites[&key];
            make_folders(&host, site).await?;
            let kept = looks.get(&key).map(|it| it.initial.clone()).unwrap_or_default();
            let initial = match &initial {
                Some(initial) => initial.clone(),
                // Somebody has removed the file. With data there nothing reads it.
                None if kept == Initial::default() && existing => {
                    Initial::new(desired, &token, &BTreeMap::new(), false)
                }
                None => kept,
            };
            let file = site.unit_file(desired, version, initial);
            let file = file.map_err(|err| HostError::Failed {
                host: host.name().clone(),
                call: format!("write {}", site.unit()),
                reason: err.to_string(),
            })?;
            host.make_directory("/etc/systemd/system", 0o755, ("", ""), true).await?;
            host.put(file).await?;
            host.service(Action::ReadUnits, "").await.map(drop)
        });
        gravest(done.await).map(drop)
    }

    /// Starts it with what is on disk.
    async fn run(&mut self, keys: &BTreeSet<String>, action: Action) -> Result<(), HostError> {
        self.start(keys, action, None).await
    }

    async fn bootstrap(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        self.prove_first_ways().await?;
        let (token, name) = (self.token(), &self.setup.desired.name);
        let (cluster, members) = first_ids(&format!("{name}-{}", token.0), &self.seeds());
        let voters: BTreeSet<u64> = members.values().map(|it| it.0).collect();
        self.note(keys, |site, it| {
            it.cluster = Some(cluster.0);
            it.member = members.get(&site.name).map(|it| it.0);
            it.voters.clone_from(&voters);
            it.told = Some(site.place.address);
        })
        .await?;
        self.run(keys, Action::Start).await
    }

    async fn record_formed(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        let list = self.list_now().await?;
        let members = Self::listed(&list, None);
        let initial = Initial::new(&self.setup.desired, &self.token(), &members, false);
        let voters: BTreeSet<u64> =
            list.members.iter().filter(|it| !it.is_learner).map(|it| it.id).collect();
        self.note(keys, |_, it| {
            it.is_formed = true;
            it.cluster = Some(list.cluster);
            it.voters.clone_from(&voters);
        })
        .await?;
        for key in keys {
            let on_disk = self.looks.get(key).and_then(|it| it.facts.on_disk);
            let version = on_disk.map_or(self.setup.desired.version, |it| it.version);
            let one = BTreeSet::from([key.clone()]);
            self.write_units(&one, version, Some(initial.clone())).await?;
        }
        Ok(())
    }

    async fn add_learner(&mut self, name: &Name, peer_url: &PeerUrl) -> Result<(), HostError> {
        self.prove_ways_of(name).await?;
        let address = self.sites[name.as_str()].place.address;
        self.note(&BTreeSet::from([name.to_string()]), |_, it| it.told = Some(address)).await?;
        let (api, host) = self.voter(MemberId(0))?;
        api.add_learner(peer_url.as_str()).await.map_err(|it| explain(host, it))
    }

    async fn start_learner(&mut self, name: &Name) -> Result<(), HostError> {
        let list = self.list_now().await?;
        let site = self.sites[name.as_str()].clone();
        let own = |it: &&crate::remote::etcd::Member| {
            it.is_learner && it.peer_urls.iter().any(|it| it == site.peer_url.as_str())
        };
        let look = self.looks.get(name.as_str());
        let on_disk = look.and_then(|it| it.facts.on_disk);
        let is_empty = look.is_some_and(|it| it.facts.data.is_none());
        let (Some(learner), Some(on_disk), true) =
            (list.members.iter().find(own), on_disk, is_empty)
        else {
            let (host, call) = (site.host.clone(), "start its learner".to_owned());
            let reason = "it is in no list of members any more, or has data".to_owned();
            return Err(HostError::Failed { host, call, reason });
        };
        let keys = BTreeSet::from([name.to_string()]);
        let (cluster, member) = (list.cluster, learner.id);
        self.note(&keys, |_, it| {
            (it.cluster, it.member) = (Some(cluster), Some(member));
        })
        .await?;
        self.clear_log(&keys, learner.id).await?;
        let members = Self::listed(&list, Some(&site));
        let initial = Initial::new(&self.setup.desired, &self.token(), &members, false);
        self.write_units(&keys, on_disk.version, Some(initial)).await?;
        self.start(&keys, Action::Start, Some(on_disk.version)).await
    }

    async fn remove(&mut self, member: MemberId, is_learner: bool) -> Result<(), HostError> {
        let list = self.list_now().await?;
        let found = list.members.iter().find(|it| it.id == member.0);
        if found.is_none_or(|it| it.is_learner != is_learner) {
            return Ok(());
        }
        let (api, host) = self.voter(member)?;
        api.remove(member.0).await.map_err(|it| explain(host, it))
    }

    async fn record(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        self.note_voters(None, None).await?;
        let (looks, setup) = (&self.looks, &self.setup);
        let done = self.fleet.some(keys, async |key, host| {
            let mut record = setup.own.record(true);
            if let Some(look) = looks.get(&key) {
                record.consumers.clone_from(&look.consumers);
            }
            write_record(&host, &setup.own.claim, &record).await
        });
        gravest(done.await).map(drop)
    }
}

async fn make_folders(host: &Locked, site: &Site) -> Result<(), HostError> {
    host.ensure_user(USER, USER, site.data_dir()).await?;
    for path in site.data_dirs() {
        host.make_directory(path, 0o700, (USER, USER), true).await?;
    }
    Ok(())
}
