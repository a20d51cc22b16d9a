//! Where things lie on a host, and what its components are to have there.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sha2::{Digest as _, Sha256};

use crate::domain::host::Place;
use crate::domain::kubernetes::{
    Authority, Component, ConfigFile, Desired, EncryptionKey, Layout, Version, files, service,
};
use crate::domain::name::{ClusterName, Folder, Name, TextFault};
use crate::domain::service::{Definition, render};
use crate::host::{File, HostError, HostName};

/// Where units lie.
const UNITS: &str = "/etc/systemd/system";
const PROGRAMS: &str = "/usr/local/lib/ha/kubernetes";

/// The directory of an authority on every host: as a whole, which only the agent reads. Components have copies beside it.
pub(super) fn authority(name: &ClusterName, which: Authority) -> String {
    format!("{}/pki/{}", folder(name), which.file())
}

/// All that a control plane has on a host, but for units, programs and logs.
pub(super) fn folder(name: &ClusterName) -> String {
    format!("/etc/kubernetes-{name}")
}

/// A host of the control plane.
#[derive(Clone, Debug)]
pub struct Site {
    /// The key of its node.
    pub name: Name,
    /// How errors call it.
    pub host: HostName,
    /// Where its API server is to be.
    pub place: Place,
    /// What stands before each path in what programs are told.
    pub root: String,
    control_plane: ClusterName,
    /// As programs are told.
    told: Layout,
    /// As the agent is.
    own: Layout,
    log: Folder,
}

/// What one component reads, as the agent puts it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) unit: File,
    pub(super) files: Vec<File>,
}

impl Wanted {
    pub(super) fn all(&self) -> impl Iterator<Item = &File> {
        std::iter::once(&self.unit).chain(&self.files)
    }

    /// Stands for all of it.
    pub(super) fn stamp(&self) -> String {
        let digest = |it: &File| Sha256::digest(&it.content).to_vec();
        stamp(self.all().map(|it| (it.path.as_str(), digest(it))))
    }
}

/// Stands for files, each with its path and its digest.
pub(super) fn stamp<'a>(files: impl Iterator<Item = (&'a str, Vec<u8>)>) -> String {
    let mut all = Sha256::new();
    for (path, digest) in files {
        all.update((path.len() as u64).to_le_bytes());
        all.update(path);
        all.update(digest);
    }
    let mut text = String::new();
    for byte in all.finalize().iter().take(16) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The user that a component runs as.
pub(super) fn user(component: Component) -> &'static str {
    component.program()
}

/// Of the API servers of a control plane: `kube-apiserver-prod.service`
pub(in crate::actions) fn api_server_unit(control_plane: &str) -> String {
    format!("{}-{control_plane}.service", Component::ApiServer.program())
}

impl Site {
    /// The host of the node `name`.
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
        let (told, own) = (Layout::new(&desired.name, root)?, Layout::new(&desired.name, "")?);
        let log = own.log().clone();
        let (root, control_plane) = (root.to_owned(), desired.name.clone());
        Ok(Self { name, host, place, root, control_plane, told, own, log })
    }

    /// As programs are told.
    pub(super) fn told(&self) -> &Layout {
        &self.told
    }

    /// `kube-apiserver-prod.service`
    pub(super) fn unit(&self, component: Component) -> String {
        format!("{}.service", self.own.service(component))
    }

    pub(super) fn unit_path(&self, component: Component) -> String {
        format!("{UNITS}/{}", self.unit(component))
    }

    /// Where the programs of a version lie.
    pub(super) fn programs(version: Version) -> String {
        format!("{PROGRAMS}/{version}")
    }

    /// All that is there but units, programs and logs.
    pub(super) fn folder(&self) -> String {
        folder(&self.control_plane)
    }

    pub(super) fn log(&self) -> &str {
        self.log.as_str()
    }

    /// Among the keys and certificates.
    pub(super) fn pki(&self, file: &str) -> String {
        self.own.pki(file)
    }

    /// The directory of an authority.
    pub(super) fn authority(&self, which: Authority) -> String {
        authority(&self.control_plane, which)
    }

    /// What ran before lies here, under the names of its files.
    pub(super) fn previous(&self) -> String {
        format!("{}/previous", self.folder())
    }

    /// Where a copy of what ran before is.
    pub(super) fn kept(&self, path: &str) -> String {
        let file = path.rsplit('/').next().unwrap_or_default();
        format!("{}/{file}", self.previous())
    }

    /// A path as the agent is told it.
    pub(super) fn strip<'a>(&self, told: &'a str) -> &'a str {
        told.strip_prefix(&self.root).unwrap_or(told)
    }

    /// Where a component says how it is.
    pub(super) fn socket(&self, desired: &Desired, component: Component) -> SocketAddr {
        let port = |usual: u16| {
            let chosen = desired.extras(component).arguments.as_slice().iter();
            let number = |it: &String| {
                it.replace('_', "-").strip_prefix("--secure-port=")?.parse::<u16>().ok()
            };
            chosen.filter_map(number).next_back().unwrap_or(usual)
        };
        let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
        let address = if self.place.is_local { self.place.address } else { loopback };
        match component {
            Component::ApiServer => desired.socket(self.place),
            Component::ControllerManager => SocketAddr::new(address, port(10257)),
            Component::Scheduler => SocketAddr::new(address, port(10259)),
        }
    }

    /// What a component is to have in this version. Without the key, what holds it is left out.
    ///
    /// # Errors
    /// No unit can hold what is wished.
    pub(super) fn wanted(
        &self,
        desired: &Desired,
        component: Component,
        version: Version,
        key: Option<&EncryptionKey>,
    ) -> Result<Wanted, HostError> {
        let it = service(desired, component, self.place, version, &self.told);
        let definition = Definition::new(it).map_err(|err| HostError::Failed {
            host: self.host.clone(),
            call: format!("write {}", self.unit(component)),
            reason: err.to_string(),
        })?;
        let unit = File {
            path: self.unit_path(component),
            content: render(&definition).into_bytes(),
            mode: 0o644,
            ..File::default()
        };
        let own = files(desired, component, self.place, &self.told, key);
        let files = own.into_iter().map(|it| self.file(component, it)).collect();
        Ok(Wanted { unit, files })
    }

    /// Of a file that only its component may read, the component is the owner.
    fn file(&self, component: Component, it: ConfigFile) -> File {
        let path = self.strip(&it.path).to_owned();
        let is_own = it.is_secret || path == self.own.kubeconfig(component);
        let (user, mode) = if is_own { (user(component), 0o600) } else { ("", 0o644) };
        let content = it.content.into_bytes();
        File { path, content, mode, user: user.to_owned(), group: user.to_owned() }
    }
}
