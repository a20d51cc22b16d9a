//! The provider block: what is written there, and what it means.
//!
//! [`Settings`] is what is written. [`Client`] is what it means: below it nothing is null, and what is known only after
//! apply is a [`Gap`] in the one part that it concerns, so that all else goes on.

mod artifacts;
mod client;
mod connections;
mod dns;
mod gap;
mod object_stores;
mod reading;
mod settings;
#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "the rows of a table are values")]
pub(super) mod tests;

use std::sync::Arc;

pub use self::artifacts::{Artifacts, ArtifactsSettings, FetchFrom};
pub use self::client::Client;
pub(super) use self::dns::server;
pub use self::dns::{DnsSettings, Rfc2136, Rfc2136Settings, Tsig};
pub use self::gap::{Gap, Unknown};
pub use self::object_stores::{ObjectStoreSettings, S3Settings};
use self::reading::{Environment, environment};
pub use self::settings::{BastionSettings, ConnectionSettings, Settings};
use crate::host::Hosts;
use crate::tfplugin::api::{Context, Provider};
use crate::tfplugin::diagnostics::Diagnostics;

/// The provider `ha`.
#[derive(Clone, Copy, Debug)]
pub struct Ha;

impl Provider for Ha {
    type Config = Settings;
    type Client = Client;

    /// What the environment will hold is not asked here: a configuration may be validated elsewhere.
    fn validate(&self, config: &Settings) -> Diagnostics {
        let anything = |_: &str| Some("AAAA".to_owned());
        read(config, &anything).err().unwrap_or_default()
    }

    async fn configure(&self, config: Settings, _: &Context) -> Result<Client, Diagnostics> {
        read(&config, &environment)
    }
}

fn read(config: &Settings, environment: Environment<'_>) -> Result<Client, Diagnostics> {
    let hosts = Hosts::new(caller(environment), None);
    Client::read(config, environment, Arc::new(hosts))
}

/// Who works on a host, for whoever finds it locked.
fn caller(environment: Environment<'_>) -> String {
    let user =
        environment("USER").unwrap_or_else(|| rustix::process::getuid().as_raw().to_string());
    let system = rustix::system::uname();
    let machine = system.nodename().to_string_lossy();
    format!("{user}@{machine}, process {}", std::process::id())
}
