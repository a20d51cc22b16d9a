//! A directory with a configuration and a state, beside a name server.

use std::fs;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use terraform_provider_ha::remote::dns::Server;

use crate::bind::{Bind, Special};
use crate::directory::Directory;
use crate::engine::Engine;

/// A [`Directory`] with the provider that is shipped. The key is in the environment.
pub(crate) struct Workspace {
    directory: Directory,
}

impl Workspace {
    /// A directory with nothing in it.
    pub(crate) fn new(engine: Engine) -> Self {
        Self { directory: Directory::with_ha(engine) }
    }

    /// The clock of the provider is two hours behind. It is not BIND's: libfaketime does not get along with the
    /// allocator that Debian builds it with.
    pub(crate) fn clock_behind(&self) {
        let (folder, provider) = (self.path("skewed"), env!("CARGO_BIN_EXE_terraform-provider-ha"));
        fs::create_dir(&folder).unwrap();
        let script = format!(
            "#!/bin/sh\nexec env FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -f -2h {provider} \"$@\"\n"
        );
        let path = folder.join("terraform-provider-ha");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self.overrides(&folder);
    }

    /// The same beside a primary, which its provider knows.
    pub(crate) fn with_bind(engine: Engine) -> Option<(Self, Bind)> {
        Self::beside(engine, Special::default())
    }

    pub(crate) fn beside(engine: Engine, special: Special<'_>) -> Option<(Self, Bind)> {
        let bind = Bind::with(special)?;
        let mut at = Self::new(engine);
        at.secret(&bind.secret);
        at.servers(&[&bind.server], "");
        Some((at, bind))
    }

    /// The provider block.
    pub(crate) fn servers(&self, servers: &[&Server], more: &str) {
        let servers: Vec<_> = servers.iter().map(|it| format!("\"{it}\"")).collect();
        let servers = servers.join(", ");
        let key = if more.contains("key_name") { "" } else { "key_name = \"ha\"" };
        let text = format!(
            r#"
            terraform {{
              required_providers {{
                ha = {{ source = "terraform-ha/ha" }}
              }}
            }}
            provider "ha" {{
              dns = {{ rfc2136 = {{
                servers = [{servers}]
                timeout = "500ms"
                retries = 1
                {key}
                {more}
              }} }}
            }}
            "#
        );
        self.provider(&text);
    }

    /// The key in base64.
    pub(crate) fn secret(&mut self, secret: &str) {
        self.directory.environment = vec![("HA_TSIG_SECRET".to_owned(), secret.into())];
    }

    /// A configuration of nothing but `ha_dns_record.api`: the name `api` of `example.test`, of type A unless the
    /// arguments say otherwise.
    pub(crate) fn record(&self, arguments: &str) {
        self.config(&record("api", arguments));
    }

    /// What is stored of `ha_dns_record.<name>`.
    pub(crate) fn stored(&self, name: &str) -> Option<Value> {
        let has_state = self.path("terraform.tfstate").exists();
        has_state.then(|| self.stored_of("ha_dns_record", name))?
    }

    /// The stored attributes of `ha_dns_record.api`.
    #[track_caller]
    pub(crate) fn attributes(&self) -> Value {
        self.stored("api").expect("the record is in the state")["attributes"].clone()
    }
}

impl Deref for Workspace {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.directory
    }
}

pub(crate) fn record(name: &str, arguments: &str) -> String {
    let ty = if arguments.contains("type ") { "" } else { "type = \"A\"" };
    let zone = if arguments.contains("zone ") { "" } else { "zone = \"example.test\"" };
    let label =
        if arguments.contains("name ") { String::new() } else { format!("name = \"{name}\"") };
    format!("resource \"ha_dns_record\" \"{name}\" {{\n{zone}\n{label}\n{ty}\n{arguments}\n}}\n")
}

/// A server for what needs none.
pub(crate) fn nobody() -> Server {
    Server { address: "127.0.0.1".to_owned(), port: 1 }
}
