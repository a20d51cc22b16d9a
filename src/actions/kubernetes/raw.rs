//! What a host has answered, and what follows from that.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::keys::Copies;
use super::look::{LEAVES, now};
use super::notes::{Notes, Started};
use super::setup::Setup;
use super::site::{Site, Wanted, stamp};
use crate::actions::services::state;
use crate::actions::signing::found_key;
use crate::domain::host::{Certificates, Unit};
use crate::domain::kubernetes::{
    Authority, Component, EncryptionKey, Part, Settings, Version, settings,
};
use crate::domain::pki::{self, Found, Pair, Reason, Seen};
use crate::host::messages::{FactsReply, file};
use crate::host::{File, HostError};

/// What a host has answered.
pub(super) struct Raw<'a> {
    pub(super) site: &'a Site,
    pub(super) setup: &'a Setup,
    pub(super) facts: &'a FactsReply,
    pub(super) contents: BTreeMap<String, Option<Vec<u8>>>,
    pub(super) notes: Notes,
}

impl Raw<'_> {
    /// What lies at a path, if anything.
    pub(super) fn content(&self, path: &str) -> Option<&[u8]> {
        self.contents.get(path)?.as_deref()
    }

    /// SHA-256 of a regular file.
    pub(super) fn digest(&self, path: &str) -> Option<&[u8]> {
        let found = self.facts.files.iter().find(|it| *it.path == *path.as_bytes())?;
        (found.kind() == file::Kind::Regular).then_some(&found.digest[..])
    }

    /// The digest of the public half of a key.
    pub(super) fn key(&self, path: &str) -> Found<pki::Digest> {
        let found = self.facts.keys.iter().find(|it| *it.path == *path.as_bytes());
        found.map(found_key).unwrap_or_default()
    }

    fn certificate(&self, path: &str) -> Found<pki::Certificate> {
        Found::parse(self.content(path))
    }

    /// What is seen for the planner of certificates.
    pub(super) fn seen(&self, which: Authority) -> Seen {
        let own = self.site.authority(which);
        let authority = if which == Authority::Etcd {
            // Another one than that of the cluster is no authority of ours.
            let ours = Found::parse(Some(self.setup.etcd.authority.as_bytes()));
            let is_there = Copies::is_of_etcd(self);
            Pair { key: Found::Absent, certificate: if is_there { ours } else { Found::Absent } }
        } else {
            let [key, certificate] = ["key", "crt"].map(|it| format!("{own}/ca.{it}"));
            Pair { key: self.key(&key), certificate: self.certificate(&certificate) }
        };
        let of = LEAVES.iter().filter(|it| it.1 == which);
        let pair = |(leaf, _): &(&str, Authority)| {
            let [key, certificate] =
                ["key", "crt"].map(|it| self.site.pki(&format!("{leaf}.{it}")));
            let pair = Pair { key: self.key(&key), certificate: self.certificate(&certificate) };
            ((*leaf).to_owned(), pair)
        };
        Seen { authority, leaves: of.map(pair).collect() }
    }

    /// What a component is to have in this version.
    fn wanted(
        &self,
        component: Component,
        version: Version,
        key: Option<&EncryptionKey>,
    ) -> Result<Wanted, HostError> {
        self.site.wanted(&self.setup.desired, component, version, key)
    }

    /// What lies there of a component, as it is noted when that is started, and the component as the planner sees it.
    pub(super) fn part(
        &self,
        component: Component,
        key: Option<&EncryptionKey>,
    ) -> Result<(Part, Option<Started>), HostError> {
        let (site, setup) = (self.site, self.setup);
        let wanted = self.wanted(component, setup.desired.version, key)?;
        let is_there = |it: &&File| self.digest(&it.path) == Some(&Sha256::digest(&it.content)[..]);
        let matches = wanted.files.iter().filter(is_there);
        // They are as wished by their digests, so nobody has to read them.
        let contents: BTreeMap<String, String> = matches
            .filter_map(|it| {
                let path = format!("{}{}", site.root, it.path);
                Some((path, String::from_utf8(it.content.clone()).ok()?))
            })
            .collect();
        let text = self.content(&site.unit_path(component));
        let on_disk = text.and_then(|it| std::str::from_utf8(it).ok()).and_then(|text| {
            let (desired, place) = (&setup.desired, site.place);
            settings(desired, component, place, site.told(), text, (&contents, key))
        });
        let unit_name = site.unit(component);
        let seen = self.facts.units.iter().find(|it| it.name == unit_name);
        let unit = seen.map_or(Unit::Absent, state);
        let running = if unit.is_down() { None } else { self.running(component, key)? };
        let lies = |it: &File| self.digest(&it.path).unwrap_or_default().to_vec();
        let files: Vec<_> = wanted.all().map(|it| (it.path.as_str(), lies(it))).collect();
        let started = on_disk
            .map(|it| Started { version: it.version.to_string(), stamp: stamp(files.into_iter()) });
        Ok((Part { unit, on_disk, running }, started))
    }

    /// What it was started with, as it was noted. A process that nobody has noted runs with nobody's settings.
    fn running(
        &self,
        component: Component,
        key: Option<&EncryptionKey>,
    ) -> Result<Option<Settings>, HostError> {
        let Some(started) = self.notes.started(component) else {
            let version = self.setup.desired.version;
            return Ok(Some(Settings { version, is_current: false }));
        };
        let Ok(version) = started.version.parse() else { return Ok(None) };
        let wanted = self.wanted(component, version, key)?;
        Ok(Some(Settings { version, is_current: started.stamp == wanted.stamp() }))
    }

    /// The leaves, and the copies of keys and authorities that components read.
    pub(super) fn judge(&self, seen: &BTreeMap<Authority, Seen>, copies: Copies) -> Certificates {
        let mut worst = if copies.are_right() { Certificates::Good } else { Certificates::Missing };
        for (which, seen) in seen {
            let Found::Is(authority) = &seen.authority.certificate else {
                return Certificates::Missing;
            };
            if *which != Authority::Etcd && !matches!(seen.authority.key, Found::Is(_)) {
                return Certificates::Missing;
            }
            let setup = self.setup;
            let wishes = which.leaves(&setup.desired, &setup.certificates, self.site.place);
            for (name, profile) in wishes.unwrap_or_default() {
                let Some(Pair { key: Found::Is(key), certificate: Found::Is(leaf) }) =
                    seen.leaves.get(&name)
                else {
                    return Certificates::Missing;
                };
                let reason = pki::due(&profile, Some(leaf), authority, key, now());
                worst = worse(worst, reason.as_ref());
            }
        }
        worst
    }
}

/// A missing part stays the worst; nobody accepts what is invalid.
fn worse(so_far: Certificates, reason: Option<&Reason>) -> Certificates {
    match (so_far, reason) {
        (Certificates::Good, Some(Reason::RenewalDue(_))) => Certificates::Due,
        (Certificates::Missing | Certificates::Invalid, _)
        | (_, None | Some(Reason::RenewalDue(_))) => so_far,
        (_, Some(Reason::NamesDiffer { .. } | Reason::SubjectDiffers | Reason::UsagesDiffer)) => {
            Certificates::OtherNames
        }
        (_, Some(_)) => Certificates::Invalid,
    }
}
