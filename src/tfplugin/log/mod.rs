//! Logs as Terraform reads them: one JSON object a line on stderr, in the form of hclog.
//!
//! The level comes from `TF_LOG_PROVIDER_<NAME>`, `TF_LOG_PROVIDER` or `TF_LOG`. With none of them set there is no
//! subscriber, no thread, and an event costs one comparison. Lines are written by a thread of their own, and dropped
//! when stderr is full: a log never holds up a call.

mod filter;
mod layer;
mod line;
mod panics;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

use self::filter::Filter;
use self::layer::Hclog;
pub(super) use self::panics::catch_panics;
use self::queue::Queue;

/// The logs of this process, if there are any.
#[derive(Debug)]
pub(super) struct Logs(Option<Arc<Queue>>);

/// Starts to log if the environment asks for it. `name` is the provider's, as in `ha`.
pub(super) fn start(name: &str, environment: impl Fn(&str) -> Option<String>) -> Logs {
    let filter = Filter::new(name, environment);
    if filter.level == LevelFilter::OFF {
        return Logs(None);
    }
    // Without a thread there is nobody to write, and a provider without logs is better than none.
    let Ok(queue) = Queue::start(name) else { return Logs(None) };
    let layer = Hclog { filter, name: name.to_owned(), queue: Arc::clone(&queue) };
    // It fails when there is a subscriber already, which then gets the events.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
    Logs(Some(queue))
}

impl Logs {
    /// Waits until all lines are written, or for `limit` if nobody reads them.
    pub(super) fn flush(&self, limit: Duration) {
        if let Some(queue) = &self.0 {
            queue.flush(limit);
        }
    }
}
