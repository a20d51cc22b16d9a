//! One host in one look: everything that is asked of its agent, and nothing of its components.
#![expect(clippy::disallowed_methods, reason = "judges certificates by the clock")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use futures_util::future::try_join_all;
use time::OffsetDateTime;

use super::keys::{Copies, keys_id};
use super::notes::{Notes, Started};
use super::raw::Raw;
use super::recovery::Sealed;
use super::setup::Setup;
use super::site::Site;
use crate::actions::notes::Journal as _;
use crate::actions::{Marker, Owner as Recorded, record_name};
use crate::domain::artifacts::{Architecture, Project};
use crate::domain::host::{MachineId, Owner};
use crate::domain::kubernetes::{
    Authority, Component, EncryptionKey, Facts, KeptBundle, Part, Settings, Version,
};
use crate::domain::pki::{Found, Pair, Seen};
use crate::host::messages::{self, FactsRequest, file};
use crate::host::{Host, HostError};

/// Every leaf of a node.
pub(super) const LEAVES: [(&str, Authority); 6] = [
    ("apiserver", Authority::Cluster),
    ("apiserver-kubelet-client", Authority::Cluster),
    ("controller-manager", Authority::Cluster),
    ("scheduler", Authority::Cluster),
    ("front-proxy-client", Authority::FrontProxy),
    ("apiserver-etcd-client", Authority::Etcd),
];

/// A host that answered completely.
#[derive(Clone, Debug)]
pub struct Look {
    pub(super) facts: Facts,
    pub(super) pki: BTreeMap<Authority, Seen>,
    /// The certificates of the two own authorities in PEM, as they lie there.
    pub(super) authorities: BTreeMap<Authority, Vec<u8>>,
    /// The key that Secrets are encrypted with.
    pub(super) key: Option<EncryptionKey>,
    /// Whether the key of service accounts is there.
    pub(super) has_accounts: bool,
    pub(super) copies: Copies,
    pub(super) notes: Notes,
    pub(super) architecture: Option<Architecture>,
    /// As its kernel calls it: what components name themselves after.
    pub(super) hostname: String,
    /// Of the files on its disk, as a start would note it.
    pub(super) on_disk: BTreeMap<Component, Started>,
    /// Not as rendered, or gone.
    edited: BTreeSet<Component>,
    marker: Option<Marker>,
    host_key: Option<String>,
}

impl Look {
    /// The certificate of the control plane's authority in PEM, where there is one.
    pub fn authority(&self) -> Option<String> {
        let text = self.authorities.get(&Authority::Cluster)?;
        String::from_utf8(text.clone()).ok()
    }

    /// The key that the host has proven to have, for pinning. None for a local one.
    pub fn host_key(&self) -> Option<&str> {
        self.host_key.as_deref()
    }

    /// Whether the host belongs to the control plane.
    pub fn is_ours(&self) -> bool {
        self.facts.owner.is_us()
    }

    /// Whether the host is proven to have nothing of any control plane of this name.
    pub fn is_blank(&self) -> bool {
        self.facts.owner == Owner::Nobody && self.facts.keys.is_none()
    }

    /// What its API server runs.
    pub fn running(&self) -> Option<Settings> {
        self.facts.part(Component::ApiServer).running
    }

    /// What its record says of an object of this kind and name.
    pub(super) fn marker(&self) -> Option<&Marker> {
        self.marker.as_ref()
    }

    /// Whether it can sign for clients of the API.
    pub(super) fn signs(&self) -> bool {
        let pair = self.pki.get(&Authority::Cluster).map(|it| &it.authority);
        self.is_ours()
            && matches!(pair, Some(Pair { key: Found::Is(_), certificate: Found::Is(_) }))
    }

    /// Whether what lies there is not as rendered, and yet nobody's but ours: an apply has not come to its end.
    fn is_of_an_apply(&self, component: Component) -> bool {
        let lies = self.on_disk.get(&component);
        let is_what_runs = lies.is_some() && lies == self.notes.started(component);
        is_what_runs || lies.is_some() && self.notes.previous().is_some()
    }

    /// What an apply would mend here, but for certificates.
    pub(super) fn drift(&self, site: &Site, setup: &Setup) -> Vec<String> {
        let name = &site.name;
        if !self.facts.owner.is_us() {
            return vec![format!("{name}: the host has no record of the control plane")];
        }
        let mut found = Vec::new();
        for component in Component::ALL.iter().copied() {
            let (part, unit) = (self.facts.part(component), site.unit(component));
            let is_newer = part.on_disk.is_some_and(|it| setup.desired.version < it.version);
            if is_newer {
                // No apply takes it back.
            } else if self.edited.contains(&component) && self.is_of_an_apply(component) {
                found.push(format!(
                    "{name}: {unit} was given settings that the state does not have"
                ));
            } else if self.edited.contains(&component) {
                found.push(format!("{name}: {unit} or a file that it reads was edited"));
            } else if part.unit.is_down() {
                found.push(format!("{name}: {unit} does not run"));
            } else if part.running.is_some_and(|it| !it.is_current) {
                found.push(format!("{name}: {unit} runs with earlier settings"));
            }
        }
        if self.facts.keys.is_none() {
            found.push(format!("{name}: keys of the control plane are missing"));
        }
        let is_sealed = match self.facts.bundle {
            KeptBundle::Absent => setup.desired.recipients.is_empty(),
            KeptBundle::Stale => false,
            KeptBundle::Current(_) => true,
        };
        // Of what is missing none is sealed.
        if !is_sealed && self.facts.keys.is_some() {
            found.push(format!("{name}: its recovery bundle is not up to date"));
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
    let own = Authority::OWN.map(|it| format!("{}/ca.crt", site.authority(it)));
    let leaves = LEAVES.map(|(leaf, _)| site.pki(&format!("{leaf}.crt")));
    let units = Component::ALL.iter().map(|it| site.unit_path(*it));
    let secret = site.pki(super::keys::SECRETBOX);
    let paths: Vec<_> = own.into_iter().chain(leaves).chain(units).chain([secret]).collect();
    let claim = &setup.own.claim;
    let names = [record_name(claim), Notes::name(claim), Sealed::name(claim)];
    let (facts, records, contents) = tokio::try_join!(
        host.facts(request(site, setup)?),
        async { host.records(&names.each_ref().map(String::as_str)).await },
        try_join_all(paths.iter().map(|it| content(host, it))),
    )?;
    let incomplete = |reason: String| HostError::Failed {
        host: site.host.clone(),
        call: "tell all that was asked".to_owned(),
        reason,
    };
    if let Some(file) = facts.files.iter().find(|it| it.kind() == file::Kind::Unseen) {
        let path = String::from_utf8_lossy(&file.path);
        return Err(incomplete(format!("{path}: {}", file.error)));
    }
    let Some(notes) = Notes::of(&records, &setup.own.claim) else {
        return Err(incomplete("its notes about the node cannot be read".to_owned()));
    };
    let contents: BTreeMap<String, Option<Vec<u8>>> = paths.into_iter().zip(contents).collect();
    assemble(&Raw { site, setup, facts: &facts, contents, notes }, &records, host.key())
}

/// None: there is none.
async fn content(host: &Host, path: &str) -> Result<Option<Vec<u8>>, HostError> {
    let read = host.read(path, 1 << 20).await?;
    let is_there = read.file.is_some_and(|it| it.kind() == file::Kind::Regular);
    Ok(is_there.then(|| read.content.to_vec()))
}

fn request(site: &Site, setup: &Setup) -> Result<FactsRequest, HostError> {
    let mut files = Copies::FILES.map(|it| site.pki(it)).to_vec();
    for component in Component::ALL {
        // With any key, for its path.
        let key = EncryptionKey::new(&format!("{}=", "A".repeat(43)));
        let wanted =
            site.wanted(&setup.desired, *component, setup.desired.version, key.as_ref())?;
        files.extend(wanted.all().map(|it| it.path.clone()));
    }
    let own = Authority::OWN.map(|it| format!("{}/ca.key", site.authority(it)));
    let keys = Copies::KEYS.map(|it| site.pki(it));
    let leaves = LEAVES.map(|(leaf, _)| site.pki(&format!("{leaf}.key")));
    let keys = own.into_iter().chain(keys).chain(leaves);
    Ok(FactsRequest {
        units: Component::ALL.iter().map(|it| site.unit(*it)).collect(),
        files: files.into_iter().map(Into::into).collect(),
        keys: keys.map(Into::into).collect(),
        projects: vec![Project::Kubernetes.name().to_owned()],
        ..FactsRequest::default()
    })
}

fn assemble(
    raw: &Raw<'_>,
    records: &[messages::Record],
    host_key: Option<&str>,
) -> Result<Look, HostError> {
    let (site, setup) = (raw.site, raw.setup);
    let all = [Authority::Cluster, Authority::FrontProxy, Authority::Etcd];
    let pki: BTreeMap<_, _> = all.into_iter().map(|it| (it, raw.seen(it))).collect();
    let authorities = Authority::OWN.into_iter().filter_map(|it| {
        let content = raw.content(&format!("{}/ca.crt", site.authority(it)))?;
        Some((it, content.to_vec()))
    });
    let authorities: BTreeMap<_, _> = authorities.collect();
    let key = raw.content(&site.pki(super::keys::SECRETBOX)).and_then(super::keys::secret);
    let copies = Copies::of(raw, &pki, &authorities);
    let keys = keys_id(raw, &pki, key.as_ref());
    let recorded = Recorded::of(records, &setup.own.claim);
    let (mut parts, mut on_disk, mut edited) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    for component in Component::ALL.iter().copied() {
        let (part, lies) = raw.part(component, key.as_ref())?;
        if !part.is_on_disk(setup.desired.version) {
            edited.insert(component);
        }
        on_disk.extend(lies.map(|it| (component, it)));
        parts.push(part);
    }
    let sealed = Sealed::of(records, &setup.own.claim);
    let facts = Facts {
        bundle: Sealed::seen(sealed, &setup.desired, keys.as_ref()),
        machine: MachineId(raw.facts.machine_id.clone()),
        owner: setup.own.owner(&recorded),
        keys,
        is_begun: raw.notes.is_begun,
        staged: staged(&raw.facts.projects),
        parts: parts.try_into().unwrap_or([Part::ABSENT; 3]),
        previous: raw.notes.previous(),
        certificates: raw.judge(&pki, copies),
    };
    let accounts = raw.key(&site.pki("sa.key"));
    Ok(Look {
        facts,
        pki,
        authorities,
        key,
        has_accounts: matches!(accounts, Found::Is(_)),
        copies,
        notes: raw.notes.clone(),
        architecture: Architecture::of_kernel(&raw.facts.architecture),
        hostname: raw.facts.hostname.clone(),
        on_disk,
        edited,
        marker: Marker::of(records, &setup.own.claim),
        host_key: host_key.map(str::to_owned),
    })
}

fn staged(projects: &[messages::Project]) -> BTreeSet<Version> {
    let versions = projects.iter().flat_map(|it| &it.versions).filter(|it| it.error.is_empty());
    let is_whole = |it: &&messages::InstalledVersion| {
        let has = |program: &str| it.files.iter().any(|it| it.name == program);
        Component::ALL.iter().all(|it| has(it.program()))
    };
    versions.filter(is_whole).filter_map(|it| it.name.parse().ok()).collect()
}
