//! What goes on around a host in memory: whoever runs its programs, and whoever lets its calls fail.

use std::sync::{Arc, Weak};

use tokio::io::DuplexStream;
use tokio_util::sync::CancellationToken;

use super::state::{Entry, UNITS};
use super::{Failure, FakeHost};

/// The programs and the network of hosts in memory.
pub trait Around: Send + Sync {
    /// A call comes to the host. `change` is what it changes, as the transcript will have it; None: it only looks. Programs
    /// go on to where they are by now. How the call fails, if it does.
    fn comes(&self, host: &FakeHost, change: Option<&str>) -> Option<Failure>;

    /// A connection to a port or to a socket of the host. None: nobody listens there.
    fn connect(&self, host: &FakeHost, address: &str) -> Option<DuplexStream>;
}

impl FakeHost {
    /// From now on this goes on around it, for as long as somebody keeps it.
    pub fn put_into(&self, around: Weak<dyn Around>) {
        self.state().around = Some(around);
    }

    pub(super) fn around(&self) -> Option<Arc<dyn Around>> {
        self.state().around.as_ref()?.upgrade()
    }

    pub(super) fn comes(&self, change: Option<&str>) -> Option<Failure> {
        self.around()?.comes(self, change)
    }

    pub(super) fn connect(&self, address: &str) -> Option<DuplexStream> {
        self.around()?.connect(self, address)
    }

    /// A host with all that is on this one now, to go its own way. Nobody is connected to it, and nothing goes on around it.
    #[must_use]
    pub fn fork(&self) -> Self {
        let mut state = self.state().clone();
        (state.connection, state.around) = (CancellationToken::new(), None);
        state.held.clear();
        Self(Arc::new(std::sync::Mutex::new(state)))
    }

    /// Whether both are the same host.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether it does not answer.
    pub fn is_silent(&self) -> bool {
        self.state().is_silent
    }

    /// The processes of services: unit, number, and the unit file as it was when it was started.
    pub fn processes(&self) -> Vec<(String, u32, Vec<u8>)> {
        let state = self.state();
        let running = state.units.iter().filter(|(_, it)| it.is_active);
        running.map(|(name, it)| (name.clone(), it.process(), it.read.clone())).collect()
    }

    /// What tells one reading of its files by a service from the next: the number of its process, and how often that was
    /// told to read them anew. None: it does not run.
    pub fn reads(&self, unit: &str) -> Option<(u32, u32)> {
        let state = self.state();
        let unit = state.units.get(unit).filter(|it| it.is_active)?;
        Some((unit.process(), unit.reloads))
    }

    /// The addresses that it has from now on.
    pub fn set_addresses(&self, addresses: Vec<crate::proto::agent::Address>) {
        self.state().addresses = addresses;
    }

    /// Starts a service behind the back of the provider, as systemd does when the machine comes up again.
    pub fn start(&self, unit: &str) {
        // Without a unit file nothing happens.
        let _ = self.state().act(crate::proto::agent::service_request::Action::Start, unit);
    }

    /// Whether the version of a release is installed.
    pub fn has_installed(&self, project: &str, version: &str) -> bool {
        let project = self.state().project(project);
        project.versions.iter().any(|it| it.name == version)
    }

    /// Who else is on its network from now on.
    pub fn meets(&self, strangers: crate::proto::agent::ListenReply) {
        self.state().strangers = strangers;
    }

    /// Makes a directory behind the back of the provider.
    pub fn make_directory(&self, path: &str) {
        let entry = Entry { content: Vec::new(), mode: 0o700, is_directory: true };
        self.state().files.insert(path.to_owned(), entry);
    }

    /// Removes a file or a directory with all that is in it behind the back of the provider.
    pub fn wipe(&self, path: &str) {
        let _ = self.state().remove(path, true);
    }

    /// Where the unit file of a service lies.
    pub fn unit_path(unit: &str) -> String {
        format!("{UNITS}/{unit}")
    }
}
