//! Turns events and their spans into lines.
#![expect(clippy::disallowed_methods, reason = "a log line tells the time")]

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope};

use super::filter::{Filter, is_ours};
use super::line::Line;
use super::queue::Queue;

/// A subscriber's layer that writes as hclog does.
pub(super) struct Hclog {
    pub(super) filter: Filter,
    pub(super) name: String,
    pub(super) queue: Arc<Queue>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Hclog {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.filter.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.filter.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter.level)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        // From the outermost span to the event: the nearest value of a name wins.
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.free.extend(outer.free.iter().map(|(name, it)| (name.clone(), it.clone())));
            }
        }
        event.record(&mut fields);
        let line = Line {
            at: SystemTime::now(),
            level: *metadata.level(),
            module: self.module(metadata.target()),
            caller: metadata
                .file()
                .zip(metadata.line())
                .map(|(file, line)| format!("{file}:{line}")),
            message: fields.message,
            fields: fields.free,
        };
        self.queue.push(&line.render());
    }
}

impl Hclog {
    /// `ha.tfplugin.serve` for a module of ours; other crates keep their name.
    fn module(&self, target: &str) -> String {
        let path = match target.split_once("::") {
            _ if !is_ours(target) => target.to_owned(),
            Some((_crate, path)) => format!("{}::{path}", self.name),
            None => self.name.clone(),
        };
        path.replace("::", ".")
    }
}

/// The message and the free keys of an event or a span.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    free: Map<String, Value>,
}

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.free.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            _ => self.set(field, text),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            _ => self.set(field, value),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.set(field, value.to_string());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn logged(level: LevelFilter, work: impl FnOnce()) -> Vec<Value> {
        let queue = Arc::new(Queue::default());
        let filter = Filter { level };
        let layer = Hclog { filter, name: "ha".to_owned(), queue: Arc::clone(&queue) };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let text = queue.unwritten();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn fields_of_spans_are_free_keys_and_the_nearest_wins() {
        let lines = logged(LevelFilter::INFO, || {
            let call =
                tracing::error_span!("call", tf_rpc = "Read", n = 1, late = tracing::field::Empty);
            let _call = call.enter();
            call.record("late", true);
            let _inner = tracing::error_span!("inner", n = 2).entered();
            tracing::info!(m = 1.5, "hello {}", "there");
            tracing::debug!("not this");
        });
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line["@message"], "hello there");
        assert_eq!(line["@level"], "info");
        assert_eq!(line["@module"], "ha.tfplugin.log.layer.tests");
        assert_eq!(line["tf_rpc"], "Read");
        assert_eq!(line["n"], 2);
        assert_eq!(line["m"], 1.5);
        assert_eq!(line["late"], true);
    }

    #[test]
    fn a_message_is_a_string_whatever_it_is() {
        let lines = logged(LevelFilter::TRACE, || {
            tracing::trace!(message = 5);
            tracing::trace!(other = "x");
        });
        assert_eq!(lines[0]["@message"], "");
        assert_eq!(lines[1]["@message"], "");
    }
}
