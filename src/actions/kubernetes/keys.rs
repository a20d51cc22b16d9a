//! Keys that are no part of a pair, and the copies that components read.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::KeyPair;
use rustls::crypto::aws_lc_rs;
use sha2::{Digest as _, Sha256};

use super::raw::Raw;
use super::site::user;
use super::{ControlPlane, Look};
use crate::domain::kubernetes::{Authority, Component, Encryption, EncryptionKey, KeysId};
use crate::domain::pki::{Digest, Found, Seen};
use crate::engine::gravest;
use crate::host::{File, HostError};

/// The key that Secrets are encrypted with, in base64; only the agent reads it. The API server has a file of its own.
pub(super) const SECRETBOX: &str = "secretbox.key";

/// What is right of the copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Copies {
    is_right: bool,
}

impl Copies {
    /// Files that are copies.
    pub(super) const FILES: [&str; 4] = ["ca.crt", "front-proxy-ca.crt", "etcd/ca.crt", "sa.pub"];
    /// Keys that are copies, or have some.
    pub(super) const KEYS: [&str; 3] =
        ["sa.key", "controller-manager/sa.key", "controller-manager/ca.key"];

    pub(super) fn of(
        raw: &Raw<'_>,
        pki: &BTreeMap<Authority, Seen>,
        authorities: &BTreeMap<Authority, Vec<u8>>,
    ) -> Self {
        let is_copy = |file: &str, of: Authority| {
            let own = authorities.get(&of).map(|it| Sha256::digest(it).to_vec());
            own.as_deref() == raw.digest(&raw.site.pki(file)) && own.is_some()
        };
        let [accounts, theirs, signer] = Self::KEYS.map(|it| raw.key(&raw.site.pki(it)));
        let authority = pki.get(&Authority::Cluster).map(|it| &it.authority.key);
        let is_right = is_copy("ca.crt", Authority::Cluster)
            && is_copy("front-proxy-ca.crt", Authority::FrontProxy)
            && Self::is_of_etcd(raw)
            && matches!(accounts, Found::Is(_))
            && accounts == theirs
            && authority == Some(&signer)
            && raw.digest(&raw.site.pki("sa.pub")).is_some();
        Self { is_right }
    }

    /// Whether what lies there is the authority of etcd.
    pub(super) fn is_of_etcd(raw: &Raw<'_>) -> bool {
        let own = Sha256::digest(&raw.setup.etcd.authority);
        raw.digest(&raw.site.pki("etcd/ca.crt")) == Some(&own[..])
    }

    pub(super) fn are_right(self) -> bool {
        self.is_right
    }
}

/// What the file holds.
pub(super) fn secret(content: &[u8]) -> Option<EncryptionKey> {
    EncryptionKey::new(std::str::from_utf8(content).ok()?.trim_end())
}

/// Stands for all keys that nodes share. None: one of them is not there.
pub(super) fn keys_id(
    raw: &Raw<'_>,
    pki: &BTreeMap<Authority, Seen>,
    key: Option<&EncryptionKey>,
) -> Option<KeysId> {
    let mut authorities = BTreeMap::new();
    for which in Authority::OWN {
        let pair = &pki.get(&which)?.authority;
        let (Found::Is(digest), Found::Is(_)) = (&pair.key, &pair.certificate) else {
            return None;
        };
        authorities.insert(which, *digest);
    }
    let Found::Is(accounts) = raw.key(&raw.site.pki("sa.key")) else { return None };
    let secret = match raw.setup.desired.encryption {
        Encryption::Secretbox => Some(key?),
        Encryption::None => None,
    };
    Some(Shared { authorities, accounts, secret }.id())
}

/// All keys that nodes share: digests of the public halves, and the one that has none.
pub(super) struct Shared<'a> {
    pub(super) authorities: BTreeMap<Authority, Digest>,
    pub(super) accounts: Digest,
    /// None: Secrets are not encrypted.
    pub(super) secret: Option<&'a EncryptionKey>,
}

impl Shared<'_> {
    pub(super) fn id(&self) -> KeysId {
        let mut all = Sha256::new();
        for which in Authority::OWN {
            all.update(self.authorities.get(&which).unwrap_or(&[0; 32]));
        }
        all.update(self.accounts);
        if let Some(secret) = self.secret {
            all.update(Sha256::digest(secret.base64()));
        }
        let half = all.finalize();
        let half = half.iter().take(16).fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
        KeysId(format!("{half:032x}"))
    }
}

impl ControlPlane<'_> {
    /// The keys of service accounts and Secrets are copied from a host that has begun, otherwise from any that has them, and
    /// made only where none does. What components read is copied beside them.
    pub(super) async fn share_keys(
        &mut self,
        keys: &BTreeSet<String>,
    ) -> Result<Option<EncryptionKey>, HostError> {
        self.look().await;
        let (accounts, secret) = (self.accounts(keys).await?, self.secret()?);
        let public = public_half(&accounts).map_err(|reason| self.no_keys(reason))?;
        let (sites, looks) = (&self.sites, &self.looks);
        let signers = self.fleet.some(keys, async |key, host| {
            let path = format!("{}/ca.key", sites[&key].authority(Authority::Cluster));
            Ok(host.read(&path, 1 << 16).await?.content)
        });
        let signers = gravest(signers.await)?;
        let put = self.fleet.some(keys, async |key, host| {
            let site = &sites[&key];
            let (server, manager) =
                (user(Component::ApiServer), user(Component::ControllerManager));
            let own = |file: &str, content: &[u8], user: &str| File {
                path: site.pki(file),
                content: content.to_vec(),
                mode: 0o600,
                user: user.to_owned(),
                group: user.to_owned(),
            };
            let open = |file: &str, content: &[u8]| File { mode: 0o644, ..own(file, content, "") };
            let mut files = vec![
                own("sa.key", &accounts, server),
                own("controller-manager/sa.key", &accounts, manager),
                own("controller-manager/ca.key", &signers[&key], manager),
                open("sa.pub", public.as_bytes()),
                open("etcd/ca.crt", self.setup.etcd.authority.as_bytes()),
            ];
            let authorities = looks.get(&key).map(|it| &it.authorities);
            for (which, content) in authorities.into_iter().flatten() {
                files.push(open(&format!("{}.crt", which.file()), content));
            }
            let content = secret.as_ref().map(|it| format!("{}\n", it.base64()));
            files.extend(content.map(|it| own(SECRETBOX, it.as_bytes(), "")));
            for file in files {
                host.put(file).await?;
            }
            Ok(())
        });
        gravest(put.await).map(|_| secret)
    }

    /// The host that is believed of those that have something, by its key.
    fn source(&self, has: impl Fn(&Look) -> bool) -> Option<String> {
        let ours = self.looks.iter().filter(|(_, it)| it.is_ours() && has(it));
        ours.min_by_key(|(_, it)| !it.facts.is_begun).map(|(key, _)| key.clone())
    }

    /// The key of service accounts in PEM.
    async fn accounts(&mut self, keys: &BTreeSet<String>) -> Result<Vec<u8>, HostError> {
        let from = if let Some(key) = self.source(|it| it.has_accounts) {
            key
        } else {
            let first = keys.first().cloned().unwrap_or_default();
            let (one, sites) = (BTreeSet::from([first.clone()]), &self.sites);
            let user = user(Component::ApiServer);
            let made = self.fleet.some(&one, async |key, host| {
                host.make_key(&sites[&key].pki("sa.key"), (user, user)).await
            });
            gravest(made.await)?;
            first
        };
        let (from, sites) = (BTreeSet::from([from]), &self.sites);
        let read = self.fleet.some(&from, async |key, host| {
            Ok(host.read(&sites[&key].pki("sa.key"), 1 << 16).await?.content.to_vec())
        });
        let read = gravest(read.await)?.into_values().next();
        read.ok_or_else(|| self.no_keys("no host has it".to_owned()))
    }

    /// The key of Secrets. None: they are not encrypted.
    fn secret(&self) -> Result<Option<EncryptionKey>, HostError> {
        if self.setup.desired.encryption == Encryption::None {
            return Ok(None);
        }
        let from = self.source(|it| it.key.is_some());
        let found = from.and_then(|it| self.looks[&it].key.clone());
        found.map_or_else(|| fresh().map_err(|it| self.no_keys(it)), Ok).map(Some)
    }

    fn no_keys(&self, reason: String) -> HostError {
        let (host, call) = (self.setup.called.clone(), "share its keys".to_owned());
        HostError::Failed { host, call, reason }
    }
}

/// One that nobody knows.
fn fresh() -> Result<EncryptionKey, String> {
    let mut bytes = [0_u8; 32];
    let random = aws_lc_rs::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| "the system gives no random numbers".to_owned())?;
    let key = EncryptionKey::new(&BASE64_STANDARD.encode(bytes));
    key.ok_or_else(|| "32 bytes are no key".to_owned())
}

/// In PEM, of a private key in PEM.
fn public_half(key: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(key).map_err(|it| it.to_string())?;
    KeyPair::from_pem(text).map(|it| it.public_key_pem()).map_err(|it| it.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_key_is_none_that_was_there_and_is_never_printed() {
        let [one, other] = [(); 2].map(|()| fresh().unwrap());
        assert_ne!(one, other);
        assert_eq!(secret(format!("{}\n", one.base64()).as_bytes()), Some(one.clone()));
        assert!(!format!("{one:?}").contains(one.base64()));
        assert_eq!(secret(b"edited"), None);
    }

    #[test]
    fn the_public_half_of_a_key_is_a_public_key() {
        let key = KeyPair::generate().unwrap();
        let public = public_half(key.serialize_pem().as_bytes()).unwrap();
        assert_eq!(public, key.public_key_pem());
        assert!(public.starts_with("-----BEGIN PUBLIC KEY-----"), "{public}");
        public_half(b"no key").unwrap_err();
    }
}
