//! One host in one look: everything that is asked of its agent, and nothing of its member.
#![expect(clippy::disallowed_methods, reason = "judges certificates by the clock")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::consumers::Consumers;
use super::notes::{Notes, Restoring};
use super::setup::{PEER, SERVER, Setup};
use super::site::{Initial, Site};
use crate::actions::notes::Journal as _;
use crate::actions::services::state;
use crate::actions::signing::found_key;
use crate::actions::{Marker, Owner as Recorded, record_name};
use crate::domain::artifacts::Architecture;
use crate::domain::etcd::restore::{Progress, mark};
use crate::domain::etcd::{
    Certificates, Facts, MachineId, MemberId, Owner, Settings, Unit, Version,
};
use crate::domain::pki::{self, Found, Pair, Profile, Reason, Seen};
use crate::host::messages::{self, FactsRequest, file};
use crate::host::{Host, HostError};

/// A host that answered completely.
#[derive(Clone, Debug)]
pub struct Look {
    pub(super) facts: Facts,
    pub(super) pki: Seen,
    pub(super) notes: Notes,
    pub(super) initial: Initial,
    pub(super) architecture: Option<Architecture>,
    /// Who lives off the cluster, by the record.
    pub(super) consumers: BTreeSet<String>,
    /// Those of them whose hosts it remembers.
    pub(super) known: Consumers,
    /// Of the unit; 0: none.
    pub(super) process: u32,
    /// Not as rendered, or gone.
    is_unit_edited: bool,
    /// It starts a later version than is wished.
    is_newer: bool,
    /// What its record says of an object of this kind and name.
    pub(super) marker: Option<Marker>,
    /// SHA-256 of what the data there, and what may take its place, are marked with.
    marks: [Vec<u8>; 2],
    /// The key that the host has proven to have.
    host_key: Option<String>,
}

impl Look {
    /// The certificate of the authority in PEM, where there is one.
    pub fn authority(&self) -> Option<String> {
        match &self.pki.authority.certificate {
            Found::Is(it) => Some(it.pem()),
            _ => None,
        }
    }

    /// The key that the host has proven to have, for pinning. None for a local one.
    pub fn host_key(&self) -> Option<&str> {
        self.host_key.as_deref()
    }

    /// Whether the host belongs to the cluster.
    pub fn is_ours(&self) -> bool {
        self.facts.is_ours()
    }

    /// Whether it can sign.
    pub(super) fn signs(&self) -> bool {
        self.authority().is_some() && matches!(self.pki.authority.key, Found::Is(_))
    }

    /// The cluster whose data lies there.
    pub fn cluster(&self) -> Option<u64> {
        self.notes.cluster.filter(|_| self.notes.is_formed)
    }

    /// The member whose data lies there, or should.
    pub fn member(&self) -> Option<MemberId> {
        self.notes.member.map(MemberId)
    }

    /// How far a restore is there.
    pub(super) fn progress(&self) -> Progress {
        let restoring = self.notes.restoring.as_ref();
        let begun = restoring.map(Restoring::begun);
        let mark = begun.as_ref().map(|it| Sha256::digest(mark(it)).to_vec());
        let [is_switched, is_prepared] = [0, 1].map(|it| mark.as_ref() == Some(&self.marks[it]));
        Progress {
            generation: self.notes.generation,
            begun,
            has_file: restoring.is_some_and(|it| it.has_file),
            is_prepared,
            is_switched,
        }
    }

    /// The last restore that has put data in its place there, whether it has come to its end or not.
    pub fn restored(&self) -> u64 {
        let Progress { generation, begun, is_switched, .. } = self.progress();
        let switched = begun.filter(|_| is_switched).map(|it| it.generation);
        switched.unwrap_or_default().max(generation)
    }

    /// How often its data was replaced by a restore, by the numbers that users gave.
    pub fn generation(&self) -> u64 {
        self.notes.generation
    }

    /// Whether the host is proven to hold no data of any member.
    pub fn is_blank(&self) -> bool {
        let is_open = matches!(self.facts.owner, Owner::Nobody) || self.facts.is_ours();
        is_open && self.facts.data.is_none()
    }

    /// What runs.
    pub fn running(&self) -> Option<Settings> {
        self.facts.running
    }

    /// Where its member listens, as far as somebody has noted it.
    pub(super) fn listens(&self) -> Option<IpAddr> {
        let started = self.notes.started.as_ref()?;
        (!self.facts.unit.is_down()).then_some(started.address)
    }

    /// What an apply would mend here, but for data and certificates.
    pub fn drift(&self, site: &Site) -> Vec<String> {
        let (name, unit) = (&site.name, site.unit());
        if !self.facts.is_ours() {
            return vec![format!("{name}: the host has no record of the cluster")];
        }
        let mut found = Vec::new();
        if self.is_newer {
            // No apply takes it back.
        } else if self.is_unit_edited {
            found.push(format!("{name}: {unit} was edited"));
        } else if self.facts.unit.is_down() {
            found.push(format!("{name}: {unit} does not run"));
        } else if self.facts.running.is_some_and(|it| !it.is_current) {
            found.push(format!("{name}: {unit} runs with earlier settings"));
        }
        if !matches!(self.facts.owner, Owner::Ours { is_current: true }) {
            found.push(format!("{name}: its record is not up to date"));
        }
        found
    }
}

/// By which certificates are judged.
pub(super) fn now() -> OffsetDateTime {
    SystemTime::now().into()
}

/// Looks at one host.
///
/// # Errors
/// It did not answer, or not completely: it is unseen then.
pub(super) async fn look(host: &Host, site: &Site, setup: &Setup) -> Result<Look, HostError> {
    let bytes = |it: String| it.into();
    let authority = format!("{}/ca", site.authority());
    let [placed, prepared] = site.marks();
    let files = [site.member_path(), site.certificate("ca"), placed, prepared].map(bytes);
    let keys = [format!("{authority}.key"), site.key(SERVER), site.key(PEER)].map(bytes);
    let request = FactsRequest {
        units: vec![site.unit()],
        files: files.to_vec(),
        keys: keys.to_vec(),
        projects: vec!["etcd".to_owned()],
        ..FactsRequest::default()
    };
    let claim = &setup.own.claim;
    let names = [record_name(claim), Notes::name(claim), Consumers::name(claim)];
    let certificate = async |path: String| {
        let read = host.read(&path, 1 << 16).await?;
        let is_there = read.file.is_some_and(|it| it.kind() == file::Kind::Regular);
        Ok::<_, HostError>(Found::parse(is_there.then_some(&read.content[..])))
    };
    let (facts, records, unit, ca, copy, server, peer) = tokio::try_join!(
        host.facts(request),
        async { host.records(&[&names[0], &names[1], &names[2]]).await },
        async { host.read(&site.unit_path(), 1 << 20).await },
        certificate(format!("{authority}.crt")),
        certificate(site.certificate("ca")),
        certificate(site.certificate(SERVER)),
        certificate(site.certificate(PEER)),
    )?;
    let incomplete = |what: String| HostError::Failed {
        host: site.host.clone(),
        call: "tell all that was asked".to_owned(),
        reason: what,
    };
    if let Some(file) = facts.files.iter().find(|it| it.kind() == file::Kind::Unseen) {
        return Err(incomplete(format!("{}: {}", String::from_utf8_lossy(&file.path), file.error)));
    }
    let Some(notes) = Notes::of(&records, &setup.own.claim) else {
        return Err(incomplete("its notes about the member cannot be read".to_owned()));
    };
    let mut keys = facts.keys.iter().map(found_key);
    let mut key = || keys.next().unwrap_or_default();
    let authority = Pair { key: key(), certificate: ca };
    let leaves = BTreeMap::from([
        (SERVER.to_owned(), Pair { key: key(), certificate: server }),
        (PEER.to_owned(), Pair { key: key(), certificate: peer }),
    ]);
    let has_copy =
        matches!((&copy, &authority.certificate), (Found::Is(a), Found::Is(b)) if a == b);
    let pki = Seen { authority, leaves };
    let read = site.read_unit(&setup.desired, &unit.content);
    let (on_disk, initial) = read.map_or((None, Initial::default()), |(it, rest)| (Some(it), rest));
    let seen = facts.units.first();
    let unit = seen.map_or(Unit::Absent, state);
    let has_data = facts.files[0].kind() != file::Kind::Absent;
    let runs = notes.started.as_ref().map(|it| it.address).filter(|_| !unit.is_down());
    let wishes = setup.leaves(site, runs).unwrap_or_default();
    let recorded = Recorded::of(&records, &setup.own.claim);
    let facts_of = Facts {
        machine: MachineId(facts.machine_id.clone()),
        memory: facts.memory.as_ref().map(|it| it.total),
        owner: setup.own.owner(&recorded),
        token: notes.token(),
        is_formed: notes.is_formed,
        data: has_data.then(|| notes.data()),
        unit,
        seeds: initial.seeds(),
        staged: staged(&facts.projects),
        told: notes.told,
        on_disk,
        running: (!unit.is_down()).then(|| running(&notes, site, setup)).flatten(),
        certificates: if has_copy { judge(&pki, &wishes) } else { Certificates::Missing },
    };
    Ok(Look {
        is_unit_edited: on_disk.is_none_or(|it| !it.is_wish(setup.desired.version)),
        is_newer: on_disk.is_some_and(|it| setup.desired.version < it.version),
        marker: Marker::of(&records, &setup.own.claim),
        facts: facts_of,
        pki,
        notes,
        initial,
        consumers: recorded.record().map(|it| it.consumers.clone()).unwrap_or_default(),
        // Of whom nobody remembers anything has to be told that he is stopped.
        known: Consumers::of(&records, claim).unwrap_or_default(),
        architecture: Architecture::of_kernel(&facts.architecture),
        process: seen.map_or(0, |it| it.process),
        marks: [2, 3].map(|it| facts.files[it].digest.to_vec()),
        host_key: host.key().map(str::to_owned),
    })
}

fn staged(projects: &[messages::Project]) -> BTreeSet<Version> {
    let versions = projects.iter().flat_map(|it| &it.versions).filter(|it| it.error.is_empty());
    let is_whole = |it: &&messages::InstalledVersion| it.files.iter().any(|it| it.name == "etcd");
    versions.filter(is_whole).filter_map(|it| it.name.parse().ok()).collect()
}

/// What it was started with, as it was noted. A process that nobody has noted runs with nobody's settings.
fn running(notes: &Notes, site: &Site, setup: &Setup) -> Option<Settings> {
    let Some(started) = &notes.started else {
        let (version, address) = (setup.desired.version, site.place.address);
        return Some(Settings { version, address, is_current: false });
    };
    let version = started.version.parse().ok()?;
    let is_current = started.stamp == site.stamp(&setup.desired, version);
    Some(Settings { version, address: started.address, is_current })
}

fn judge(seen: &Seen, wishes: &BTreeMap<String, Profile>) -> Certificates {
    let Pair { key: Found::Is(_), certificate: Found::Is(authority) } = &seen.authority else {
        return Certificates::Missing;
    };
    let mut worst = Certificates::Good;
    for (name, profile) in wishes {
        let Some(Pair { key: Found::Is(key), certificate: Found::Is(leaf) }) =
            seen.leaves.get(name)
        else {
            return Certificates::Missing;
        };
        match pki::due(profile, Some(leaf), authority, key, now()) {
            Some(Reason::RenewalDue(_)) if worst == Certificates::Good => {
                worst = Certificates::Due;
            }
            None | Some(Reason::RenewalDue(_)) => {}
            Some(Reason::NamesDiffer { .. } | Reason::SubjectDiffers | Reason::UsagesDiffer) => {
                worst = Certificates::OtherNames;
            }
            Some(_) => return Certificates::Invalid,
        }
    }
    worst
}
