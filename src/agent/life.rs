//! How long the agent lives, and that it does not end in the middle of a step.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OwnedRwLockReadGuard, RwLock, watch};
use tokio::time::timeout;

use super::fault::Fault;

/// Shared by all calls.
#[derive(Debug)]
pub(super) struct Life {
    /// A step that runs holds it for reading; the end takes it for writing.
    steps: Arc<RwLock<()>>,
    beat: Notify,
    ending: watch::Sender<bool>,
}

/// While it exists, the agent does not end.
#[derive(Debug)]
pub(super) struct Step {
    _running: OwnedRwLockReadGuard<()>,
}

impl Life {
    pub(super) fn new() -> Self {
        Self { steps: Arc::default(), beat: Notify::new(), ending: watch::Sender::new(false) }
    }

    pub(super) fn beat(&self) {
        self.beat.notify_one();
    }

    /// Returns when there was no heartbeat for so long.
    pub(super) async fn silence(&self, limit: Duration) {
        while timeout(limit, self.beat.notified()).await.is_ok() {}
    }

    /// # Errors
    /// The agent is ending, and begins nothing any more.
    pub(super) fn begin(&self) -> Result<Step, Fault> {
        // While the end waits for other steps, this fails.
        let running = Arc::clone(&self.steps).try_read_owned().map_err(|_| Fault::Ending)?;
        Ok(Step { _running: running })
    }

    /// Becomes true when the end has begun: what can be broken off without harm looks at it.
    pub(super) fn ending(&self) -> watch::Receiver<bool> {
        self.ending.subscribe()
    }

    /// Begins the end and waits for the steps that run.
    pub(super) async fn end(&self) {
        self.ending.send_replace(true);
        // Forgotten, so that no step begins between this and the end of the process.
        std::mem::forget(Arc::clone(&self.steps).write_owned().await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_waits_for_steps_and_lets_none_begin() {
        let life = Arc::new(Life::new());
        let step = life.begin().unwrap();
        let ending = tokio::spawn({
            let life = Arc::clone(&life);
            async move { life.end().await }
        });
        life.ending().wait_for(|it| *it).await.unwrap();
        tokio::task::yield_now().await;
        assert!(!ending.is_finished());
        assert!(matches!(life.begin(), Err(Fault::Ending)));
        drop(step);
        ending.await.unwrap();
        assert!(matches!(life.begin(), Err(Fault::Ending)));
    }

    #[tokio::test]
    async fn silence_is_counted_from_the_last_heartbeat() {
        let life = Life::new();
        let limit = Duration::from_millis(200);
        let beats = async {
            for _ in 0..10 {
                life.beat();
                tokio::time::sleep(limit / 10).await;
            }
        };
        tokio::select! {
            () = beats => {}
            () = life.silence(limit) => panic!("there was no silence"),
        }
        timeout(limit * 20, life.silence(limit)).await.unwrap();
    }
}
