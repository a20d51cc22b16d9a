//! Runs a call so that neither its panic nor the departure of its client takes anything else along.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Instrument as _;

tokio::task_local! {
    /// Where the panic hook leaves its report of a panic that will be told to the caller.
    static REPORT: Arc<Mutex<Option<String>>>;
}

/// A call that panicked: a bug. Says where and why, in a line or, with the symbols at hand, a backtrace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Panicked(String);

/// Runs `work` in a task of its own, in the span of the caller.
///
/// # Guarantees
/// `work` runs to its end even when the caller is dropped, as happens to the handler of a call that the client
/// cancels.
///
/// # Errors
/// A panic in `work`. Nothing of it goes to stderr then: Terraform would take that for the end of the process.
pub async fn isolate<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Panicked> {
    let report = Arc::default();
    let task = tokio::spawn(REPORT.scope(Arc::clone(&report), work.in_current_span()));
    task.await.map_err(|error| {
        let report = report.lock().unwrap_or_else(PoisonError::into_inner).take();
        Panicked(report.unwrap_or_else(|| error.to_string()))
    })
}

/// Keeps the report of a panic for the caller of [`isolate`]. False when there is none, so that somebody else must
/// tell.
pub(super) fn keep(report: &str) -> bool {
    REPORT
        .try_with(|slot| {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(report.to_owned());
        })
        .is_ok()
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_says_where() {
        super::super::log::catch_panics();
        let panicked = isolate::<()>(async { panic!("no {}", "way") }).await.unwrap_err();
        let text = panicked.to_string();
        assert!(text.starts_with("no way\nat src/tfplugin/isolate.rs:"), "{text}");
    }

    #[tokio::test]
    async fn work_goes_on_without_its_caller() {
        let (go, gate) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        let caller = isolate(async move {
            gate.await.unwrap();
            tell.send("done").unwrap();
        });
        let mut caller = Box::pin(caller);
        let pending = std::future::poll_fn(|context| {
            std::task::Poll::Ready(caller.as_mut().poll(context).is_pending())
        });
        assert!(pending.await);
        drop(caller);
        go.send(()).unwrap();
        assert_eq!(told.await, Ok("done"));
    }
}
