//! The provider block of the probe.

use std::path::PathBuf;

use terraform_provider_ha::model;
use terraform_provider_ha::tfplugin::api::{Context, Provider, Registry};
use terraform_provider_ha::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use terraform_provider_ha::tfplugin::path::Path;
use terraform_provider_ha::tfplugin::value::{Secret, Value};

use crate::store::Store;
use crate::thing::Thing;
use crate::things::Things;
use crate::token::Token;

model! {
    /// A provider for tests. Each object is a JSON file in a directory.
    pub struct ProbeConfig {
        /// Where the objects are. The environment variable `PROBE_DIRECTORY` when left out.
        directory: Value<String> = optional(),
        /// A secret that nothing needs.
        token: Value<Secret<String>> = optional().sensitive(),
    }
}

pub(crate) fn registry() -> Registry<Probe> {
    Registry::new(Probe).resource(Thing).data_source(Things).ephemeral(Token)
}

pub(crate) struct Probe;

/// The objects, unless the directory is not known yet.
pub(crate) struct Objects(Option<Store>);

impl Objects {
    pub(crate) fn known(&self) -> Result<&Store, Diagnostics> {
        self.0.as_ref().ok_or_else(|| {
            let detail = "`directory` of the provider is known only after apply.";
            Diagnostic::error("The objects cannot be reached yet", detail).into()
        })
    }

    /// For what must go on without: a read, a plan.
    pub(crate) fn if_known(&self) -> Option<&Store> {
        self.0.as_ref()
    }
}

impl Provider for Probe {
    type Config = ProbeConfig;
    type Client = Objects;

    async fn configure(&self, config: ProbeConfig, _: &Context) -> Result<Objects, Diagnostics> {
        let directory = match config.directory {
            Value::Unknown => return Ok(Objects(None)),
            Value::Known(directory) => Some(PathBuf::from(directory)),
            Value::Null => std::env::var_os("PROBE_DIRECTORY").map(PathBuf::from),
        };
        let Some(directory) = directory else {
            let detail = "Set `directory`, or the environment variable PROBE_DIRECTORY.";
            let diag = Diagnostic::error("The probe does not know where its objects are", detail);
            return Err(diag.at(Path::root("directory")).into());
        };
        let store = Store::open(directory).map_err(|err| {
            Diagnostic::error("The directory of the probe cannot be used", &err)
                .at(Path::root("directory"))
        })?;
        Ok(Objects(Some(store)))
    }
}
