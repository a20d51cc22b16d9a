//! `probe_token`: an ephemeral resource.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use terraform_provider_ha::model;
use terraform_provider_ha::tfplugin::api::{Answer, Context, Ephemeral, Opened, Renewed};
use terraform_provider_ha::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use terraform_provider_ha::tfplugin::value::{Secret, Value};

use crate::provider::{Objects, Probe};

model! {
    /// A token that is never stored.
    pub struct TokenModel {
        /// Whose token it is.
        name: Value<String> = required().check(not_empty()),
        /// After what time it must be renewed; never when left out.
        ttl: Value<Duration> = optional(),
        /// The token.
        value: Value<Secret<String>> = computed().sensitive(),
    }
}

pub(crate) struct Token;

/// What renewing and closing need.
#[derive(Serialize, Deserialize)]
pub(crate) struct Lease {
    name: String,
    ttl: Option<Duration>,
}

impl Lease {
    fn renew_at(&self) -> Option<SystemTime> {
        self.ttl.map(|ttl| SystemTime::now() + ttl)
    }

    fn log(&self, objects: &Objects, event: &str) -> Result<(), Diagnostics> {
        let logged = objects.known()?.log(&format!("{event} {}", self.name));
        logged.map_err(|err| Diagnostic::error("The token cannot be logged", &err).into())
    }
}

impl Ephemeral for Token {
    const NAME: &'static str = "probe_token";
    type Provider = Probe;
    type Model = TokenModel;
    type Lease = Lease;

    async fn open(
        &self,
        objects: &Objects,
        mut config: TokenModel,
        _: &Context,
    ) -> Result<Opened<Self>, Diagnostics> {
        let name = config.name.known().cloned().unwrap_or_default();
        config.value = Secret::new(format!("token-{name}")).into();
        let lease = Lease { name, ttl: config.ttl.known().copied() };
        lease.log(objects, "open")?;
        let renew_at = lease.renew_at();
        Ok(Opened { value: config, lease, renew_at, diags: Diagnostics::new() })
    }

    async fn renew(
        &self,
        objects: &Objects,
        lease: Lease,
        _: &Context,
    ) -> Result<Answer<Renewed<Lease>>, Diagnostics> {
        lease.log(objects, "renew")?;
        let renew_at = lease.renew_at();
        Ok(Renewed { lease, renew_at }.into())
    }

    async fn close(&self, objects: &Objects, lease: Lease, _: &Context) -> Diagnostics {
        lease.log(objects, "close").err().unwrap_or_default()
    }
}
