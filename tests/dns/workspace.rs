//! A directory with a configuration and a state, beside a name server.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;
use tempfile::TempDir;
use terraform_provider_ha::remote::dns::Server;

use crate::bind::{Bind, Special};
use crate::engine::Engine;
use crate::run::Run;

pub(crate) struct Workspace {
    pub(crate) engine: Engine,
    directory: TempDir,
    /// The key in base64, given by the environment; empty for none.
    secret: String,
}

impl Workspace {
    /// A directory with nothing in it.
    pub(crate) fn new(engine: Engine) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let provider = PathBuf::from(env!("CARGO_BIN_EXE_terraform-provider-ha"));
        let at = Self { engine, directory, secret: String::new() };
        at.overrides(provider.parent().unwrap());
        at
    }

    /// The provider of this directory is used, and there is no `init`.
    fn overrides(&self, provider: &Path) {
        let rc = format!(
            "provider_installation {{\n  dev_overrides {{ \"terraform-ha/ha\" = \"{}\" }}\n  direct {{}}\n}}",
            provider.display()
        );
        fs::write(self.path("rc"), rc).unwrap();
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
        at.secret.clone_from(&bind.secret);
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
        fs::write(self.path("provider.tf"), text).unwrap();
    }

    /// Another key than that of the server.
    pub(crate) fn secret(&mut self, secret: &str) {
        secret.clone_into(&mut self.secret);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Replaces the file with everything but the provider.
    pub(crate) fn config(&self, hcl: &str) {
        fs::write(self.path("main.tf"), hcl).unwrap();
    }

    /// A configuration of nothing but `ha_dns_record.api`: the name `api` of `example.test`, of type A unless the
    /// arguments say otherwise.
    pub(crate) fn record(&self, arguments: &str) {
        self.config(&record("api", arguments));
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let (verb, rest) = arguments.split_first().unwrap();
        let flags: &[&str] = match *verb {
            "plan" | "apply" | "destroy" | "import" => &["-no-color", "-input=false"],
            _ => &["-no-color"],
        };
        let mut command = self.engine.command();
        command.arg(verb).args(flags).args(rest);
        command.current_dir(self.directory.path()).env("TF_CLI_CONFIG_FILE", self.path("rc"));
        command.env_remove("HA_TSIG_SECRET");
        if !self.secret.is_empty() {
            command.env("HA_TSIG_SECRET", &self.secret);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output();
        Run::new(&arguments.join(" "), &output.unwrap_or_else(|err| self.engine.explain(&err)))
    }

    #[track_caller]
    pub(crate) fn apply(&self) -> Run {
        self.run(&["apply", "-auto-approve"]).succeeds()
    }

    #[track_caller]
    pub(crate) fn apply_fails(&self) -> Run {
        self.run(&["apply", "-auto-approve"]).fails()
    }

    #[track_caller]
    pub(crate) fn destroy(&self) -> Run {
        self.run(&["destroy", "-auto-approve"]).succeeds()
    }

    #[track_caller]
    pub(crate) fn plan(&self) -> Run {
        self.run(&["plan"]).succeeds()
    }

    #[track_caller]
    pub(crate) fn plan_is_empty(&self) {
        self.run(&["plan", "-detailed-exitcode"]).plans_nothing();
    }

    /// Applies; what there is then is what was asked for.
    #[track_caller]
    pub(crate) fn settle(&self) -> Run {
        let run = self.apply();
        self.plan_is_empty();
        run
    }

    /// What is stored of `ha_dns_record.<name>`.
    pub(crate) fn stored(&self, name: &str) -> Option<Value> {
        let state: Value =
            serde_json::from_slice(&fs::read(self.path("terraform.tfstate")).ok()?).unwrap();
        let resources = state["resources"].as_array().unwrap();
        let is_it = |it: &&Value| it["type"] == "ha_dns_record" && it["name"] == name;
        resources.iter().find(is_it)?["instances"].get(0).cloned()
    }

    /// The stored attributes of `ha_dns_record.api`.
    #[track_caller]
    pub(crate) fn attributes(&self) -> Value {
        self.stored("api").expect("the record is in the state")["attributes"].clone()
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
