//! The provider block, and the list of everything the provider serves.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use super::{
    AnyDataSource, AnyEphemeral, AnyResource, Context, DataSource, Ephemeral, Resource,
    erase_data_source, erase_ephemeral, erase_resource,
};
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::model::Model;
use crate::tfplugin::schema::Flaw;

/// What [`Provider::configure`] makes for the resources of a provider.
pub type Client<P> = <P as Provider>::Client;

/// A provider: its configuration block, and what becomes of it.
pub trait Provider: Send + Sync + Sized + 'static {
    /// The provider block.
    type Config: Model;
    /// What the configuration becomes, handed to every operation.
    type Client: Send + Sync + 'static;

    /// Checks the block beyond its schema; values may be unknown.
    fn validate(&self, _config: &Self::Config) -> Diagnostics {
        Diagnostics::new()
    }

    /// Makes the client. Values may be unknown in a plan; nothing is contacted here.
    ///
    /// # Errors
    /// The configuration cannot be used.
    fn configure(
        &self,
        config: Self::Config,
        context: &Context,
    ) -> impl Future<Output = Result<Self::Client, Diagnostics>> + Send;
}

/// A provider with everything that it serves. Types are looked up by their full name.
pub struct Registry<P: Provider> {
    pub(crate) provider: P,
    pub(crate) resources: BTreeMap<&'static str, Arc<dyn AnyResource<P::Client>>>,
    pub(crate) data_sources: BTreeMap<&'static str, Arc<dyn AnyDataSource<P::Client>>>,
    pub(crate) ephemerals: BTreeMap<&'static str, Arc<dyn AnyEphemeral<P::Client>>>,
}

impl<P: Provider> Registry<P> {
    /// A provider that serves nothing yet.
    pub fn new(provider: P) -> Self {
        let (resources, data_sources, ephemerals) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { provider, resources, data_sources, ephemerals }
    }

    /// Also serves this resource.
    #[must_use]
    pub fn resource<R: Resource<Provider = P>>(mut self, resource: R) -> Self {
        self.resources.insert(R::NAME, erase_resource(resource));
        self
    }

    /// Also serves this data source.
    #[must_use]
    pub fn data_source<D: DataSource<Provider = P>>(mut self, source: D) -> Self {
        self.data_sources.insert(D::NAME, erase_data_source(source));
        self
    }

    /// Also serves this ephemeral resource.
    #[must_use]
    pub fn ephemeral<E: Ephemeral<Provider = P>>(mut self, ephemeral: E) -> Self {
        self.ephemerals.insert(E::NAME, erase_ephemeral(ephemeral));
        self
    }

    /// Every mistake in every schema, each with what it is in, such as `resource ha_dns_record`.
    /// A test of a provider demands that there are none.
    pub fn flaws(&self) -> Vec<(String, Flaw)> {
        let mut flaws = Vec::new();
        let mut found = |of: String, new: Vec<Flaw>| {
            flaws.extend(new.into_iter().map(|flaw| (of.clone(), flaw)));
        };
        found("provider".to_owned(), P::Config::schema(0).flaws());
        for (name, resource) in &self.resources {
            found(format!("resource {name}"), resource.schema().flaws());
            if let Some(identity) = resource.identity() {
                found(format!("identity of {name}"), identity.identity_flaws());
            }
        }
        for (name, source) in &self.data_sources {
            found(format!("data source {name}"), source.schema().flaws());
        }
        for (name, ephemeral) in &self.ephemerals {
            found(format!("ephemeral resource {name}"), ephemeral.schema().flaws());
        }
        flaws
    }
}
