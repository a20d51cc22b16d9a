//! `probe_things`: a data source.

use terraform_provider_ha::model;
use terraform_provider_ha::tfplugin::api::{Answer, Context, DataSource};
use terraform_provider_ha::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use terraform_provider_ha::tfplugin::value::Value;

use crate::provider::{Objects, Probe};

model! {
    /// The things that exist.
    pub struct ThingsModel {
        /// Only things whose names begin with this.
        prefix: Value<String> = optional(),
        /// The names, in order.
        names: Value<Vec<String>> = computed(),
    }
}

pub(crate) struct Things;

impl DataSource for Things {
    const NAME: &'static str = "probe_things";
    type Provider = Probe;
    type Model = ThingsModel;

    async fn read(
        &self,
        objects: &Objects,
        mut config: ThingsModel,
        _: &Context,
    ) -> Result<Answer<ThingsModel>, Diagnostics> {
        let names = objects.known()?.names();
        let names = names.map_err(|err| Diagnostic::error("The directory cannot be read", &err))?;
        let prefix = config.prefix.known().cloned().unwrap_or_default();
        let wanted: Vec<_> = names.into_iter().filter(|it| it.starts_with(&prefix)).collect();
        config.names = wanted.into();
        Ok(config.into())
    }
}
