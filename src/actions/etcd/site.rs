//! Where things lie on a host, and the unit of its member.

use std::collections::BTreeMap;
use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

use crate::domain::etcd::{
    Desired, Files, Folder, Name, PeerUrl, Place, Settings, TextFault, Token, Version,
    initial_cluster, render,
};
use crate::domain::service::{self, Definition, DefinitionError, Hardening, Restart, Service};
use crate::host::{File, HostName};

/// The user that members run as.
pub(super) const USER: &str = "etcd";
/// What a first start reads, and nobody later: it changes without a restart.
const INITIAL: &str = "ETCD_INITIAL_CLUSTER";
/// Where programs are, by version.
pub(super) const PROGRAMS: &str = "/usr/local/lib/ha/etcd";

/// Where the keys and certificates of a cluster lie.
pub(super) fn certificates(cluster: &str) -> String {
    format!("/etc/etcd-{cluster}")
}

/// The directory of its authority.
pub(in crate::actions) fn authority(cluster: &str) -> String {
    format!("{}/ca", certificates(cluster))
}

/// What a client on a host of a cluster asks its member with, as paths of the host.
pub(in crate::actions) struct ClientFiles {
    /// Whom to believe.
    pub(in crate::actions) authority: String,
    /// What the member itself shows.
    pub(in crate::actions) certificate: String,
    /// Its key.
    pub(in crate::actions) key: String,
}

/// The certificate of the member serves for that too.
pub(in crate::actions) fn client_files(cluster: &str) -> ClientFiles {
    let file = |name: &str, end| format!("{}/{name}.{end}", certificates(cluster));
    let leaf = super::setup::SERVER;
    ClientFiles {
        authority: file("ca", "crt"),
        certificate: file(leaf, "crt"),
        key: file(leaf, "key"),
    }
}

/// A host of the cluster.
#[derive(Clone, Debug)]
pub struct Site {
    /// The key of its member.
    pub name: Name,
    /// How errors call it.
    pub host: HostName,
    /// Where its member is to be.
    pub place: Place,
    /// What stands before each path in what programs are told.
    pub root: String,
    /// How the others reach the member.
    pub peer_url: PeerUrl,
    cluster: String,
    data_dir: Folder,
    wal_dir: Option<Folder>,
    files: Files,
}

impl Site {
    /// The host of the member `name`.
    ///
    /// # Errors
    /// A path below `root` is none that a unit could hold.
    pub fn new(
        desired: &Desired,
        name: Name,
        host: HostName,
        place: Place,
        root: &str,
    ) -> Result<Self, TextFault> {
        let below = |path: &str| format!("{root}{path}").parse::<Folder>();
        let cluster = desired.name.to_string();
        let files = Files {
            data_dir: below(desired.data_dir.as_str())?,
            wal_dir: desired.wal_dir.as_ref().map(|it| below(it.as_str())).transpose()?,
            certificates: below(&format!("/etc/etcd-{cluster}"))?,
        };
        let peer_url = desired.peer_url(place);
        let (data_dir, wal_dir) = (desired.data_dir.clone(), desired.wal_dir.clone());
        let root = root.to_owned();
        Ok(Self { name, host, place, root, peer_url, cluster, data_dir, wal_dir, files })
    }

    /// `etcd-prod.service`
    pub(super) fn unit(&self) -> String {
        format!("etcd-{}.service", self.cluster)
    }

    pub(super) fn unit_path(&self) -> String {
        format!("/etc/systemd/system/{}", self.unit())
    }

    /// Keys and certificates.
    pub(super) fn certificates(&self) -> String {
        certificates(&self.cluster)
    }

    pub(super) fn certificate(&self, leaf: &str) -> String {
        format!("{}/{leaf}.crt", self.certificates())
    }

    pub(super) fn key(&self, leaf: &str) -> String {
        format!("{}/{leaf}.key", self.certificates())
    }

    /// The directory of the authority.
    pub(super) fn authority(&self) -> String {
        authority(&self.cluster)
    }

    pub(super) fn data_dir(&self) -> &str {
        self.data_dir.as_str()
    }

    /// All directories with data.
    pub(super) fn data_dirs(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.data_dir).chain(&self.wal_dir).map(Folder::as_str)
    }

    /// What is there once a member was started.
    pub(super) fn member_path(&self) -> String {
        format!("{}/member", self.data_dir)
    }

    /// What marks the data of a restore: where it is in its place, and where it waits for that.
    pub(super) fn marks(&self) -> [String; 2] {
        ["", ".restore"].map(|end| format!("{}{end}/member/ha-restored", self.data_dir))
    }

    pub(super) fn wal_dir(&self) -> Option<&str> {
        self.wal_dir.as_ref().map(Folder::as_str)
    }

    /// Where it tells of its health, in plain HTTP.
    pub(super) fn metrics(&self, desired: &Desired) -> String {
        std::net::SocketAddr::new(self.metrics_address(), desired.ports.metrics).to_string()
    }

    /// Where that port is.
    pub(super) fn metrics_address(&self) -> IpAddr {
        if self.place.is_local { self.place.address } else { std::net::Ipv4Addr::LOCALHOST.into() }
    }

    /// What runs there, but for what a first start reads.
    pub(super) fn service(&self, desired: &Desired, version: Version) -> Service {
        let rendered = render(desired, &self.name, self.place, version, &self.files);
        let program = format!("{}{PROGRAMS}/{version}/etcd", self.root);
        let name = format!("etcd-{}", self.cluster);
        let mut it = Service::new(&name, &format!("etcd of {}", self.cluster), &program);
        it.arguments = rendered.arguments;
        it.environment = rendered.environment.into_iter().collect();
        // A removed member ends by itself, with status 0.
        it.restart = Restart::OnFailure;
        it.open_files = Some(65_536);
        if !self.place.is_local {
            it.user = Some(USER.to_owned());
            it.group = Some(USER.to_owned());
            it.after = vec!["network-online.target".to_owned()];
            it.wants = it.after.clone();
            it.hardening = Hardening::ALL.iter().copied().collect();
            it.writable = self.data_dirs().map(str::to_owned).collect();
        }
        it
    }

    /// Stands for what a process was started with.
    pub(super) fn stamp(&self, desired: &Desired, version: Version) -> String {
        let text = format!("{:?}", self.service(desired, version));
        let half = Sha256::digest(text);
        let half = half.iter().take(16).fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
        format!("{half:032x}")
    }

    /// The file of the unit.
    pub(super) fn unit_file(
        &self,
        desired: &Desired,
        version: Version,
        initial: Initial,
    ) -> Result<File, DefinitionError> {
        let mut service = self.service(desired, version);
        service.environment.extend(initial.0);
        let content = service::render(&Definition::new(service)?).into_bytes();
        Ok(File { path: self.unit_path(), content, mode: 0o644, ..File::default() })
    }

    /// What a unit file says: settings, and what a first start reads. None: nobody of us wrote it.
    pub(super) fn read_unit(&self, desired: &Desired, text: &[u8]) -> Option<(Settings, Initial)> {
        let name = format!("etcd-{}", self.cluster);
        let definition = service::parse(&name, std::str::from_utf8(text).ok()?).ok()?;
        let mut found = Service::clone(&definition);
        let initial = found.environment.extract_if(.., |key, _| key.starts_with(INITIAL)).collect();
        let program = found.program.strip_prefix(&self.root)?.strip_prefix(PROGRAMS)?;
        let version = program.strip_prefix('/')?.strip_suffix("/etcd")?.parse().ok()?;
        let flag = "--listen-peer-urls=https://";
        let address = found.arguments.iter().find_map(|it| it.strip_prefix(flag))?;
        let address = address.parse::<std::net::SocketAddr>().ok()?.ip();
        let is_current = found == self.service(desired, version);
        Some((Settings { version, address, is_current }, Initial(initial)))
    }
}

/// The variables that only a first start reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Initial(BTreeMap<String, String>);

impl Initial {
    pub(super) fn new(
        desired: &Desired,
        token: &Token,
        members: &BTreeMap<Name, PeerUrl>,
        is_new: bool,
    ) -> Self {
        let members = members.iter().map(|(name, url)| (name.as_str(), url));
        Self(initial_cluster(&desired.name, token, members, is_new).into_iter().collect())
    }

    /// The members that a first start would make a cluster of. None: it would look for others.
    pub(super) fn seeds(&self) -> Option<BTreeMap<Name, PeerUrl>> {
        if self.0.get("ETCD_INITIAL_CLUSTER_STATE")? != "new" {
            return None;
        }
        let seed = |it: &str| {
            let (name, url) = it.split_once('=')?;
            Some((name.parse().ok()?, PeerUrl::listed(url)))
        };
        Some(self.0.get(INITIAL)?.split(',').filter_map(seed).collect())
    }
}
