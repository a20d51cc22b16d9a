//! The bundle that brings keys back: what is in it, how nodes keep it, and how its keys come to hosts.

use std::collections::{BTreeMap, BTreeSet};

use rcgen::{KeyPair, PublicKeyData as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::keys::{SECRETBOX, Shared, secret};
use super::site::{Site, user};
use super::{ControlPlane, KIND, Look};
use crate::actions::notes::Journal;
use crate::domain::kubernetes::{Authority, Component, Desired, Encryption, KeptBundle, KeysId};
use crate::domain::name::Name;
use crate::domain::recovery::Bundle;
use crate::engine::gravest;
use crate::engine::record::Claim;
use crate::host::messages::{SealFilesRequest, SealedFile};
use crate::host::{File, HostError, Locked};

/// The key of service accounts.
const ACCOUNTS: &str = "sa.key";

/// Keys from a bundle, as hosts are to have them.
#[derive(Clone, Debug)]
pub struct Recovery {
    keys: KeysId,
    bundle: Bundle,
}

/// Why a bundle does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryFault {
    /// Of something else.
    #[error("it is of the {kind} {name:?}")]
    Other {
        /// Of the object.
        kind: String,
        /// Of the object.
        name: String,
    },
    /// Somebody has made it by hand.
    #[error("its {0} is not what it should be")]
    Incomplete(String),
    /// Secrets could not be written as is wished.
    #[error(
        "it holds no key for Secrets, so the control plane had `encryption_at_rest = \"none\"`"
    )]
    WithoutSecrets,
    /// Secrets could not be read.
    #[error(
        "it holds a key for Secrets, so the control plane had `encryption_at_rest = \"secretbox\"`"
    )]
    WithSecrets,
}

/// Files of a bundle, below the folder of keys and certificates.
fn files(encryption: Encryption) -> Vec<String> {
    let authority = |it: Authority| ["key", "crt"].map(|part| format!("{}/ca.{part}", it.file()));
    let mut files: Vec<_> = Authority::OWN.into_iter().flat_map(authority).collect();
    files.push(ACCOUNTS.to_owned());
    if encryption == Encryption::Secretbox {
        files.push(SECRETBOX.to_owned());
    }
    files
}

impl Recovery {
    /// For this control plane.
    ///
    /// # Errors
    /// The bundle is of another one, or lacks something.
    pub fn new(bundle: Bundle, desired: &Desired) -> Result<Self, RecoveryFault> {
        if bundle.kind != KIND || bundle.name != desired.name.as_str() {
            return Err(RecoveryFault::Other { kind: bundle.kind, name: bundle.name });
        }
        match (bundle.files.contains_key(SECRETBOX), desired.encryption) {
            (false, Encryption::Secretbox) => return Err(RecoveryFault::WithoutSecrets),
            (true, Encryption::None) => return Err(RecoveryFault::WithSecrets),
            _ => {}
        }
        let wrong = |it: &str| RecoveryFault::Incomplete(it.to_owned());
        let text = |it: &str| bundle.files.get(it).ok_or_else(|| wrong(it));
        let digest = |it: &str| {
            let key = KeyPair::from_pem(text(it)?).map_err(|_| wrong(it))?;
            Ok(Sha256::digest(key.subject_public_key_info()).into())
        };
        let mut authorities = BTreeMap::new();
        for which in Authority::OWN {
            text(&format!("{}/ca.crt", which.file()))?;
            authorities.insert(which, digest(&format!("{}/ca.key", which.file()))?);
        }
        let secret = match desired.encryption {
            Encryption::None => None,
            Encryption::Secretbox => {
                let found = secret(text(SECRETBOX)?.as_bytes());
                Some(found.ok_or_else(|| wrong(SECRETBOX))?)
            }
        };
        let shared = Shared { authorities, accounts: digest(ACCOUNTS)?, secret: secret.as_ref() };
        Ok(Self { keys: shared.id(), bundle })
    }

    /// Stands for its keys.
    pub fn keys(&self) -> &KeysId {
        &self.keys
    }

    /// The certificate of the control plane's authority in PEM.
    pub fn authority(&self) -> &str {
        let found = self.bundle.files.get(&format!("{}/ca.crt", Authority::Cluster.file()));
        found.map_or("", String::as_str)
    }
}

/// A bundle beside the record of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sealed {
    /// Stands for the keys in it.
    keys: String,
    /// Who can open it, in order.
    recipients: BTreeSet<String>,
    /// In the armour of age. Empty: there is none.
    text: String,
}

impl Journal for Sealed {
    fn name(claim: &Claim) -> String {
        format!("{}.recovery", crate::actions::record_name(claim))
    }
}

impl Sealed {
    fn new(desired: &Desired, keys: &KeysId, text: String) -> Self {
        let recipients = desired.recipients.iter().map(ToString::to_string).collect();
        Self { keys: keys.0.clone(), recipients, text }
    }

    /// What the planner sees of it. What cannot be read is made anew.
    pub(super) fn seen(
        found: Option<Self>,
        desired: &Desired,
        keys: Option<&KeysId>,
    ) -> KeptBundle {
        let Some(found) = found else { return KeptBundle::Stale };
        if found.text.is_empty() {
            return KeptBundle::Absent;
        }
        let wished = keys.map(|it| Self::new(desired, it, found.text.clone()));
        if wished.as_ref() == Some(&found) && !desired.recipients.is_empty() {
            return KeptBundle::Current(found.text);
        }
        KeptBundle::Stale
    }
}

impl Look {
    /// The recovery bundle that the host keeps, where it is as wished.
    pub fn bundle(&self) -> Option<&str> {
        match &self.facts.bundle {
            KeptBundle::Current(text) if self.is_ours() => Some(text),
            _ => None,
        }
    }

    /// Whether the host has all keys of the control plane.
    pub fn has_keys(&self) -> bool {
        self.is_ours() && self.facts.keys.is_some()
    }
}

impl ControlPlane<'_> {
    /// Puts the keys of the bundle to where they belong. They travel as a file does.
    pub(super) async fn recover(&mut self, hosts: &[Name]) -> Result<(), HostError> {
        let keys = Self::keys(hosts);
        self.make_folders(&keys).await?;
        let (sites, recovery) = (&self.sites, self.setup.recovery.as_ref());
        let text = |file: &str| {
            let found = recovery.and_then(|it| it.bundle.files.get(file));
            found.map(|it| it.as_bytes().to_vec())
        };
        let put = self.fleet.some(&keys, async |key, host| {
            let site = &sites[&key];
            for which in Authority::OWN {
                let part = |it: &str| text(&format!("{}/ca.{it}", which.file()));
                if let (Some(key), Some(certificate)) = (part("key"), part("crt")) {
                    put_authority(&host, site, which, (key, certificate)).await?;
                }
            }
            let server = user(Component::ApiServer);
            for (file, user) in [(ACCOUNTS, server), (SECRETBOX, "")] {
                let Some(content) = text(file) else { continue };
                let (user, group) = (user.to_owned(), user.to_owned());
                let path = site.pki(file);
                host.put(File { path, content, mode: 0o600, user, group }).await?;
            }
            Ok(())
        });
        gravest(put.await).map(drop)
    }

    /// The bundle of that node on these too; without one, a new one, which the first of them seals.
    pub(super) async fn keep_bundle(
        &mut self,
        from: Option<&Name>,
        hosts: &[Name],
    ) -> Result<(), HostError> {
        let source = from.or(hosts.first()).map(ToString::to_string).unwrap_or_default();
        let lost = || HostError::Failed {
            host: self.setup.called.clone(),
            call: "keep a recovery bundle".to_owned(),
            reason: "the keys of it are gone".to_owned(),
        };
        let look = self.looks.get(&source).ok_or_else(lost)?;
        let keys = look.facts.keys.clone().ok_or_else(lost)?;
        let text = match look.bundle().filter(|_| from.is_some()) {
            Some(text) => text.to_owned(),
            None => self.seal(&source).await?,
        };
        let sealed = Sealed::new(&self.setup.desired, &keys, text);
        let claim = &self.setup.own.claim;
        let keys = Self::keys(hosts);
        let put = self.fleet.some(&keys, async |_, host| sealed.put(&host, claim).await);
        gravest(put.await).map(drop)
    }

    /// No key leaves the host but in the bundle.
    async fn seal(&mut self, on: &str) -> Result<String, HostError> {
        let setup = &self.setup;
        let request = |site: &Site| SealFilesRequest {
            files: files(setup.desired.encryption)
                .into_iter()
                .map(|name| SealedFile { path: site.pki(&name).into(), name })
                .collect(),
            recipients: setup.desired.recipients.iter().map(ToString::to_string).collect(),
            kind: KIND.to_owned(),
            name: setup.desired.name.to_string(),
            id: setup.own.id.clone(),
        };
        let sites = &self.sites;
        let sealed =
            self.fleet.one(on, async |key, host| host.seal_files(request(&sites[&key])).await);
        sealed.await.map(Option::unwrap_or_default)
    }

    pub(super) async fn forget_bundle(&mut self, hosts: &[Name]) -> Result<(), HostError> {
        let name = Sealed::name(&self.setup.own.claim);
        let keys = Self::keys(hosts);
        let removed = self.fleet.some(&keys, async |_, host| host.remove_record(&name).await);
        gravest(removed.await).map(drop)
    }
}

/// An authority as a whole; the key goes first.
pub(super) async fn put_authority(
    host: &Locked,
    site: &Site,
    which: Authority,
    (key, certificate): (Vec<u8>, Vec<u8>),
) -> Result<(), HostError> {
    let own = site.authority(which);
    host.make_directory(&own, 0o755, ("", ""), false).await?;
    for (part, mode, content) in [("key", 0o600, key), ("crt", 0o644, certificate)] {
        let path = format!("{own}/ca.{part}");
        host.put(File { path, content, mode, ..File::default() }).await?;
    }
    Ok(())
}
