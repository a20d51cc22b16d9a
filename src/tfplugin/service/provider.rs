//! Validation of blocks, and `ConfigureProvider`.

use std::sync::{Arc, PoisonError};

use super::{Shared, exchange};
use crate::proto::tfplugin6::{DynamicValue, configure_provider};
use crate::tfplugin::api::Provider;
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::model::decode;
use crate::tfplugin::plan;
use crate::tfplugin::schema::Schema;
use crate::tfplugin::value::Datum;

impl<P: Provider> Shared<P> {
    pub(super) fn validate_provider(&self, config: Option<&DynamicValue>) -> Diagnostics {
        validated(config, &self.provider_schema, |config| match decode(config) {
            Ok(config) => self.registry.provider.validate(&config),
            Err(faults) => faults,
        })
    }

    pub(super) fn validate_resource(
        &self,
        name: &str,
        config: Option<&DynamicValue>,
    ) -> Diagnostics {
        let resource = match self.resource(name) {
            Ok(resource) => resource,
            Err(diag) => return diag.into(),
        };
        validated(config, resource.schema(), |config| resource.validate(config))
    }

    pub(super) fn validate_data(&self, name: &str, config: Option<&DynamicValue>) -> Diagnostics {
        let source = match self.data_source(name) {
            Ok(source) => source,
            Err(diag) => return diag.into(),
        };
        validated(config, source.schema(), |config| source.validate(config))
    }

    pub(super) fn validate_ephemeral(
        &self,
        name: &str,
        config: Option<&DynamicValue>,
    ) -> Diagnostics {
        let ephemeral = match self.ephemeral(name) {
            Ok(ephemeral) => ephemeral,
            Err(diag) => return diag.into(),
        };
        validated(config, ephemeral.schema(), |config| ephemeral.validate(config))
    }

    pub(super) async fn configure(
        self: Arc<Self>,
        request: configure_provider::Request,
    ) -> configure_provider::Response {
        let diags = match self.configured(request.config.as_ref()).await {
            Ok(()) => Diagnostics::new(),
            Err(diags) => diags,
        };
        configure_provider::Response { diagnostics: diags.to_proto() }
    }

    async fn configured(&self, config: Option<&DynamicValue>) -> Result<(), Diagnostics> {
        let config = exchange::read(config, &self.provider_schema)?;
        let faults = plan::check(&self.provider_schema.attributes, &config);
        if faults.has_errors() {
            return Err(faults);
        }
        let client = self.registry.provider.configure(decode(&config)?, &self.look()).await?;
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(client));
        Ok(())
    }
}

/// The checks of the schema, then those of the type itself. What is deprecated is told here and
/// nowhere else: Terraform validates in each run.
fn validated(
    config: Option<&DynamicValue>,
    schema: &Schema,
    validate: impl FnOnce(&Datum) -> Diagnostics,
) -> Diagnostics {
    match exchange::read(config, schema) {
        Ok(config) => {
            let mut diags = plan::check(&schema.attributes, &config);
            diags.extend(plan::deprecations(&schema.attributes, &config));
            diags.extend(validate(&config));
            diags
        }
        Err(diag) => diag.into(),
    }
}
