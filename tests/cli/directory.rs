//! A directory in which an engine runs, with a configuration and a state.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::engine::Engine;
use crate::run::Run;

/// What the tests of every provider do in a directory; their workspaces are this and more.
pub(crate) struct Directory {
    pub(crate) engine: Engine,
    /// Beside what an engine needs by itself.
    pub(crate) environment: Vec<(String, PathBuf)>,
    folder: TempDir,
}

impl Directory {
    /// A directory with nothing in it. `providers` has to follow.
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, environment: Vec::new(), folder: tempfile::tempdir().unwrap() }
    }

    /// The same with the provider that is shipped, for which there is no `init`.
    pub(crate) fn with_ha(engine: Engine) -> Self {
        let at = Self::new(engine);
        at.overrides(Path::new(env!("CARGO_BIN_EXE_terraform-provider-ha")).parent().unwrap());
        at
    }

    /// The provider that is shipped is taken from this directory.
    pub(crate) fn overrides(&self, provider: &Path) {
        let ha = format!("\"terraform-ha/ha\" = \"{}\"", provider.display());
        self.providers(&format!("  dev_overrides {{ {ha} }}\n  direct {{}}"));
    }

    /// Where providers are taken from.
    pub(crate) fn providers(&self, hcl: &str) {
        fs::write(self.path("rc"), format!("provider_installation {{\n{hcl}\n}}")).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces the file with the provider.
    pub(crate) fn provider(&self, hcl: &str) {
        fs::write(self.path("provider.tf"), hcl).unwrap();
    }

    /// Replaces the file with everything else.
    pub(crate) fn config(&self, hcl: &str) {
        fs::write(self.path("main.tf"), hcl).unwrap();
    }

    /// The engine without arguments, not started.
    pub(crate) fn bare(&self) -> Command {
        let mut command = self.engine.command();
        command.current_dir(self.folder.path()).env("TF_CLI_CONFIG_FILE", self.path("rc"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The engine with its arguments, not started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let (verb, rest) = arguments.split_first().unwrap();
        // Flags stand between the verb and what it is about.
        let flags: &[&str] = match *verb {
            "providers" => &[],
            "init" | "plan" | "apply" | "destroy" | "import" => &["-no-color", "-input=false"],
            _ => &["-no-color"],
        };
        let mut command = self.bare();
        command.arg(verb).args(flags).args(rest);
        command
    }

    /// `what` is how its output is called.
    pub(crate) fn output(&self, what: &str, mut command: Command) -> Run {
        Run::new(what, &command.output().unwrap_or_else(|err| self.engine.explain(&err)))
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.output(&arguments.join(" "), self.command(arguments))
    }

    #[track_caller]
    pub(crate) fn plan(&self) -> Run {
        self.run(&["plan"]).succeeds()
    }

    #[track_caller]
    pub(crate) fn plan_fails(&self) -> Run {
        self.run(&["plan"]).fails()
    }

    #[track_caller]
    pub(crate) fn plan_is_empty(&self) {
        self.run(&["plan", "-detailed-exitcode"]).plans_nothing();
    }

    #[track_caller]
    pub(crate) fn apply(&self) -> Run {
        self.run(&["apply", "-auto-approve"]).succeeds()
    }

    #[track_caller]
    pub(crate) fn apply_fails(&self) -> Run {
        self.run(&["apply", "-auto-approve"]).fails()
    }

    /// Applies; what there is then is what was asked for.
    #[track_caller]
    pub(crate) fn settle(&self) -> Run {
        let run = self.apply();
        self.plan_is_empty();
        run
    }

    #[track_caller]
    pub(crate) fn destroy(&self) -> Run {
        self.run(&["destroy", "-auto-approve"]).succeeds()
    }

    /// The whole state file as it is stored.
    #[track_caller]
    pub(crate) fn state(&self) -> Value {
        let state = fs::read(self.path("terraform.tfstate")).unwrap();
        serde_json::from_slice(&state).unwrap()
    }

    /// What is stored of a resource: attributes, private data, identity, status.
    #[track_caller]
    pub(crate) fn stored_of(&self, ty: &str, name: &str) -> Option<Value> {
        let state = self.state();
        let resources = state["resources"].as_array().unwrap();
        let is_it = |it: &&Value| it["type"] == ty && it["name"] == name;
        resources.iter().find(is_it)?["instances"].get(0).cloned()
    }
}
