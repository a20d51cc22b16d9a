//! One host in one look.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::site::{KEYS_MODE, PROGRAM, Setup, Site};
use crate::actions::{Marker, Owner as Recorded, Running, record_name, stamp, stamp_path};
use crate::domain::backup::hosts::Facts;
use crate::domain::host::MachineId;
use crate::host::messages::{self, FactsRequest, file};
use crate::host::{File, Host, HostError};

/// A host that answered completely.
#[derive(Clone, Debug)]
pub struct Look {
    /// As far as the program does not matter.
    pub(super) facts: Facts,
    /// What its record says of an object of this kind and name.
    pub(super) marker: Option<Marker>,
    /// What is to lie there.
    pub(super) files: [File; 2],
    /// The kind of machine, as its kernel says it.
    pub(super) architecture: String,
    /// What lies in the place of the program: its digest.
    pub(super) program: Option<Vec<u8>>,
    keys: Keys,
    edited: Vec<String>,
    has_unit: bool,
    is_up: bool,
    host_key: Option<String>,
}

/// What proves to a store who asks.
#[derive(Clone, Copy, Debug)]
struct Keys {
    /// Stands for what is to lie there.
    wished: Option<[u8; 32]>,
    /// Something does.
    are_there: bool,
    /// It is that, or nothing is to be there.
    are_right: bool,
}

impl Keys {
    fn of(setup: &Setup, lies: Option<&messages::File>) -> Self {
        let wished = setup.keys().map(|it| Sha256::digest(it).into());
        let lies = lies.filter(|it| it.kind() != file::Kind::Absent);
        let are_right = match (lies, wished) {
            (None, None) => true,
            (Some(it), Some(wished)) => {
                let wished: [u8; 32] = wished;
                let is_it = it.kind() == file::Kind::Regular && *it.digest == wished;
                is_it && it.mode & 0o7777 == KEYS_MODE
            }
            (None, Some(_)) | (Some(_), None) => false,
        };
        Self { wished, are_there: lies.is_some(), are_right }
    }
}

impl Look {
    /// The key that the host has proven to have, for pinning. None for a local one.
    pub fn host_key(&self) -> Option<&str> {
        self.host_key.as_deref()
    }

    /// Whether it is as it is wished, and its record says so.
    pub fn is_joined(&self) -> bool {
        self.facts.owner.is_us() && self.facts.is_written && self.facts.runs
    }

    /// Whether anything of the backup is there.
    pub fn is_ours(&self) -> bool {
        self.facts.owner.is_us()
    }

    /// What an apply would mend here.
    pub fn drift(&self, site: &Site, setup: &Setup) -> Vec<String> {
        let (key, unit) = (&site.key, setup.unit());
        if !self.is_ours() {
            return vec![format!("{key}: the host has no record of the backup")];
        }
        let mut found: Vec<_> = self.edited.iter().map(|it| format!("{key}: {it}")).collect();
        if self.program.is_none() {
            found.push(format!("{key}: {PROGRAM} is gone"));
        }
        if !self.keys.are_right {
            found.push(format!("{key}: the credential of the store differs"));
        }
        if !self.is_up {
            found.push(format!("{key}: {unit} does not run"));
        } else if found.is_empty() && !self.facts.runs {
            found.push(format!("{key}: {unit} runs with other settings"));
        }
        found
    }

    /// Stands for all that the service reads when it starts.
    pub(super) fn stamp(&self) -> [u8; 32] {
        stamp_of(&self.files, self.program.as_deref(), self.keys.wished)
    }

    pub(super) fn has_keys(&self) -> bool {
        self.keys.are_there
    }

    pub(super) fn has_unit(&self) -> bool {
        self.has_unit
    }

    pub(super) fn is_up(&self) -> bool {
        self.is_up
    }
}

fn stamp_of(files: &[File; 2], program: Option<&[u8]>, keys: Option<[u8; 32]>) -> [u8; 32] {
    let file =
        |path: &str, content: Vec<u8>| File { path: path.to_owned(), content, ..File::default() };
    let mut all = files.to_vec();
    all.push(file(PROGRAM, program.unwrap_or_default().to_vec()));
    all.extend(keys.map(|it| file("keys", it.to_vec())));
    stamp(&all)
}

/// Looks at one host.
///
/// # Errors
/// It did not answer, or not completely: it is unseen then.
pub(super) async fn look(host: &Host, site: &Site, setup: &Setup) -> Result<Look, HostError> {
    let incomplete = |reason: String| HostError::Failed {
        host: site.host.clone(),
        call: "tell all that was asked".to_owned(),
        reason,
    };
    let files = site.files(setup);
    let files = files.ok_or_else(|| incomplete("no unit can hold what is wished".to_owned()))?;
    let (unit, member) = (setup.unit(), setup.member_unit());
    let mut paths: Vec<_> = files.iter().map(|it| it.path.clone()).collect();
    paths.extend([PROGRAM.to_owned(), stamp_path(&unit), setup.keys_path()]);
    let request = FactsRequest {
        units: vec![unit.clone(), member.clone()],
        files: paths.into_iter().map(Into::into).collect(),
        ..FactsRequest::default()
    };
    let name = record_name(&setup.own.claim);
    let (facts, records) =
        tokio::try_join!(host.facts(request), async { host.records(&[&name]).await })?;
    let all: BTreeMap<String, &messages::File> =
        facts.files.iter().map(|it| (String::from_utf8_lossy(&it.path).into_owned(), it)).collect();
    if let Some((path, it)) = all.iter().find(|(_, it)| it.kind() == file::Kind::Unseen) {
        return Err(incomplete(format!("{path}: {}", it.error)));
    }
    let is_there = |path: &str| all.get(path).is_some_and(|it| it.kind() != file::Kind::Absent);
    let is_same = |it: &File| {
        let digest: [u8; 32] = Sha256::digest(&it.content).into();
        all.get(&it.path).is_some_and(|it| it.kind() == file::Kind::Regular && *it.digest == digest)
    };
    let edited = |it: &File| match (is_same(it), is_there(&it.path)) {
        (true, _) => None,
        (false, true) => Some(format!("{} was edited", it.path)),
        (false, false) => Some(format!("{} is gone", it.path)),
    };
    let edited: Vec<_> = files.iter().filter_map(edited).collect();
    let program = all.get(PROGRAM).filter(|it| it.kind() == file::Kind::Regular);
    let program = program.map(|it| it.digest.to_vec());
    let keys = Keys::of(setup, all.get(&setup.keys_path()).copied());
    let stamp = stamp_of(&files, program.as_deref(), keys.wished);
    let running = Running::of(&facts, &unit, &stamp);
    let recorded = Recorded::of(&records, &setup.own.claim);
    let foreign = files.iter().find(|it| is_there(&it.path)).map(|it| it.path.clone());
    Ok(Look {
        facts: Facts {
            machine: MachineId(facts.machine_id.clone()),
            owner: setup.own.owner(&recorded),
            foreign: foreign.filter(|_| recorded == Recorded::Nobody),
            is_written: edited.is_empty() && keys.are_right,
            runs: running.runs && running.is_current,
            has_member: facts.units.iter().any(|it| it.name == member && it.active == "active"),
        },
        marker: Marker::of(&records, &setup.own.claim),
        files,
        architecture: facts.architecture.clone(),
        program,
        keys,
        edited,
        has_unit: running.has_unit,
        is_up: running.runs,
        host_key: host.key().map(str::to_owned),
    })
}
