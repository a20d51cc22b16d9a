//! One node in one look.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::setup::Setup;
use super::site::{Site, Wanted};
use crate::actions::{
    Marker, Owner as Recorded, Running as Service, record_name, stamp, stamp_path,
};
use crate::domain::balancer::{BACK, Backend, Facts, Keepalived, Lies, PROBE, Process, Running};
use crate::domain::host::{MachineId, Owner};
use crate::host::messages::{self, FactsReply, FactsRequest, file};
use crate::host::{File, Host, HostError};
use crate::remote::haproxy::{Status, status};

/// Where the programs lie.
const PROXY: &str = "/usr/sbin/haproxy";
const KEEPALIVED: &str = "/usr/sbin/keepalived";

/// A node that answered completely.
#[derive(Clone, Debug)]
pub struct Look {
    pub(super) facts: Facts,
    /// What its record says of an object of this kind and name.
    pub(super) marker: Option<Marker>,
    pub(super) wanted: Wanted,
    /// The kind of machine, as its kernel says it.
    pub(super) architecture: String,
    /// What lies in the place of the probe: its digest.
    pub(super) probe: Option<Vec<u8>>,
    /// As the process tells it.
    pub(super) status: Option<Status>,
    /// The link addresses of the host.
    pub(super) links: Vec<String>,
    edited: Vec<String>,
    host_key: Option<String>,
}

impl Look {
    /// The key that the host has proven to have, for pinning. None for a local one.
    pub fn host_key(&self) -> Option<&str> {
        self.host_key.as_deref()
    }

    /// Whether it runs what is wished, with files that say so.
    pub fn is_current(&self) -> bool {
        let is_wished = matches!(&self.facts.proxy, Process::Running(it) if it.is_wished);
        is_wished && self.facts.on_disk == Lies::Wished
    }

    /// Whether it has the virtual IP.
    pub fn holds(&self) -> bool {
        self.facts.holds
    }

    /// The backends as its proxy sees them. None: it does not answer.
    pub fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    /// What an apply would mend here.
    pub fn drift(&self, site: &Site) -> Vec<String> {
        let (key, facts) = (&site.key, &self.facts);
        if !facts.is_ours() {
            return vec![format!("{key}: the host has no record of the balancer")];
        }
        let mut found: Vec<_> = self.edited.iter().map(|it| format!("{key}: {it}")).collect();
        let units = (site.proxy_unit(), site.keepalived_unit());
        match &facts.proxy {
            Process::Absent | Process::Stopped => {
                found.push(format!("{key}: {} does not run", units.0));
            }
            Process::Starting | Process::Stuck => {
                found.push(format!("{key}: {} does not answer", units.0));
            }
            Process::Running(running) if found.is_empty() && !running.is_wished => {
                found.push(format!("{key}: {} runs with another configuration", units.0));
            }
            Process::Running(running) => {
                let drained = running.backends.iter().filter(|(_, it)| it.is_drained);
                found.extend(drained.map(|(it, _)| format!("{key}: {it} is drained by hand")));
            }
        }
        let keepalived = match (facts.keepalived, &self.wanted.vrrp) {
            (Keepalived::Stopped, Some(_)) => Some("does not run"),
            (Keepalived::Running { is_current: false }, Some(_)) if found.is_empty() => {
                Some("runs with another configuration")
            }
            (Keepalived::Stopped | Keepalived::Running { .. }, None) => Some("is left over"),
            _ => None,
        };
        found.extend(keepalived.map(|it| format!("{key}: {} {it}", units.1)));
        if !matches!(facts.owner, Owner::Ours { is_current: true }) {
            found.push(format!("{key}: its record is not up to date"));
        }
        found
    }
}

/// Looks at one host.
///
/// # Errors
/// It did not answer, or not completely: it is unseen then.
pub(super) async fn look(host: &Host, site: &Site, setup: &Setup) -> Result<Look, HostError> {
    let (files, units) = (site.files(), [site.proxy_unit(), site.keepalived_unit()]);
    let mut paths = vec![files.proxy(), files.vrrp(), files.good(), PROBE.to_owned()];
    paths.extend(site.unit_paths());
    paths.extend([PROXY, KEEPALIVED].map(str::to_owned));
    let stamp = stamp_path(&units[1]);
    paths.push(stamp.clone());
    let request = FactsRequest {
        units: units.to_vec(),
        files: paths.iter().map(|it| it.clone().into()).collect(),
        ..FactsRequest::default()
    };
    let name = record_name(&setup.own.claim);
    let (facts, records) =
        tokio::try_join!(host.facts(request), async { host.records(&[&name]).await })?;
    let incomplete = |reason: String| HostError::Failed {
        host: site.host.clone(),
        call: "tell all that was asked".to_owned(),
        reason,
    };
    let Some(wanted) = site.wanted(&setup.desired, &facts.addresses) else {
        let reason = "no unit can hold what is wished";
        return Err(incomplete(reason.to_owned()));
    };
    let authority = match &wanted.authority {
        Some(file) => {
            let files = vec![file.path.clone().into()];
            host.facts(FactsRequest { files, ..FactsRequest::default() }).await?.files.clone()
        }
        None => Vec::new(),
    };
    let all: BTreeMap<String, &messages::File> = facts
        .files
        .iter()
        .chain(&authority)
        .map(|it| (String::from_utf8_lossy(&it.path).into_owned(), it))
        .collect();
    if let Some((path, it)) = all.iter().find(|(_, it)| it.kind() == file::Kind::Unseen) {
        return Err(incomplete(format!("{path}: {}", it.error)));
    }
    let is_there = |path: &str| all.get(path).is_some_and(|it| it.kind() != file::Kind::Absent);
    let state = facts.units.first().map(unit_state);
    let (mut proxy, told) = match state {
        Some(State::Alive) => ask(host, site, &wanted).await,
        Some(State::Down) => (Process::Stopped, None),
        Some(State::Absent) | None => (Process::Absent, None),
    };
    if let Process::Running(running) = &mut proxy {
        running.is_cramped = room(host, site).await? < setup.desired.open_files();
    }
    let recorded = Recorded::of(&records, &setup.own.claim);
    let own = [files.proxy()].into_iter().chain(site.unit_paths());
    let foreign = own.into_iter().find(|it| is_there(it));
    let has_programs = site.place.is_local
        || is_there(PROXY) && (setup.desired.virtual_ip.is_none() || is_there(KEEPALIVED));
    Ok(Look {
        facts: Facts {
            machine: MachineId(facts.machine_id.clone()),
            owner: setup.own.owner(&recorded),
            foreign: foreign.filter(|_| recorded == Recorded::Nobody),
            has_programs,
            most_files: facts.open_files,
            has_network: setup.desired.virtual_ip.is_none() || wanted.vrrp.is_some(),
            on_disk: on_disk(&wanted, &all),
            good: lies(&File { path: files.good(), ..wanted.config.clone() }, &all),
            proxy,
            keepalived: match keepalived(&facts, site, &wanted) {
                // Whoever took its unit away was killed before the rest.
                Keepalived::Absent if is_there(&files.vrrp()) || is_there(&stamp) => {
                    Keepalived::Stopped
                }
                found => found,
            },
            holds: setup.desired.virtual_ip.as_ref().is_some_and(|it| {
                let own = it.address.address().to_string();
                facts.addresses.iter().any(|it| it.address == own)
            }),
        },
        marker: Marker::of(&records, &setup.own.claim),
        edited: edited(&wanted, &all),
        wanted,
        architecture: facts.architecture.clone(),
        probe: all.get(PROBE).filter(|_| is_there(PROBE)).map(|it| it.digest.to_vec()),
        status: told,
        links: facts.links.clone(),
        host_key: host.key().map(str::to_owned),
    })
}

enum State {
    Absent,
    Down,
    Alive,
}

fn unit_state(unit: &messages::Unit) -> State {
    match (unit.load.as_str(), unit.active.as_str()) {
        (_, "active" | "activating" | "reloading") => State::Alive,
        ("not-found" | "masked", _) => State::Absent,
        _ => State::Down,
    }
}

/// What the process itself says.
pub(super) async fn ask(host: &Host, site: &Site, wanted: &Wanted) -> (Process, Option<Status>) {
    let Some(status) = told(host, site).await else { return (Process::Starting, None) };
    let backend = |(name, it): (&String, &crate::remote::haproxy::Server)| {
        let (endpoint, is_up, is_drained) = (it.endpoint, it.is_up, it.is_drained);
        Some((name.parse().ok()?, Backend { endpoint, is_up, is_drained, sessions: it.sessions }))
    };
    let running = Running {
        is_cramped: false,
        is_wished: status.description.parse().is_ok_and(|it| wanted.proxy.digest == it),
        backends: status.servers.iter().filter_map(backend).collect(),
    };
    (Process::Running(running), Some(status))
}

async fn told(host: &Host, site: &Site) -> Option<Status> {
    let stream = host.forward_socket(&site.files().admin()).await.ok()?;
    status(stream, BACK).await.ok()
}

/// The open files that the process may have, as it was noted when it was started.
async fn room(host: &Host, site: &Site) -> Result<u64, HostError> {
    let note = host.read(&stamp_path(&site.proxy_unit()), 64).await?;
    Ok(std::str::from_utf8(&note.content).ok().and_then(|it| it.parse().ok()).unwrap_or_default())
}

fn lies(file: &File, all: &BTreeMap<String, &messages::File>) -> Lies {
    let Some(found) = all.get(&file.path) else { return Lies::Nothing };
    let digest: [u8; 32] = Sha256::digest(&file.content).into();
    match found.kind() {
        file::Kind::Absent => Lies::Nothing,
        file::Kind::Regular if *found.digest == digest => Lies::Wished,
        _ => Lies::Other,
    }
}

fn on_disk(wanted: &Wanted, all: &BTreeMap<String, &messages::File>) -> Lies {
    let each: Vec<_> = wanted.files().map(|it| lies(it, all)).collect();
    if each.iter().all(|it| *it == Lies::Wished) {
        return Lies::Wished;
    }
    let is_begun = lies(&wanted.config, all) != Lies::Nothing;
    if is_begun { Lies::Other } else { Lies::Nothing }
}

fn edited(wanted: &Wanted, all: &BTreeMap<String, &messages::File>) -> Vec<String> {
    let sentence = |it: &File| match lies(it, all) {
        Lies::Wished => None,
        Lies::Nothing => Some(format!("{} is gone", it.path)),
        Lies::Other => Some(format!("{} was edited", it.path)),
    };
    wanted.files().filter_map(sentence).collect()
}

fn keepalived(facts: &FactsReply, site: &Site, wanted: &Wanted) -> Keepalived {
    let unit = site.keepalived_unit();
    let stamp = stamp(wanted.vrrp.as_slice());
    let found = Service::of(facts, &unit, &stamp);
    match (found.has_unit, found.runs) {
        (_, true) => Keepalived::Running { is_current: found.is_current },
        (true, false) => Keepalived::Stopped,
        (false, false) => Keepalived::Absent,
    }
}
