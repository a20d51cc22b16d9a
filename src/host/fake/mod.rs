//! A host in memory, for tests: what it was asked to change is in a transcript, and it fails when told to.
//!
//! The real client speaks to it, over a pipe instead of a connection, so a test of a planner with its actions runs all
//! of that. It runs no program and serves no socket; what goes on [around](Around) it may do so for it.

mod around;
mod calls;
mod change;
mod facts;
mod files;
mod forward;
mod locks;
mod pki;
mod restore;
mod slow;
mod state;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use sha2::{Digest as _, Sha256};
use tokio::io::DuplexStream;
use tokio_util::sync::CancellationToken;

pub use self::around::Around;
use self::change::Calls;
use self::slow::Slow;
use self::state::State;
use super::connect::{ConnectError, Stream};
use crate::proto::agent::agent_server::AgentServer;

/// A host in memory. Clones are the same host.
#[derive(Clone)]
pub struct FakeHost(Arc<Mutex<State>>);

/// How the host fails, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection ends before the call is done.
    LostBefore,
    /// The connection ends after the call was done, without an answer.
    LostAfter,
    /// The call is refused, with this text.
    Refused(String),
}

/// What a pipe holds before its writer waits.
const PIPE: usize = 256 << 10;

impl FakeHost {
    /// A host with nothing on it. The name becomes its machine-id.
    pub fn new(name: &str) -> Self {
        Self(Arc::new(Mutex::new(State::new(name))))
    }

    /// What it was asked to change, one line each, oldest first. Asking again for what is so already is in it too.
    pub fn transcript(&self) -> Vec<String> {
        self.state().transcript.clone()
    }

    /// Fails at the call after `count` more calls that change something.
    pub fn fails_after(&self, count: usize, failure: Failure) {
        self.state().failure = Some((count, failure));
    }

    /// How long each call waits before it begins, from now on: with a clock of their own, tests count round trips by it.
    pub fn set_delay(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// Whether it answers at all from now on. Connections that stand end when it falls silent.
    pub fn set_silent(&self, silent: bool) {
        let mut state = self.state();
        state.is_silent = silent;
        if silent {
            state.connection.cancel();
        }
    }

    /// Another machine with the same address: nothing is on it.
    pub fn rebuild(&self, machine: &str) {
        let mut state = self.state();
        state.connection.cancel();
        let around = state.around.take();
        *state = State { around, ..State::new(machine) };
    }

    /// A file as it is now.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.state().files.get(path).map(|it| it.content.clone())
    }

    /// Puts a file there behind the back of the provider.
    pub fn edit(&self, path: &str, content: &[u8]) {
        self.state().edit(path, content);
    }

    /// Whether the service runs.
    pub fn runs(&self, unit: &str) -> bool {
        self.state().units.get(unit).is_some_and(|it| it.is_active)
    }

    /// Ends a service behind the back of the provider.
    pub fn crash(&self, unit: &str) {
        if let Some(unit) = self.state().units.get_mut(unit) {
            unit.is_active = false;
        }
    }

    /// From now on a service answers connections to this address with a text, while it runs.
    pub fn listen(
        &self,
        address: &str,
        unit: &str,
        say: impl Fn(&Self) -> String + Send + Sync + 'static,
    ) {
        self.state().listeners.insert(address.to_owned(), (unit.to_owned(), Arc::new(say)));
    }

    /// From now on none of its packets reach this address and port. All others are reached, and somebody listens there.
    pub fn wall_off(&self, target: &str) {
        self.state().walls.insert(target.to_owned());
    }

    /// Everything that is on it, one line each, for comparison: files, services that run, records.
    pub fn contents(&self) -> Vec<String> {
        self.state().contents()
    }

    /// The same, and what was installed of releases, and how many keys were made.
    pub fn details(&self) -> String {
        let state = self.state();
        format!("{:?} {:?} {:?} {}", state.contents(), state.projects, state.keys, state.is_silent)
    }

    /// Somebody else takes a lock, by a connection of his own.
    pub fn hold(&self, lock: &str, caller: &str) {
        self.state().taken.insert(lock.to_owned(), (caller.to_owned(), None));
    }

    /// Somebody else has a lock, by a connection that is lost: his last step ends when the lock was asked for so often.
    pub fn hold_to_the_end_of_a_step(&self, lock: &str, caller: &str, asks: u32) {
        self.state().taken.insert(lock.to_owned(), (caller.to_owned(), Some(asks)));
    }

    /// Somebody else gives it back.
    pub fn let_go(&self, lock: &str) {
        self.state().taken.remove(lock);
    }

    /// From now on something else answers where it looks for this address.
    pub fn put_between(&self, address: &str, error: &str) {
        self.state().between.insert(address.to_owned(), error.to_owned());
    }

    /// The way is free again.
    pub fn clear_the_way(&self) {
        self.state().between.clear();
    }

    /// What a connection to this address gets to hear. None: nobody listens.
    fn hear(&self, address: &str) -> Option<String> {
        let (unit, say) = self.state().listeners.get(address).cloned()?;
        self.runs(&unit).then(|| say(self))
    }

    /// The key that it proves to have, as a client pins it: another machine has another.
    pub fn host_key(&self) -> String {
        const KIND: &str = "ssh-ed25519";
        let key = Sha256::digest(self.machine());
        let parts = [KIND.as_bytes(), &key].map(|it| {
            let length = u32::try_from(it.len()).unwrap_or_default().to_be_bytes();
            [&length, it].concat()
        });
        format!("{KIND} {}", BASE64_STANDARD.encode(parts.concat()))
    }

    pub(super) fn machine(&self) -> String {
        self.state().machine.clone()
    }

    /// A new connection; the one before ends, and with it its locks.
    pub(super) fn open(&self) -> Result<impl Stream + use<>, ConnectError> {
        let mut state = self.state();
        if state.is_silent {
            return Err(ConnectError::Silent("it is silent".into()));
        }
        state.connection.cancel();
        state.held.clear();
        state.connection = CancellationToken::new();
        let ends = state.connection.clone();
        drop(state);
        let (near, far): (DuplexStream, DuplexStream) = tokio::io::duplex(PIPE);
        let calls = Calls::new(self.clone(), ends.clone());
        let inner = AgentServer::new(calls).max_decoding_message_size(32 << 20);
        let service = TowerToHyperService::new(Slow { inner, host: self.clone() });
        tokio::spawn(async move {
            let server = http2::Builder::new(TokioExecutor::new());
            let serving = server.serve_connection(TokioIo::new(far), service);
            // How it ended is for the client to see.
            let _ = ends.run_until_cancelled(serving).await;
        });
        Ok(near)
    }

    /// As [`Self::open`], for a client that has a key of it pinned, or that learns it.
    pub(super) fn open_as(
        &self,
        pinned: Option<&str>,
    ) -> Result<(Box<dyn Stream>, Option<String>), ConnectError> {
        let (stream, key) = (self.open()?, self.host_key());
        if pinned.is_some_and(|it| it != key) {
            return Err(ConnectError::Refused("its host key is another".into()));
        }
        Ok((Box::new(stream), Some(key)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for FakeHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FakeHost").field(&self.state().machine).finish()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test chooses a time limit")]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::host::messages::file::Kind;
    use crate::host::messages::service_request::Action;
    use crate::host::{File, HostError, Hosts, Lease, Patience, Target, Way};

    const UNIT: &str = "/etc/systemd/system/a.service";

    fn pool() -> Arc<Hosts> {
        Arc::new(Hosts::new("anna@desk, process 1".to_owned(), None))
    }

    fn lease(hosts: &Arc<Hosts>, host: &FakeHost) -> Lease {
        let target = Target { name: "a".parse().unwrap(), way: Way::Fake(host.clone()) };
        Lease::new(Arc::clone(hosts), target, "service-x".to_owned())
    }

    fn file(path: &str, content: &str) -> File {
        File { path: path.to_owned(), content: content.into(), mode: 0o644, ..File::default() }
    }

    #[tokio::test]
    async fn a_unit_is_written_before_it_is_started() {
        let (hosts, fake) = (pool(), FakeHost::new("m1"));
        let host = lease(&hosts, &fake).locked(Patience::Once).await.unwrap();
        let missing = host.service(Action::Start, "a.service").await.unwrap_err();
        assert_eq!(missing.to_string(), "a: cannot start a.service: Unit a.service not found.");
        assert!(host.put(file(UNIT, "[Service]\n")).await.unwrap());
        assert!(!host.put(file(UNIT, "[Service]\n")).await.unwrap());
        let unit = host.service(Action::Start, "a.service").await.unwrap().unwrap();
        assert_eq!((unit.active.as_str(), fake.runs("a.service")), ("active", true));
        assert_eq!(
            fake.transcript(),
            [
                "start a.service",
                "put /etc/systemd/system/a.service 644 10 bytes",
                "put /etc/systemd/system/a.service 644 10 bytes",
                "start a.service",
            ]
        );
    }

    #[tokio::test]
    async fn each_way_to_fail_is_of_its_own_kind() {
        let (hosts, fake) = (pool(), FakeHost::new("m1"));
        let mut lease = lease(&hosts, &fake);
        let host = lease.locked(Patience::Once).await.unwrap();
        fake.fails_after(0, Failure::Refused("no space left on device".to_owned()));
        let error = host.put(file("/x", "1")).await.unwrap_err();
        assert!(matches!(error, HostError::Failed { .. }), "{error:?}");
        assert_eq!(error.to_string(), "a: cannot put /x: no space left on device");

        for (failure, is_done) in [(Failure::LostBefore, false), (Failure::LostAfter, true)] {
            let host = lease.locked(Patience::Once).await.unwrap();
            fake.fails_after(0, failure);
            let error = host.put(file("/x", "1")).await.unwrap_err();
            assert!(matches!(error, HostError::Interrupted { .. }), "{error:?}");
            assert_eq!(fake.file("/x").is_some(), is_done);
            // The connection is gone, and what is asked of it now never runs.
            let error = host.put(file("/x", "1")).await.unwrap_err();
            assert!(matches!(error, HostError::Unreachable { .. }), "{error:?}");
        }

        fake.set_silent(true);
        let error = lease.locked(Patience::Once).await.unwrap_err();
        assert!(matches!(error, HostError::Unreachable { .. }) && error.is_transient());
    }

    #[tokio::test]
    async fn a_lease_outlives_its_connection_but_not_a_later_run() {
        let (hosts, fake) = (pool(), FakeHost::new("m1"));
        let mut first = lease(&hosts, &fake);
        assert_eq!(first.locked(Patience::Once).await.unwrap().generation(), 1);
        fake.state().connection.cancel();
        let again = first.locked(Patience::Once).await.unwrap();
        assert_eq!(again.generation(), 1);
        // Another process.
        let mut second = lease(&pool(), &fake);
        assert_eq!(second.locked(Patience::Once).await.unwrap().generation(), 2);
        let error = again.put(file("/x", "1")).await.unwrap_err();
        assert!(!matches!(error, HostError::Failed { .. }), "{error:?}");
        let error = first.locked(Patience::Once).await.unwrap_err();
        assert_eq!(error.to_string(), "a: cannot lock service-x: run 2 has been at work since");
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_boots_is_waited_for_and_a_look_does_not_wait() {
        let (hosts, fake) = (pool(), FakeHost::new("m1"));
        fake.set_silent(true);
        let target = Target { name: "a".parse().unwrap(), way: Way::Fake(fake.clone()) };
        hosts.connect(&target, Patience::Once).await.unwrap_err();
        let by = Instant::now() + Duration::from_mins(5);
        let waits = tokio::spawn({
            let (hosts, target) = (Arc::clone(&hosts), target.clone());
            async move { hosts.connect(&target, Patience::Boot(by)).await }
        });
        tokio::time::sleep(Duration::from_mins(2)).await;
        assert!(!waits.is_finished());
        let looks = hosts.connect(&target, Patience::Once);
        timeout(Duration::from_secs(15), looks).await.unwrap().unwrap_err();
        fake.set_silent(false);
        let host = waits.await.unwrap().unwrap();
        let facts = host.facts(messages(&["/x"])).await.unwrap();
        assert_eq!((facts.machine_id.as_str(), facts.files[0].kind()), ("m1", Kind::Absent));
    }

    fn messages(files: &[&str]) -> crate::host::messages::FactsRequest {
        crate::host::messages::FactsRequest {
            files: files.iter().map(|&it| it.to_owned().into()).collect(),
            ..Default::default()
        }
    }
}
