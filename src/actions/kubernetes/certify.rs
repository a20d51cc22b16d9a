//! Keys and certificates: what the planner of certificates wants, for one authority after the other, until it is content.

use std::collections::{BTreeMap, BTreeSet};

use super::look::now;
use super::recovery::put_authority;
use super::site::user;
use super::{ControlPlane, Look, Setup, Site};
use crate::actions::is_former;
use crate::actions::signing::{request, subject};
use crate::domain::Next;
use crate::domain::kubernetes::{API_SERVER_LEAVES, Authority, Component};
use crate::domain::name::Name;
use crate::domain::pki::{self, Certificate, Desired, Found, Leaf, Pair, Seen, Step, Wish};
use crate::engine::gravest;
use crate::host::messages::SignRequest;
use crate::host::{File, HostError, Locked};

/// Authority, copies, keys, leaves, and what is lost in between. More is a planner that is never content.
const MOST_STEPS: usize = 12;

/// Who holds the authority of etcd: all of its hosts, which have keys of fleets of their own.
const ETCD: &str = "etcd";

const ALL: [Authority; 3] = [Authority::Cluster, Authority::FrontProxy, Authority::Etcd];

/// What these hosts are to have of an authority.
///
/// # Errors
/// What no certificate can say, in words.
fn desired(
    setup: &Setup,
    which: Authority,
    sites: &BTreeMap<String, Site>,
    keys: &BTreeSet<String>,
) -> Result<Desired, String> {
    let wish = |(key, site): (&String, &Site)| {
        let leaves = which.leaves(&setup.desired, &setup.certificates, site.place);
        let leaves = leaves.map_err(|it| it.to_string())?;
        Ok((key.clone(), Wish { holds_authority: which != Authority::Etcd, leaves }))
    };
    let wanted = sites.iter().filter(|(key, _)| keys.contains(*key));
    let mut hosts = wanted.map(wish).collect::<Result<BTreeMap<_, _>, String>>()?;
    if which == Authority::Etcd {
        hosts.insert(ETCD.to_owned(), Wish { holds_authority: true, ..Wish::default() });
    }
    Desired::new(which.made(&setup.certificates), hosts).map_err(|it| it.to_string())
}

/// What lies on these hosts and on those that are ours. `keys`: what is on them is looked at, whosever they are.
fn observed(
    setup: &Setup,
    which: Authority,
    sites: &BTreeMap<String, Site>,
    looks: &BTreeMap<String, Look>,
    keys: &BTreeSet<String>,
) -> pki::Observed {
    let seen = |key: &String| match looks.get(key) {
        None => Some(None),
        Some(look) if look.is_ours() || keys.contains(key) => Some(look.pki.get(&which).cloned()),
        Some(_) => None,
    };
    let mut hosts: BTreeMap<_, _> =
        sites.keys().filter_map(|it| Some((it.clone(), seen(it)?))).collect();
    if which == Authority::Etcd {
        // Its hosts are asked when they have to sign.
        let authority = Certificate::parse(setup.etcd.authority.as_bytes());
        let pair =
            authority.map(|it| Pair { key: Found::Is(it.public_key), certificate: Found::Is(it) });
        let seen = Seen { authority: pair.unwrap_or_default(), ..Seen::default() };
        hosts.insert(ETCD.to_owned(), Some(seen));
    }
    pki::Observed { now: now(), hosts }
}

/// What an apply would mend of the certificates of the wanted hosts, in sentences.
pub(super) fn drift(
    setup: &Setup,
    sites: &BTreeMap<String, Site>,
    looks: &BTreeMap<String, Look>,
) -> Vec<String> {
    let ours = looks.iter().filter(|(key, it)| it.is_ours() && !is_former(key));
    let keys: BTreeSet<_> = ours.map(|(key, _)| key.clone()).collect();
    if keys.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for which in ALL {
        if let Ok(desired) = desired(setup, which, sites, &keys) {
            found.extend(pki::drift(&desired, &observed(setup, which, sites, looks, &keys)));
        }
    }
    let is_torn = |key: &&String| looks.get(*key).is_some_and(|it| !it.copies.are_right());
    let torn = keys.iter().filter(is_torn).filter_map(|it| sites.get(it));
    let sentence = |it: &Site| format!("{}: copies of keys or authorities were edited", it.name);
    found.extend(torn.map(sentence));
    found.sort();
    found.dedup();
    found
}

impl ControlPlane<'_> {
    pub(super) async fn certify(&mut self, hosts: &[Name]) -> Result<(), HostError> {
        let keys = Self::keys(hosts);
        self.make_folders(&keys).await?;
        for which in ALL {
            self.settle(which, &keys).await?;
        }
        let secret = self.share_keys(&keys).await?;
        self.tell_etcd(secret.as_ref()).await;
        Ok(())
    }

    pub(super) async fn make_folders(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        let sites = &self.sites;
        let made = self.fleet.some(keys, async |key, host| {
            let site = &sites[&key];
            for component in Component::ALL {
                let user = user(*component);
                host.ensure_user(user, user, &site.folder()).await?;
            }
            for folder in ["controller-manager", "etcd"] {
                host.make_directory(&site.pki(folder), 0o755, ("", ""), true).await?;
            }
            Ok(())
        });
        gravest(made.await).map(drop)
    }

    async fn settle(&mut self, which: Authority, keys: &BTreeSet<String>) -> Result<(), HostError> {
        let refused = |called, reason: String| {
            let call = "certify".to_owned();
            HostError::Failed { host: called, call, reason }
        };
        let called = self.setup.called.clone();
        let desired = desired(&self.setup, which, &self.sites, keys)
            .map_err(|it| refused(called.clone(), it))?;
        for _ in 0..MOST_STEPS {
            self.look().await;
            let observed = observed(&self.setup, which, &self.sites, &self.looks, keys);
            match pki::next(&desired, &observed) {
                Next::Done | Next::Wait(_) => return Ok(()),
                Next::Refuse(refusal) => return Err(refused(called, refusal.to_string())),
                Next::Act(step) => self.make(which, &desired, &step).await?,
            }
        }
        Err(refused(called, "it does not come to an end".to_owned()))
    }

    async fn make(
        &mut self,
        which: Authority,
        desired: &Desired,
        step: &Step,
    ) -> Result<(), HostError> {
        let sites = &self.sites;
        let days = u32::try_from(desired.authority().lifetime.whole_days()).unwrap_or(u32::MAX);
        match step {
            Step::MakeAuthority { on } => {
                let name = &desired.authority().common_name;
                let made = self.fleet.one(on, async |key, host| {
                    host.make_authority(&sites[&key].authority(which), name, days).await
                });
                made.await.map(drop)
            }
            Step::CopyAuthority { from, to } => self.copy(which, from, to).await,
            Step::Trust { to, .. } => self.trust(to).await,
            Step::MakeKeys(leaves) => {
                let keys = hosts(leaves);
                let made = self.fleet.some(&keys, async |key, host| {
                    for leaf in leaves.iter().filter(|it| it.host == key) {
                        let path = sites[&key].pki(&format!("{}.key", leaf.name));
                        let user = owner(&leaf.name);
                        host.make_key(&path, (user, user)).await?;
                    }
                    Ok(())
                });
                gravest(made.await).map(drop)
            }
            Step::Certify { by, leaves } => self.sign(which, desired, by, leaves).await,
        }
    }

    /// Through memory alone; the key goes first.
    async fn copy(&mut self, which: Authority, from: &str, to: &[String]) -> Result<(), HostError> {
        let sites = &self.sites;
        let read = self.fleet.one(from, async |key, host| {
            let own = sites[&key].authority(which);
            let part = async |it: &str| host.read(&format!("{own}/ca.{it}"), 1 << 16).await;
            Ok((part("key").await?.content.to_vec(), part("crt").await?.content.to_vec()))
        });
        let contents = read.await?.unwrap_or_default();
        let to = to.iter().cloned().collect();
        let put = self.fleet.some(&to, async |key, host| {
            put_authority(&host, &sites[&key], which, contents.clone()).await
        });
        gravest(put.await).map(drop)
    }

    /// The authority of etcd, whose key stays with it.
    async fn trust(&mut self, to: &[String]) -> Result<(), HostError> {
        let (sites, authority) = (&self.sites, self.setup.etcd.authority.clone().into_bytes());
        let to = to.iter().cloned().collect();
        let put = self.fleet.some(&to, async |key, host| {
            let (path, content) = (sites[&key].pki("etcd/ca.crt"), authority.clone());
            host.put(File { path, content, mode: 0o644, ..File::default() }).await.map(drop)
        });
        gravest(put.await).map(drop)
    }

    async fn sign(
        &mut self,
        which: Authority,
        desired: &Desired,
        by: &str,
        leaves: &[Leaf],
    ) -> Result<(), HostError> {
        let sites = &self.sites;
        let signer = match sites.get(by).filter(|_| which != Authority::Etcd) {
            Some(site) => site.authority(which),
            None => crate::actions::etcd::authority(self.setup.etcd.name.as_str()),
        };
        let profile = |leaf: &Leaf| desired.hosts().get(&leaf.host)?.leaves.get(&leaf.name);
        let keys = hosts(leaves);
        let asked = self.fleet.some(&keys, async |key, host| {
            let mut requests = Vec::new();
            for leaf in leaves.iter().filter(|it| it.host == key) {
                let Some(profile) = profile(leaf) else { continue };
                let own = sites[&key].pki(&format!("{}.key", leaf.name));
                let csr = host.make_csr(&own, subject(profile)).await?;
                requests.push((leaf.clone(), request(profile, signer.clone(), csr)));
            }
            Ok(requests)
        });
        let asked: Vec<_> = gravest(asked.await)?.into_values().flatten().collect();
        let (leaves_of, requests): (Vec<Leaf>, Vec<SignRequest>) = asked.into_iter().unzip();
        let made = if which == Authority::Etcd {
            self.sign_for_etcd(&requests).await?
        } else {
            let by_it = self.fleet.one(by, async |_, host| sign_all(&host, &requests).await);
            by_it.await?.unwrap_or_default()
        };
        let made: Vec<_> = leaves_of.into_iter().zip(made).collect();
        let sites = &self.sites;
        let put = self.fleet.some(&keys, async |key, host| {
            for (leaf, pem) in made.iter().filter(|(leaf, _)| leaf.host == key) {
                let path = sites[&key].pki(&format!("{}.crt", leaf.name));
                let content = pem.clone().into_bytes();
                host.put(File { path, content, mode: 0o644, ..File::default() }).await?;
            }
            Ok(())
        });
        gravest(put.await).map(drop)
    }
}

async fn sign_all(host: &Locked, requests: &[SignRequest]) -> Result<Vec<String>, HostError> {
    let mut made = Vec::new();
    for request in requests {
        made.push(host.sign(request.clone()).await?);
    }
    Ok(made)
}

fn hosts(leaves: &[Leaf]) -> BTreeSet<String> {
    leaves.iter().map(|it| it.host.clone()).collect()
}

/// Who reads the key of a leaf.
fn owner(leaf: &str) -> &'static str {
    if API_SERVER_LEAVES.contains(&leaf) {
        return user(Component::ApiServer);
    }
    match leaf {
        "controller-manager" => user(Component::ControllerManager),
        _ => user(Component::Scheduler),
    }
}
