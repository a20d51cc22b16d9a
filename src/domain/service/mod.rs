//! A service: one definition, written as a systemd unit. systemd and the agent's own supervisor read the same file.
//!
//! A [`Service`] is what a planner fills in; a [`Definition`] is one that was checked, so that it can be printed without
//! a further thought. `parse(render(definition))` gives the definition back.

mod check;
mod parse;
mod render;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::time::Duration;

pub use self::check::DefinitionError;
pub use self::parse::{ParseError, parse};
pub use self::render::render;

/// What is to run, and how. Paths are those of the system that runs it: nothing is put in front of them, since only
/// who writes a definition knows which arguments are paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Of the unit, without `.service`.
    pub name: String,
    /// For people, in one line.
    pub description: String,
    /// Absolute path of the program.
    pub program: String,
    /// Passed on unchanged, without the name of the program.
    pub arguments: Vec<String>,
    /// Beside what systemd gives to every service.
    pub environment: BTreeMap<String, String>,
    /// None: root, or whoever the supervisor runs as.
    pub user: Option<String>,
    /// None: the main group of the user.
    pub group: Option<String>,
    /// None: `/`.
    pub working_directory: Option<String>,
    /// When it is started again.
    pub restart: Restart,
    /// The first wait before that, in whole milliseconds. systemd always waits so long; the supervisor doubles it.
    pub restart_delay: Duration,
    /// Asks the main process to end.
    pub stop_signal: Signal,
    /// After this it is killed, with all that it started. In whole milliseconds.
    pub stop_timeout: Duration,
    /// Asks the main process to read its configuration again. None: it cannot.
    pub reload: Option<Signal>,
    /// How it is known that it has started.
    pub start: Start,
    /// Units that start before it, when they start at all.
    pub after: Vec<String>,
    /// Units that are started with it.
    pub wants: Vec<String>,
    /// The largest number of open files.
    pub open_files: Option<u64>,
    /// What it may not do. Only systemd enforces this, and the next three fields.
    pub hardening: BTreeSet<Hardening>,
    /// Directories that it may write in spite of [`Hardening::System`].
    pub writable: Vec<String>,
    /// The only capabilities that it has, whoever its user is. None: those of its user.
    pub capabilities: Option<Vec<String>>,
    /// Directories below `/var/lib`, made for it and kept.
    pub state_directories: Vec<String>,
    /// Directories below `/run`, made for it and gone with it.
    pub runtime_directories: Vec<String>,
    /// Commands that run before each start, one after the other. It is not started when one fails.
    pub start_pre: Vec<Vec<String>>,
    /// Commands that run after each end.
    pub stop_post: Vec<Vec<String>>,
}

/// When a service is started again. No number of failures ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// However it ended, unless it was stopped.
    Always,
    /// Unless it ended with status 0 or by a signal that asks to end.
    OnFailure,
}

/// What is sent to a main process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `SIGHUP`
    Hup,
    /// `SIGINT`
    Int,
    /// `SIGQUIT`
    Quit,
    /// `SIGTERM`
    Term,
    /// `SIGUSR1`
    Usr1,
    /// `SIGUSR2`
    Usr2,
}

/// How it is known that a service has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It runs.
    Simple,
    /// It says so, over the socket in `NOTIFY_SOCKET`.
    Notify,
}

/// What a service may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hardening {
    /// Become more than it is, by set-user-ID programs.
    Privileges,
    /// Write anywhere but where it is told, `/dev`, `/proc` and `/sys`.
    System,
    /// See the home directories.
    Home,
    /// See the temporary files of others.
    Temporary,
    /// Have memory that is written and run. Not for programs that compile at run time.
    Memory,
}

impl Service {
    /// Runs a program as root, for ever, with nothing special about it.
    pub fn new(name: &str, description: &str, program: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            user: None,
            group: None,
            working_directory: None,
            restart: Restart::Always,
            restart_delay: Duration::from_secs(1),
            stop_signal: Signal::Term,
            // The default of systemd.
            stop_timeout: Duration::from_secs(90),
            reload: None,
            start: Start::Simple,
            after: Vec::new(),
            wants: Vec::new(),
            open_files: None,
            hardening: BTreeSet::new(),
            writable: Vec::new(),
            capabilities: None,
            state_directories: Vec::new(),
            runtime_directories: Vec::new(),
            start_pre: Vec::new(),
            stop_post: Vec::new(),
        }
    }
}

/// A service that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition(Service);

impl Definition {
    /// Checks a service.
    ///
    /// # Errors
    /// The first field that no unit file could hold without a second meaning.
    pub fn new(service: Service) -> Result<Self, DefinitionError> {
        check::check(&service)?;
        Ok(Self(service))
    }

    /// The name of its unit: `etcd.service`.
    pub fn unit(&self) -> String {
        format!("{}.service", self.name)
    }
}

impl Deref for Definition {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.0
    }
}

impl Signal {
    /// Every signal.
    pub const ALL: &[Self] =
        &[Self::Hup, Self::Int, Self::Quit, Self::Term, Self::Usr1, Self::Usr2];

    /// Without `SIG`.
    fn name(self) -> &'static str {
        match self {
            Self::Hup => "HUP",
            Self::Int => "INT",
            Self::Quit => "QUIT",
            Self::Term => "TERM",
            Self::Usr1 => "USR1",
            Self::Usr2 => "USR2",
        }
    }
}

impl Hardening {
    /// Every kind.
    pub const ALL: &[Self] =
        &[Self::Privileges, Self::System, Self::Home, Self::Temporary, Self::Memory];

    /// The setting of systemd and its value.
    fn setting(self) -> (&'static str, &'static str) {
        match self {
            Self::Privileges => ("NoNewPrivileges", "yes"),
            Self::System => ("ProtectSystem", "strict"),
            Self::Home => ("ProtectHome", "yes"),
            Self::Temporary => ("PrivateTmp", "yes"),
            Self::Memory => ("MemoryDenyWriteExecute", "yes"),
        }
    }
}
