//! What a call must know of the process that it runs in: is it to stop, and is its end waited for.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::running::{Entered, Running};

/// A handle that all calls share.
///
/// # Guarantees
/// A process in reattach mode outlives many runs, so a stop ends the calls that run and no later one. Only when the
/// process itself ends do later calls begin cancelled.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    current: Mutex<CancellationToken>,
    mutations: Running,
}

impl Lifecycle {
    /// The token of the calls that begin now. A call takes it once, when it starts, and keeps it.
    pub fn token(&self) -> CancellationToken {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the calls that run to return at their next safe point, as `StopProvider` wants. Answers at once.
    pub fn stop(&self) {
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        // Cancelled already: the process ends, and no call is to get a fresh token.
        if !current.is_cancelled() {
            current.cancel();
            *current = CancellationToken::new();
        }
    }

    /// Marks a call as one that changes something: the process waits for it before it exits.
    ///
    /// The guard belongs into the task that does the work, not into the call that a client may drop.
    pub fn begin_mutation(&self) -> Mutation {
        Mutation { _running: self.0.mutations.enter() }
    }

    /// Waits until no mutation runs.
    pub async fn idle(&self) {
        self.0.mutations.none().await;
    }

    /// Cancels the calls that run and all that may still come, because the process ends.
    pub(super) fn end(&self) {
        // Under the lock: a stop in between would put a fresh token in the place of this one.
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }
}

/// A mutation that runs until this is dropped.
#[must_use]
#[derive(Debug)]
pub struct Mutation {
    _running: Entered,
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn is_idle(lifecycle: &Lifecycle) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(lifecycle.idle()).poll(&mut context) == Poll::Ready(())
    }

    #[test]
    fn a_stop_cancels_what_runs_and_not_what_comes_later() {
        let lifecycle = Lifecycle::default();
        let running = lifecycle.token();
        lifecycle.clone().stop();
        assert!(running.is_cancelled());
        assert!(!lifecycle.token().is_cancelled());
    }

    #[test]
    fn the_end_cancels_what_comes_later_too() {
        let lifecycle = Lifecycle::default();
        lifecycle.end();
        lifecycle.stop();
        assert!(lifecycle.token().is_cancelled());
    }

    #[test]
    fn it_is_idle_once_the_last_mutation_is_dropped() {
        let lifecycle = Lifecycle::default();
        assert!(is_idle(&lifecycle));
        let (first, second) = (lifecycle.begin_mutation(), lifecycle.begin_mutation());
        drop(first);
        assert!(!is_idle(&lifecycle));
        drop(second);
        assert!(is_idle(&lifecycle));
    }
}
