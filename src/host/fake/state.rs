//! What is on a host in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{Around, Failure, FakeHost};
use crate::proto::agent::file::Kind;
use crate::proto::agent::service_request::Action;
use crate::proto::agent::{
    self, Address, Artifact, Claim, EnsurePackagesReply, InstalledFile, InstalledVersion,
    JournalEntry, ListenReply, Package, Project, Record,
};

/// Where unit files lie.
pub(super) const UNITS: &str = "/etc/systemd/system";

/// Everything.
#[derive(Clone)]
pub(super) struct State {
    pub(super) machine: String,
    pub(super) files: BTreeMap<String, Entry>,
    pub(super) units: BTreeMap<String, Unit>,
    pub(super) records: BTreeMap<String, Record>,
    /// What was installed from releases, by project.
    pub(super) projects: BTreeMap<String, Project>,
    pub(super) packages: BTreeSet<String>,
    /// How many keys were made at a path.
    pub(super) keys: BTreeMap<String, u32>,
    /// The last number of each lock.
    pub(super) generations: BTreeMap<String, u64>,
    /// The locks of the present connection.
    pub(super) held: BTreeSet<String>,
    /// Locks that somebody else has, by his own connection, and who. A number: the connection is lost, and the lock is let
    /// go when it was asked for so often.
    pub(super) taken: BTreeMap<String, (String, Option<u32>)>,
    /// By address: the unit that listens there, and what it says.
    pub(super) listeners: BTreeMap<String, (String, Say)>,
    /// By address: how a meeting fails with something between the hosts that answers for whoever is there.
    pub(super) between: BTreeMap<String, String>,
    /// Addresses that none of its packets reach.
    pub(super) walls: BTreeSet<String>,
    pub(super) addresses: Vec<Address>,
    /// Who else is on the network of it.
    pub(super) strangers: ListenReply,
    pub(super) journal: Vec<JournalEntry>,
    pub(super) transcript: Vec<String>,
    pub(super) failure: Option<(usize, Failure)>,
    pub(super) is_silent: bool,
    pub(super) delay: Duration,
    pub(super) connection: CancellationToken,
    pub(super) around: Option<Weak<dyn Around>>,
}

/// What a service says to whoever connects.
pub(super) type Say = Arc<dyn Fn(&FakeHost) -> String + Send + Sync>;

/// A file or a directory.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) content: Vec<u8>,
    pub(super) mode: u32,
    pub(super) is_directory: bool,
}

/// A service.
#[derive(Clone, Default)]
pub(super) struct Unit {
    pub(super) is_active: bool,
    pub(super) is_enabled: bool,
    /// The unit file as it was when it was started.
    pub(super) read: Vec<u8>,
    starts: u32,
    pub(super) reloads: u32,
}

impl Unit {
    /// 0: none.
    pub(super) fn process(&self) -> u32 {
        if self.is_active { 1000 + self.starts } else { 0 }
    }
}

impl State {
    pub(super) fn new(machine: &str) -> Self {
        Self {
            machine: machine.to_owned(),
            files: BTreeMap::new(),
            units: BTreeMap::new(),
            records: BTreeMap::new(),
            projects: BTreeMap::new(),
            packages: BTreeSet::new(),
            keys: BTreeMap::new(),
            generations: BTreeMap::new(),
            held: BTreeSet::new(),
            taken: BTreeMap::new(),
            listeners: BTreeMap::new(),
            between: BTreeMap::new(),
            walls: BTreeSet::new(),
            addresses: Vec::new(),
            strangers: ListenReply::default(),
            journal: Vec::new(),
            transcript: Vec::new(),
            failure: None,
            is_silent: false,
            delay: Duration::ZERO,
            connection: CancellationToken::new(),
            around: None,
        }
    }

    /// Installs what is missing.
    pub(super) fn ensure_packages(&mut self, names: Vec<String>) -> EnsurePackagesReply {
        let package = |name: &String| Package {
            name: name.clone(),
            version: "1".to_owned(),
            ..Package::default()
        };
        let packages: Vec<_> = names.iter().map(package).collect();
        let changed = names.iter().any(|it| !self.packages.contains(it));
        for name in &names {
            // Where those lie that are looked for.
            self.edit(&format!("/usr/sbin/{name}"), b"a program");
        }
        self.packages.extend(names);
        EnsurePackagesReply { changed, packages }
    }

    pub(super) fn contents(&self) -> Vec<String> {
        let file = |(path, it): (&String, &Entry)| {
            format!("{path} {:o} {:?}", it.mode, String::from_utf8_lossy(&it.content))
        };
        let unit = |(name, it): (&String, &Unit)| match (it.is_active, it.is_enabled) {
            (false, false) => None,
            (runs, starts) => Some(format!("{name} runs: {runs}, at boot: {starts}")),
        };
        let record =
            |it: &Record| format!("{} {:?}", it.name, String::from_utf8_lossy(&it.content));
        let files = self.files.iter().map(file);
        files
            .chain(self.units.iter().filter_map(unit))
            .chain(self.records.values().map(record))
            .collect()
    }

    pub(super) fn edit(&mut self, path: &str, content: &[u8]) {
        let entry = Entry { content: content.to_vec(), mode: 0o644, is_directory: false };
        self.files.insert(path.to_owned(), entry);
    }

    /// As the agent: the lock is held, and by this run.
    pub(super) fn admit(&self, claim: Option<&Claim>) -> Result<(), Status> {
        let Some(claim) = claim else {
            return Err(Status::invalid_argument("the call shows no lock"));
        };
        let is_held = self.held.contains(&claim.lock);
        if is_held && self.generations.get(&claim.lock) == Some(&claim.generation) {
            return Ok(());
        }
        Err(Status::failed_precondition(format!("the lock {:?} is not held", claim.lock)))
    }

    pub(super) fn file(&self, path: &[u8]) -> agent::File {
        let path = String::from_utf8_lossy(path).into_owned();
        let mut file = agent::File { path: path.clone().into(), ..agent::File::default() };
        match self.files.get(&path) {
            None => file.set_kind(Kind::Absent),
            Some(entry) if entry.is_directory => file.set_kind(Kind::Directory),
            Some(entry) => {
                file.set_kind(Kind::Regular);
                file.size = entry.content.len() as u64;
                file.digest = Sha256::digest(&entry.content).to_vec().into();
            }
        }
        file.mode = self.files.get(&path).map_or(0, |it| it.mode);
        file
    }

    pub(super) fn project(&self, name: &str) -> Project {
        let project = self.projects.get(name).cloned().unwrap_or_default();
        Project { name: name.to_owned(), ..project }
    }

    /// Believes that the artifact is what its digest says. Whether it was not there yet.
    pub(super) fn install(&mut self, artifact: &Artifact) -> bool {
        let file = |it: &agent::Member| InstalledFile {
            name: it.name.clone(),
            digest: artifact.digest.clone(),
            artifact: artifact.digest.clone(),
        };
        let files: Vec<_> = artifact.members.iter().map(file).collect();
        let project = self.projects.entry(artifact.project.clone()).or_default();
        let is_it = |it: &&mut InstalledVersion| it.name == artifact.version;
        let Some(version) = project.versions.iter_mut().find(is_it) else {
            let name = artifact.version.clone();
            project.versions.push(InstalledVersion { name, files, ..InstalledVersion::default() });
            return true;
        };
        let before = version.files.clone();
        version.files.retain(|it| !files.iter().any(|new| new.name == it.name));
        version.files.extend(files);
        version.files.sort_by(|a, b| a.name.cmp(&b.name));
        version.files != before
    }

    /// Whether another version was current.
    pub(super) fn switch(&mut self, project: String, version: String) -> bool {
        let project = self.projects.entry(project).or_default();
        std::mem::replace(&mut project.current, version) != project.current
    }

    /// Whether the version was there.
    pub(super) fn uninstall(&mut self, project: String, version: &str) -> bool {
        let project = self.projects.entry(project).or_default();
        let before = project.versions.len();
        project.versions.retain(|it| it.name != version);
        project.versions.len() < before
    }

    pub(super) fn unit(&self, name: &str) -> agent::Unit {
        let text = self.files.get(&format!("{UNITS}/{name}"));
        let unit = self.units.get(name).cloned().unwrap_or_default();
        let word = |is: bool, yes: &str, no: &str| if is { yes } else { no }.to_owned();
        agent::Unit {
            name: name.to_owned(),
            load: word(text.is_some(), "loaded", "not-found"),
            active: word(unit.is_active, "active", "inactive"),
            sub: word(unit.is_active, "running", "dead"),
            enabled: word(unit.is_enabled, "enabled", "disabled"),
            process: unit.process(),
            restarts: 0,
            stale: unit.is_active && text.is_some_and(|it| it.content != unit.read),
        }
    }

    pub(super) fn act(&mut self, action: Action, name: &str) -> Result<(), Status> {
        let text = self.files.get(&format!("{UNITS}/{name}")).map(|it| it.content.clone());
        let unit = self.units.entry(name.to_owned()).or_default();
        match action {
            Action::Start | Action::Restart | Action::Enable if text.is_none() => {
                return Err(Status::failed_precondition(format!("Unit {name} not found.")));
            }
            Action::Start if unit.is_active => {}
            Action::Start | Action::Restart => {
                unit.is_active = true;
                unit.starts += 1;
                unit.read = text.unwrap_or_default();
            }
            Action::Stop => unit.is_active = false,
            Action::Enable => unit.is_enabled = true,
            Action::Disable | Action::Mask => unit.is_enabled = false,
            Action::Reload if unit.is_active => unit.reloads += 1,
            Action::Reload => {
                return Err(Status::failed_precondition(format!("{name} is not active")));
            }
            _ => {}
        }
        Ok(())
    }
}
