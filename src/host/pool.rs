//! One connection to each host for the whole process, whichever resource asks.
#![expect(clippy::disallowed_methods, reason = "waits for hosts to start")]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info};

use super::connect::{ConnectError, Stream};
use super::fake::FakeHost;
use super::{Host, HostError, HostName, local};

/// A host to go to.
#[derive(Clone, Debug)]
pub struct Target {
    /// How the user calls it.
    pub name: HostName,
    /// How to get there.
    pub way: Way,
}

/// How to get to a host.
#[derive(Clone, Debug)]
pub enum Way {
    /// It is a directory of this machine.
    Local {
        /// What stands for `/`.
        root: PathBuf,
    },
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
    agent: PathBuf,
    slots: std::sync::Mutex<HashMap<String, Arc<Mutex<Option<Host>>>>>,
}

impl Hosts {
    /// None yet. `caller` is told to whoever finds a lock taken; `agent` is the program for this machine.
    pub fn new(caller: String, agent: PathBuf) -> Self {
        Self { caller, agent, slots: std::sync::Mutex::default() }
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
                let may_make = matches!(patience, Patience::Boot(_));
                (Box::new(local::open(&self.agent, root, may_make).await?), None)
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
            Self::Fake(host) => format!("fake {}", host.machine()),
        }
    }
}
