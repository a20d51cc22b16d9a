//! A directory with a configuration, a state and the objects of the test provider.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::engine::Engine;
use crate::run::Run;

/// The provider of a workspace unless a test writes another.
const PROVIDER: &str = r#"
terraform {
  required_providers {
    probe = { source = "terraform-ha/probe" }
  }
}
provider "probe" {
  directory = "${path.module}/objects"
}
"#;

pub(crate) struct Workspace {
    pub(crate) engine: Engine,
    /// Beside what an engine needs by itself.
    pub(crate) environment: Vec<(String, PathBuf)>,
    directory: TempDir,
}

impl Workspace {
    /// A directory in which `init` was run, with the probe as its provider.
    pub(crate) fn new(engine: Engine) -> Self {
        let at = Self::serving(engine, "probe", PROVIDER);
        fs::create_dir(at.path("objects")).unwrap();
        at
    }

    /// A directory in which `init` was run, with one of the providers of the tests.
    pub(crate) fn serving(engine: Engine, name: &str, provider: &str) -> Self {
        let at = Self { engine, environment: Vec::new(), directory: tempfile::tempdir().unwrap() };
        let mirror = at.path("mirror");
        for registry in ["registry.terraform.io", "registry.opentofu.org"] {
            let home = mirror
                .join(registry)
                .join("terraform-ha")
                .join(name)
                .join("0.1.0")
                .join(platform());
            fs::create_dir_all(&home).unwrap();
            symlink(example(name), home.join(format!("terraform-provider-{name}_v0.1.0"))).unwrap();
        }
        let mirror = mirror.display();
        let rc =
            format!("provider_installation {{\n  filesystem_mirror {{ path = \"{mirror}\" }}\n}}");
        fs::write(at.path("rc"), rc).unwrap();
        at.provider(provider);
        at.run(&["init"]).succeeds();
        at
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Replaces the file with the provider.
    pub(crate) fn provider(&self, hcl: &str) {
        fs::write(self.path("provider.tf"), hcl).unwrap();
    }

    /// Replaces the file with everything else.
    pub(crate) fn config(&self, hcl: &str) {
        fs::write(self.path("main.tf"), hcl).unwrap();
    }

    /// A configuration of nothing but `probe_thing.a`, whose file is `a.json`.
    pub(crate) fn thing(&self, arguments: &str) {
        self.config(&thing("a", arguments));
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
        let mut command = self.engine.command();
        command.arg(verb).args(flags).args(rest);
        command.current_dir(self.directory.path()).env("TF_CLI_CONFIG_FILE", self.path("rc"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output();
        let output = output.unwrap_or_else(|err| self.engine.explain(&err));
        Run::new(&arguments.join(" "), &output)
    }

    /// Starts an apply in a process group of its own, as a shell does it.
    pub(crate) fn spawn_apply(&self, with: impl FnOnce(&mut Command)) -> Child {
        use std::os::unix::process::CommandExt as _;
        let mut command = self.command(&["apply", "-auto-approve"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        with(&mut command);
        command.spawn().unwrap_or_else(|err| self.engine.explain(&err))
    }

    pub(crate) fn apply(&self) -> Run {
        self.run(&["apply", "-auto-approve"]).succeeds()
    }

    pub(crate) fn apply_fails(&self) -> Run {
        self.run(&["apply", "-auto-approve"]).fails()
    }

    pub(crate) fn destroy(&self) -> Run {
        self.run(&["destroy", "-auto-approve"]).succeeds()
    }

    /// Applies; what there is then is what was asked for.
    pub(crate) fn settle(&self) -> Run {
        let run = self.apply();
        self.plan_is_empty();
        run
    }

    #[track_caller]
    pub(crate) fn plan_is_empty(&self) {
        self.run(&["plan", "-detailed-exitcode"]).plans_nothing();
    }

    /// What an apply would do: the text of the plan, and the plan.
    #[track_caller]
    pub(crate) fn plan(&self) -> Plan {
        self.plan_with(&[])
    }

    #[track_caller]
    pub(crate) fn plan_with(&self, arguments: &[&str]) -> Plan {
        let run = self.run(&[&["plan", "-out=plan.out"], arguments].concat()).succeeds();
        let shown = self.run(&["show", "-json", "plan.out"]).succeeds();
        Plan { run, json: shown.json() }
    }

    pub(crate) fn plan_fails(&self) -> Run {
        self.run(&["plan"]).fails()
    }

    /// The object that is really there.
    pub(crate) fn object(&self, name: &str) -> Option<Value> {
        let json = fs::read(self.object_path(name)).ok()?;
        Some(serde_json::from_slice(&json).unwrap())
    }

    /// Writes an object as somebody else would.
    pub(crate) fn put_object(&self, object: &Value) {
        let name = object["name"].as_str().unwrap();
        fs::write(self.object_path(name), object.to_string()).unwrap();
    }

    pub(crate) fn object_path(&self, name: &str) -> PathBuf {
        self.path("objects").join(format!("{name}.json"))
    }

    /// What the provider did; reads are left out, for there are many.
    pub(crate) fn events(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path("objects/events.log")).unwrap_or_default();
        log.lines().filter(|it| !it.starts_with("read ")).map(str::to_owned).collect()
    }

    /// The whole state file as it is stored.
    pub(crate) fn state(&self) -> Value {
        let state = fs::read(self.path("terraform.tfstate")).unwrap();
        serde_json::from_slice(&state).unwrap()
    }

    /// What is stored of `probe_thing.<name>`: attributes, private data, identity, status.
    pub(crate) fn stored(&self, name: &str) -> Option<Value> {
        let state = self.state();
        let resources = state["resources"].as_array().unwrap();
        let is_it = |it: &&Value| it["type"] == "probe_thing" && it["name"] == name;
        resources.iter().find(is_it)?["instances"].get(0).cloned()
    }

    /// The stored attributes of `probe_thing.a`.
    #[track_caller]
    pub(crate) fn attributes(&self) -> Value {
        self.stored("a").expect("probe_thing.a is in the state")["attributes"].clone()
    }
}

/// The block of a thing whose file has the name of its address.
pub(crate) fn thing(name: &str, arguments: &str) -> String {
    format!("resource \"probe_thing\" \"{name}\" {{\n  name = \"{name}\"\n{arguments}\n}}\n")
}

pub(crate) struct Plan {
    pub(crate) run: Run,
    json: Value,
}

impl Plan {
    /// What is planned for `probe_thing.<name>`.
    #[track_caller]
    pub(crate) fn change(&self, name: &str) -> Value {
        let changes = self.json["resource_changes"].as_array().expect("the plan has changes");
        let address = format!("probe_thing.{name}");
        let found = changes.iter().find(|it| it["address"] == address.as_str());
        found.unwrap_or_else(|| panic!("{address} is not in the plan:\n{}", self.run.text))["change"]
            .clone()
    }

    /// `create`, `update`, `delete`, `no-op`, or two of them.
    #[track_caller]
    pub(crate) fn actions(&self, name: &str) -> String {
        let change = self.change(name);
        let actions = change["actions"].as_array().unwrap();
        actions.iter().map(|it| it.as_str().unwrap()).collect::<Vec<_>>().join(", ")
    }
}

/// A provider of the tests, or the one that is shipped, beside this test.
fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let directory = if name == "ha" { "." } else { "examples" };
    let path = test.ancestors().nth(2).unwrap().join(directory);
    let path = path.join(format!("terraform-provider-{name}"));
    assert!(path.exists(), "{} is missing: run `cargo build --examples`", path.display());
    path
}

/// The system and architecture as Go names them.
fn platform() -> String {
    let architecture = match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let system = if env::consts::OS == "macos" { "darwin" } else { env::consts::OS };
    format!("{system}_{architecture}")
}
