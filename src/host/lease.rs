//! A host that stays locked for a whole run, also when the connection is lost meanwhile.
#![expect(clippy::disallowed_methods, reason = "waits for the lock of a connection that was lost")]

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::debug;

use super::locked::Asked;
use super::messages::Holder;
use super::{Host, HostError, Hosts, Locked, Patience, Target};

/// An agent whose client is gone ends its step and then itself, 30 s after the last heartbeat at the latest.
const LINGER: Duration = Duration::from_secs(40);
const PAUSE: Duration = Duration::from_millis(250);

/// A host, its lock, and the number of the run that holds it.
#[derive(Debug)]
pub struct Lease {
    hosts: Arc<Hosts>,
    target: Target,
    lock: String,
    generation: u64,
    held: Option<Locked>,
}

impl Lease {
    /// For a new run; nothing is locked yet.
    pub fn new(hosts: Arc<Hosts>, target: Target, lock: String) -> Self {
        Self { hosts, target, lock, generation: 0, held: None }
    }

    /// Where it leads.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The key that the host has proven to have. None: it was not reached, or has none.
    pub fn host_key(&self) -> Option<String> {
        self.held.as_ref()?.key().map(str::to_owned)
    }

    /// The host, locked by this run. Who has lost his connection keeps the lock until his step has come to its end, whether
    /// it was this run or another: this waits for that.
    ///
    /// # Errors
    /// The host cannot be reached, or another run has the lock, or has had it since.
    pub async fn locked(&mut self, patience: Patience) -> Result<Locked, HostError> {
        let host = self.hosts.connect(&self.target, patience).await?;
        if let Some(held) = self.held.as_ref().filter(|it| it.is_same(&host)) {
            return Ok(held.clone());
        }
        let held = match self.lock(&host).await {
            // The connection was lost before anybody noticed, and with it whatever was locked over it.
            Err(error) if error.is_transient() => {
                let host = self.hosts.connect(&self.target, patience).await?;
                self.lock(&host).await?
            }
            asked => asked?,
        };
        self.generation = held.generation();
        Ok(self.held.insert(held).clone())
    }

    async fn lock(&self, host: &Host) -> Result<Locked, HostError> {
        let until = Instant::now() + LINGER;
        // The agent of a lost connection may not have noticed yet.
        let is_ours =
            |holder: &Holder| self.generation != 0 && holder.caller == self.hosts.caller();
        loop {
            match host.ask_lock(&self.lock, self.generation).await? {
                Asked::Held(locked) => return Ok(locked),
                Asked::Taken(holder)
                    if (holder.ending || is_ours(&holder)) && Instant::now() < until =>
                {
                    debug!(host = %host.name(), holder = holder.caller, "waiting for the end of its step");
                    sleep(PAUSE).await;
                }
                _ => return host.lock(&self.lock, self.generation).await,
            }
        }
    }

    /// Gives the lock back, if the connection still stands; otherwise it is gone anyway.
    pub async fn release(&mut self) {
        if let Some(held) = self.held.take()
            && let Err(error) = held.release().await
        {
            debug!(%error, "the lock ends with the connection");
        }
    }
}
