//! One connection to each host for the whole process, whichever resource asks.
#![expect(clippy::disallowed_methods, reason = "waits for hosts to start")]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info};

use super::connect::{ConnectError, Stream};
use super::fake::FakeHost;
use super::{Binaries, Host, HostError, HostName, local, ssh};

/// A host to go to.
#[derive(Clone, Debug)]
pub struct Target {
    /// How the user calls it.
    pub name: HostName,
    /// How to get there.
    pub way: Way,
}

impl Target {
    /// How long it is waited for when it may be starting.
    pub fn boot_wait(&self) -> Duration {
        match &self.way {
            Way::Ssh(target) => target.connection.boot_wait,
            Way::Local { .. } | Way::Fake(_) => Duration::ZERO,
        }
    }

    /// Whether both lead to the same machine as far as their words tell, whoever logs in.
    pub fn is_same_place(&self, other: &Self) -> bool {
        match (&self.way, &other.way) {
            (Way::Local { root }, Way::Local { root: other }) => root == other,
            (Way::Ssh(it), Way::Ssh(other)) => {
                (&it.address, it.port) == (&other.address, other.port)
            }
            (Way::Fake(it), Way::Fake(other)) => it.machine() == other.machine(),
            _ => false,
        }
    }

    /// What stands before each path of the host in what its programs are told.
    pub fn root(&self) -> &str {
        match &self.way {
            Way::Local { root } => root.to_str().unwrap_or_default(),
            Way::Ssh(_) | Way::Fake(_) => "",
        }
    }
}

/// How to get to a host.
#[derive(Clone, Debug)]
pub enum Way {
    /// It is a directory of this machine.
    Local {
        /// What stands for `/`.
        root: PathBuf,
    },
    /// By SSH.
    Ssh(ssh::Target),
    /// It is in memory, for tests.
    Fake(FakeHost),
}

/// How long a host that does not answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// One try, for a look: it may not have been built yet. Not even the directory of a local host is made.
    Once,
    /// Until it has started, or this moment.
    Boot(Instant),
}

/// Between two tries to reach a host that is starting.
const PAUSE: Duration = Duration::from_millis(500);
/// While another call waits for the same host to start.
const ONCE: Duration = Duration::from_secs(10);

/// The connections, by where they lead.
#[derive(Debug)]
pub struct Hosts {
    caller: String,
    directory: Option<PathBuf>,
    agents: OnceLock<Result<Binaries, String>>,
    fakes: HashMap<String, FakeHost>,
    slots: std::sync::Mutex<HashMap<String, Arc<Mutex<Option<Host>>>>>,
}

impl Hosts {
    /// None yet. `caller` is told to whoever finds a lock taken. The agents are those that lie in `directory`; without
    /// one, as [`Binaries::find`] has it.
    pub fn new(caller: String, directory: Option<PathBuf>) -> Self {
        let (agents, fakes) = (OnceLock::new(), HashMap::new());
        Self { caller, directory, agents, fakes, slots: std::sync::Mutex::default() }
    }

    /// For tests: what stands behind some addresses instead of a way by SSH.
    pub fn with_fakes(
        caller: String,
        fakes: HashMap<String, FakeHost>,
        directory: Option<PathBuf>,
    ) -> Self {
        Self { fakes, ..Self::new(caller, directory) }
    }

    /// Looked for once, and only when a host is to be reached.
    fn agents(&self) -> Result<&Binaries, ConnectError> {
        let found = self.agents.get_or_init(|| {
            let found = match &self.directory {
                Some(directory) => Binaries::beside(directory),
                None => Binaries::find(),
            };
            found.map_err(|it| it.to_string())
        });
        found.as_ref().map_err(|it| ConnectError::Refused(it.clone().into()))
    }

    /// The agent for machines of this kind, as a file for them.
    ///
    /// # Errors
    /// There is none, in words.
    pub fn agent_for(&self, machine: &str) -> Result<Vec<u8>, String> {
        let agents = self.agents().map_err(|err| err.to_string())?;
        let agent = agents.of(machine);
        let agent =
            agent.ok_or_else(|| format!("no agent for {machine} came with the provider"))?;
        agent.read().map_err(|err| format!("{}: {err}", agent.path.display()))
    }

    /// Who these connections speak for.
    pub fn caller(&self) -> &str {
        &self.caller
    }

    /// The connection to a host, a new one if there is none or it was lost.
    ///
    /// # Errors
    /// [`HostError::Unreachable`], always; whether it may be another time is told by
    /// [`is_transient`](HostError::is_transient).
    pub async fn connect(&self, target: &Target, patience: Patience) -> Result<Host, HostError> {
        let unreachable = |source: ConnectError| HostError::Unreachable {
            host: target.name.clone(),
            source: Box::new(source),
        };
        let slot = self.slot(&target.way);
        let limit = match patience {
            Patience::Once => ONCE,
            Patience::Boot(by) => by.saturating_duration_since(Instant::now()).max(ONCE),
        };
        let Ok(mut slot) = timeout(limit, slot.lock()).await else {
            let what = "somebody else is waiting for it";
            return Err(unreachable(ConnectError::Silent(what.into())));
        };
        if let Some(host) = slot.as_ref().filter(|it| it.is_open()) {
            return Ok(host.clone());
        }
        let mut tries = 0;
        loop {
            let opened = self.open(target, patience).await;
            let error = match opened {
                Ok(host) => return Ok(slot.insert(host).clone()),
                Err(error) => error,
            };
            tries += 1;
            match patience {
                Patience::Boot(by) if error.is_transient() && Instant::now() + PAUSE < by => {
                    if tries == 1 {
                        info!(host = %target.name, reason = %error, "waits for the host to answer");
                    }
                    sleep(PAUSE).await;
                }
                _ => return Err(unreachable(error)),
            }
        }
    }

    fn slot(&self, way: &Way) -> Arc<Mutex<Option<Host>>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(way.key()).or_default())
    }

    async fn open(&self, target: &Target, patience: Patience) -> Result<Host, ConnectError> {
        let began = Instant::now();
        let (stream, key): (Box<dyn Stream>, _) = match &target.way {
            Way::Local { root } => {
                let machine = std::env::consts::ARCH;
                let Some(agent) = self.agents()?.of(machine) else {
                    let text = format!("no agent for {machine} came with the provider");
                    return Err(ConnectError::Refused(text.into()));
                };
                let may_make = matches!(patience, Patience::Boot(_));
                (Box::new(local::open(&agent.path, root, may_make).await?), None)
            }
            Way::Ssh(target) => {
                if let Some(fake) = self.fakes.get(&target.address) {
                    fake.open_as(target.host_key.as_deref())?
                } else {
                    let opened = ssh::open(target, self.agents()?).await?;
                    (opened.stream, Some(opened.host_key))
                }
            }
            Way::Fake(host) => (Box::new(host.open()?), None),
        };
        let host = Host::open(target.name.clone(), stream, &self.caller, key).await?;
        debug!(host = %target.name, took = ?began.elapsed(), "connected");
        Ok(host)
    }
}

impl Way {
    /// The same for ways that lead to the same place with the same rights.
    fn key(&self) -> String {
        match self {
            Self::Local { root } => format!("local {}", root.display()),
            // A connection of the provider block lives as long as the process.
            Self::Ssh(it) => format!(
                "ssh {}@{}:{} {:?} {:p}",
                it.user,
                it.address,
                it.port,
                it.host_key,
                Arc::as_ptr(&it.connection)
            ),
            Self::Fake(host) => format!("fake {}", host.machine()),
        }
    }
}
