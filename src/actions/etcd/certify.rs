//! Keys and certificates: what the planner of certificates wants, until it is content.

use std::collections::{BTreeMap, BTreeSet};

use super::look::now;
use super::setup::Setup;
use super::site::{Site, USER};
use super::{EtcdCluster, Look};
use crate::actions::is_former;
use crate::actions::signing::{request, subject};
use crate::domain::Next;
use crate::domain::pki::{self, Desired, Leaf, Step, Wish};
use crate::engine::gravest;
use crate::host::{File, HostError, Locked};

/// Authority, copies, keys, leaves, and what is lost in between. More is a planner that is never content.
const MOST_STEPS: usize = 12;

/// What all wanted hosts are to have.
///
/// # Errors
/// What no certificate can say, in words.
pub(super) fn desired(
    setup: &Setup,
    sites: &BTreeMap<String, Site>,
    looks: &BTreeMap<String, Look>,
) -> Result<Desired, String> {
    let wanted = sites.iter().filter(|(key, _)| !is_former(key));
    let wish = |(key, site): (&String, &Site)| {
        let runs = looks.get(key).and_then(Look::listens);
        let leaves = setup.leaves(site, runs).map_err(|it| it.to_string())?;
        Ok((key.clone(), Wish { holds_authority: true, leaves }))
    };
    let hosts = wanted.map(wish).collect::<Result<_, String>>()?;
    Desired::new(setup.authority(), hosts).map_err(|it| it.to_string())
}

pub(super) fn observed(
    sites: &BTreeMap<String, Site>,
    looks: &BTreeMap<String, Look>,
) -> pki::Observed {
    let seen = |key: &String| looks.get(key).map(|it| it.pki.clone());
    pki::Observed { now: now(), hosts: sites.keys().map(|it| (it.clone(), seen(it))).collect() }
}

impl EtcdCluster<'_> {
    pub(super) async fn certify(&mut self, on: &str) -> Result<(), HostError> {
        let host = self.sites[on].host.clone();
        let refused = |reason: String| {
            let call = "certify".to_owned();
            HostError::Failed { host: host.clone(), call, reason }
        };
        let desired = desired(&self.setup, &self.sites, &self.looks).map_err(refused)?;
        for _ in 0..MOST_STEPS {
            self.look().await;
            match pki::next(&desired, &observed(&self.sites, &self.looks)) {
                Next::Done | Next::Wait(_) => return self.copy_certificates().await,
                Next::Refuse(refusal) => return Err(refused(refusal.to_string())),
                Next::Act(step) => self.make(&desired, &step).await?,
            }
        }
        Err(refused("it does not come to an end".to_owned()))
    }

    async fn make(&mut self, desired: &Desired, step: &Step) -> Result<(), HostError> {
        let sites = &self.sites;
        let days = u32::try_from(desired.authority().lifetime.whole_days()).unwrap_or(u32::MAX);
        match step {
            Step::MakeAuthority { on } => {
                let name = &desired.authority().common_name;
                let made = self.fleet.one(on, async |key, host| {
                    let site = &sites[&key];
                    make_folder(&host, site).await?;
                    host.make_authority(&site.authority(), name, days).await
                });
                made.await.map(drop)
            }
            Step::CopyAuthority { from, to } => self.copy(from, to, &["key", "crt"]).await,
            Step::Trust { from, to } => self.copy(from, to, &["crt"]).await,
            Step::MakeKeys(leaves) => {
                let made = self
                    .fleet
                    .some(&hosts(leaves), async |key, host| {
                        let site = &sites[&key];
                        make_folder(&host, site).await?;
                        for leaf in leaves.iter().filter(|it| it.host == key) {
                            host.make_key(&site.key(&leaf.name), (USER, USER)).await?;
                        }
                        Ok(())
                    })
                    .await;
                gravest(made).map(drop)
            }
            Step::Certify { by, leaves } => self.sign(desired, by, leaves).await,
        }
    }

    /// Through memory alone; the key goes first.
    async fn copy(&mut self, from: &str, to: &[String], parts: &[&str]) -> Result<(), HostError> {
        let sites = &self.sites;
        let read = self.fleet.one(from, async |key, host| {
            let mut contents = Vec::new();
            for part in parts {
                let path = format!("{}/ca.{part}", sites[&key].authority());
                contents.push(host.read(&path, 1 << 16).await?.content);
            }
            Ok(contents)
        });
        let contents = read.await?.unwrap_or_default();
        let to = to.iter().cloned().collect();
        let put = self.fleet.some(&to, async |key, host| {
            let site = &sites[&key];
            make_folder(&host, site).await?;
            host.make_directory(&site.authority(), 0o755, ("", ""), false).await?;
            for (part, content) in parts.iter().zip(&contents) {
                let path = format!("{}/ca.{part}", site.authority());
                let mode = if *part == "key" { 0o600 } else { 0o644 };
                let content = content.to_vec();
                host.put(File { path, content, mode, ..File::default() }).await?;
            }
            Ok(())
        });
        gravest(put.await).map(drop)
    }

    async fn sign(
        &mut self,
        desired: &Desired,
        by: &str,
        leaves: &[Leaf],
    ) -> Result<(), HostError> {
        let sites = &self.sites;
        let profile = |leaf: &Leaf| desired.hosts().get(&leaf.host)?.leaves.get(&leaf.name);
        let asked = self
            .fleet
            .some(&hosts(leaves), async |key, host| {
                let mut requests = Vec::new();
                for leaf in leaves.iter().filter(|it| it.host == key) {
                    let Some(profile) = profile(leaf) else { continue };
                    let csr = host.make_csr(&sites[&key].key(&leaf.name), subject(profile)).await?;
                    requests.push((leaf.clone(), request(profile, sites[by].authority(), csr)));
                }
                Ok(requests)
            })
            .await;
        let requests: Vec<_> = gravest(asked)?.into_values().flatten().collect();
        let signed = self.fleet.one(by, async |_, host| {
            let mut made = Vec::new();
            for (leaf, request) in &requests {
                made.push((leaf.clone(), host.sign(request.clone()).await?));
            }
            Ok(made)
        });
        let signed = signed.await?.unwrap_or_default();
        let put = self
            .fleet
            .some(&hosts(leaves), async |key, host| {
                for (leaf, pem) in signed.iter().filter(|(leaf, _)| leaf.host == key) {
                    let path = sites[&key].certificate(&leaf.name);
                    let content = pem.clone().into_bytes();
                    host.put(File { path, content, mode: 0o644, ..File::default() }).await?;
                }
                Ok(())
            })
            .await;
        gravest(put).map(drop)
    }

    /// The authority's certificate beside the leaves, where members look for it.
    async fn copy_certificates(&mut self) -> Result<(), HostError> {
        let (sites, looks) = (&self.sites, &self.looks);
        let wanted = looks.keys().filter(|it| !is_former(it)).cloned().collect();
        let put = self.fleet.some(&wanted, async |key, host| {
            let Some(pem) = looks[&key].authority() else { return Ok(()) };
            let path = sites[&key].certificate("ca");
            let content = pem.into_bytes();
            host.put(File { path, content, mode: 0o644, ..File::default() }).await.map(drop)
        });
        gravest(put.await).map(drop)
    }
}

async fn make_folder(host: &Locked, site: &Site) -> Result<(), HostError> {
    host.ensure_user(USER, USER, site.data_dir()).await?;
    host.make_directory(&site.certificates(), 0o755, ("", ""), true).await.map(drop)
}

fn hosts(leaves: &[Leaf]) -> BTreeSet<String> {
    leaves.iter().map(|it| it.host.clone()).collect()
}
