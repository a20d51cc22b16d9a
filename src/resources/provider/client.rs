//! What the provider block means, for all resources.

use std::sync::Arc;

use super::artifacts::Artifacts;
use super::connections::Connections;
use super::dns::Rfc2136;
use super::gap::{Gap, Named};
use super::object_stores;
use super::reading::{Environment, Reading};
use super::settings::Settings;
use crate::domain::backup::ObjectStore;
use crate::host::Hosts;
use crate::host::ssh::Connection;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Secret;

/// What the provider block means. Each part may be known only after apply.
#[derive(Debug)]
pub struct Client {
    /// The connections that stand.
    pub hosts: Arc<Hosts>,
    /// Where programs come from.
    pub artifacts: Result<Artifacts, Gap>,
    dns: Result<Option<Rfc2136>, Gap>,
    recovery_identity: Result<Option<Secret<String>>, Gap>,
    connections: Connections,
    object_stores: Named<ObjectStore>,
}

impl Client {
    /// Reads the provider block.
    ///
    /// # Errors
    /// Everything in it that cannot be used, whatever else is unknown.
    pub(super) fn read(
        settings: &Settings,
        environment: Environment<'_>,
        hosts: Arc<Hosts>,
    ) -> Result<Self, Diagnostics> {
        let mut told = Diagnostics::new();
        let mut reading = Reading::new(Path::default(), environment);
        let identity = &settings.recovery_identity;
        let identity = reading.secret("recovery_identity", identity, "HA_RECOVERY_IDENTITY");
        let client = Self {
            hosts,
            artifacts: Artifacts::read(&settings.artifacts, environment, &mut told),
            dns: Rfc2136::read(&settings.dns, environment, &mut told),
            recovery_identity: reading.end(&mut told).map(|()| identity),
            connections: Connections::read(settings, environment, &mut told),
            object_stores: object_stores::read(settings, environment, &mut told),
        };
        if told.has_errors() { Err(told) } else { Ok(client) }
    }

    /// The way to log in that is named at `asked`; without a name the usual one.
    ///
    /// # Errors
    /// There is no such connection, it has no key, or something about it is not known yet.
    pub fn connection(&self, name: Option<&str>, asked: &Path) -> Result<Arc<Connection>, Gap> {
        self.connections.get(name, asked)
    }

    /// The object store that is named at `asked`.
    ///
    /// # Errors
    /// There is none of this name, or something about it is not known yet.
    pub fn object_store(&self, name: &str, asked: &Path) -> Result<Arc<ObjectStore>, Gap> {
        self.object_stores.get(name, asked)
    }

    /// The server that takes updates of DNS records.
    ///
    /// # Errors
    /// There is none, or something about it is not known yet.
    pub fn dns(&self) -> Result<&Rfc2136, Gap> {
        self.dns.as_ref().map_err(Clone::clone)?.as_ref().ok_or_else(|| {
            let detail = "The provider block has no `dns`.";
            let fault = Diagnostic::error("No DNS server is known that takes updates", detail);
            Gap::Fault(fault.hint("Add `dns = { rfc2136 = … }` to it."))
        })
    }

    /// The age identity that opens recovery bundles.
    ///
    /// # Errors
    /// There is none, or it is not known yet.
    pub fn recovery_identity(&self) -> Result<&Secret<String>, Gap> {
        self.recovery_identity.as_ref().map_err(Clone::clone)?.as_ref().ok_or_else(|| {
            let detail = "Neither `recovery_identity` of the provider block nor HA_RECOVERY_IDENTITY is set.";
            let fault = Diagnostic::error("The recovery bundle cannot be opened", detail);
            Gap::Fault(fault.hint("Set one of them while `recover_from` is used."))
        })
    }
}
