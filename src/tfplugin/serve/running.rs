//! Counts what runs, and waits until nothing does.

use tokio::sync::watch;

/// A count that is shared by all its clones.
#[derive(Clone, Debug)]
pub(crate) struct Running(watch::Sender<usize>);

impl Running {
    /// One more runs, until the answer is dropped.
    pub(crate) fn enter(&self) -> Entered {
        self.0.send_modify(|count| *count += 1);
        Entered(self.0.clone())
    }

    /// Waits until nothing runs. What begins later is not waited for.
    pub(crate) async fn none(&self) {
        // The sender lives as long as `self`, so the wait cannot fail.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Default for Running {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

/// One thing that runs.
#[derive(Debug)]
pub(crate) struct Entered(watch::Sender<usize>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
