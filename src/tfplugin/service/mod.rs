//! The RPCs of the protocol: bytes to values, the traits of [`api`](super::api), the gate, bytes.

mod apply;
mod data;
mod ephemeral;
mod exchange;
mod import;
mod plan;
mod provider;
mod read;
mod rpc;
mod schemas;
mod upgrade;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::api::{AnyDataSource, AnyEphemeral, AnyResource, Client, Context, Provider, Registry};
use super::diagnostics::Diagnostic;
use super::schema::{Schema, TimeoutDefaults};
use super::serve::Lifecycle;
use super::value::Datum;

tokio::task_local! {
    /// What cancels the call that the task is about.
    static TOKEN: CancellationToken;
}

/// A provider as a gRPC service.
pub struct Service<P: Provider>(Arc<Shared<P>>);

/// What all calls share; each takes a handle into its own task.
struct Shared<P: Provider> {
    registry: Registry<P>,
    lifecycle: Lifecycle,
    provider_schema: Schema,
    /// Made by `ConfigureProvider`. In reattach mode one process is configured again and again.
    client: RwLock<Option<Arc<Client<P>>>>,
}

/// How long an operation without a limit of its own may take.
const DEFAULT_LIMIT: Duration = Duration::from_mins(20);
/// The same for what only looks: reads, plans, data sources and ephemeral resources.
const DEFAULT_LOOK_LIMIT: Duration = Duration::from_mins(5);

impl<P: Provider> Service<P> {
    /// A service that has not been configured yet.
    pub fn new(registry: Registry<P>, lifecycle: Lifecycle) -> Self {
        use super::model::Model;
        let provider_schema = P::Config::schema(0);
        let client = RwLock::new(None);
        Self(Arc::new(Shared { registry, lifecycle, provider_schema, client }))
    }
}

/// Which of its limits an operation has.
#[derive(Clone, Copy)]
enum Operation {
    Create,
    Update,
    Read,
    Delete,
}

impl<P: Provider> Shared<P> {
    fn client(&self) -> Result<Arc<Client<P>>, Diagnostic> {
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner);
        client.clone().ok_or_else(|| {
            let detail = "It was called without the settings of a provider block, which Terraform \
                          sends first. Its errors, if it sent any, are told before this one.";
            Diagnostic::error("The provider is not configured", detail)
        })
    }

    fn resource(&self, name: &str) -> Result<Arc<dyn AnyResource<Client<P>>>, Diagnostic> {
        self.registry.resources.get(name).cloned().ok_or_else(|| unknown_type("resource", name))
    }

    fn data_source(&self, name: &str) -> Result<Arc<dyn AnyDataSource<Client<P>>>, Diagnostic> {
        let found = self.registry.data_sources.get(name).cloned();
        found.ok_or_else(|| unknown_type("data source", name))
    }

    fn ephemeral(&self, name: &str) -> Result<Arc<dyn AnyEphemeral<Client<P>>>, Diagnostic> {
        let found = self.registry.ephemerals.get(name).cloned();
        found.ok_or_else(|| unknown_type("ephemeral resource", name))
    }

    fn token(&self) -> CancellationToken {
        TOKEN.try_with(Clone::clone).unwrap_or_else(|_| self.lifecycle.token())
    }

    /// What only looks has the limit of a read.
    fn look(&self) -> Context {
        Context::new(self.token(), DEFAULT_LOOK_LIMIT)
    }

    /// The limit that the object sets in `timeouts`, or the default of its schema.
    fn context(&self, schema: &Schema, object: &Datum, operation: Operation) -> Context {
        Context::new(self.token(), limit(schema, object, operation))
    }
}

fn limit(schema: &Schema, object: &Datum, operation: Operation) -> Duration {
    let attribute = schema.attributes.iter().find(|it| it.rules.timeouts.is_some());
    let default = attribute.and_then(|it| it.rules.timeouts).unwrap_or(TimeoutDefaults {
        create: DEFAULT_LIMIT,
        update: DEFAULT_LIMIT,
        read: DEFAULT_LOOK_LIMIT,
        delete: DEFAULT_LIMIT,
    });
    let (key, default) = match operation {
        Operation::Create => ("create", default.create),
        Operation::Update => ("update", default.update),
        Operation::Read => ("read", default.read),
        Operation::Delete => ("delete", default.delete),
    };
    let set = attribute.and_then(|it| object.get(it.name)?.get(key)?.as_str());
    set.and_then(|it| super::model::parse_duration(it).ok()).unwrap_or(default)
}

fn unknown_type(kind: &str, name: &str) -> Diagnostic {
    let detail = format!("There is no {kind} `{name}` in this version of the provider.");
    Diagnostic::error(format!("Unknown {kind}"), detail)
}
