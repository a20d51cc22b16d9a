//! One process, with what it was started with.

use std::net::SocketAddr;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::domain::kubernetes::{Component, Version};
use crate::domain::service;
use crate::host::fake::FakeHost;

#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) number: u32,
    pub(super) since: Instant,
    pub(super) version: Version,
    pub(super) arguments: Vec<String>,
    environment: String,
}

impl Process {
    /// From the unit of this name.
    ///
    /// # Errors
    /// What it would say before it ends.
    pub(super) fn read(
        host: &FakeHost,
        unit: &str,
        (number, text): (u32, &[u8]),
        since: Instant,
    ) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|it| it.to_string())?;
        let service = service::parse(unit.trim_end_matches(".service"), text);
        let service = service.map_err(|it| it.to_string())?;
        let version = service.program.rsplit('/').nth(1).and_then(|it| it.parse::<Version>().ok());
        let version = version.ok_or_else(|| format!("{} is no program", service.program))?;
        if !host.has_installed("kubernetes", &version.to_string()) {
            return Err(format!("there is no Kubernetes {version}"));
        }
        let arguments = service.arguments.clone();
        let environment = format!("{:?}", service.environment);
        let it = Self { number, since, version, arguments, environment };
        if let Some(missing) = it.files().find(|path| host.file(path).is_none()) {
            return Err(format!("there is no {missing}"));
        }
        Ok(it)
    }

    /// Everything that must lie there.
    fn files(&self) -> impl Iterator<Item = &str> {
        let paths = self.arguments.iter().filter_map(|it| Some(it.split_once("=/etc/")?.0));
        let all = paths.filter_map(|flag| self.flag(flag.trim_start_matches("--")));
        all.filter(|it| it.starts_with("/etc/"))
    }

    pub(super) fn flag(&self, name: &str) -> Option<&str> {
        let prefix = format!("--{name}=");
        self.arguments.iter().find_map(|it| it.strip_prefix(&prefix))
    }

    /// Where it listens.
    pub(super) fn socket(&self, component: Component) -> Option<SocketAddr> {
        let usual = match component {
            Component::ApiServer => "6443",
            Component::ControllerManager => "10257",
            Component::Scheduler => "10259",
        };
        let port = self.flag("secure-port").unwrap_or(usual);
        format!("{}:{port}", self.flag("bind-address")?).parse().ok()
    }

    /// Stands for the keys with which objects are written and read.
    pub(super) fn keys(&self, host: &FakeHost) -> String {
        let mut all = Sha256::new();
        let flags = ["client-ca-file", "encryption-provider-config", "service-account-key-file"];
        for path in flags.iter().filter_map(|it| self.flag(it)) {
            all.update(host.file(path).unwrap_or_default());
        }
        format!("{:x?}", all.finalize())
    }

    /// But for its number and its time.
    pub(super) fn in_words(&self) -> String {
        format!("{} {:?} {}", self.version, self.arguments, self.environment)
    }
}
