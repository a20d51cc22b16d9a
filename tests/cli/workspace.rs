//! A directory with a configuration, a state and the objects of the test provider.

use std::env;
use std::fs;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::directory::Directory;
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

/// A [`Directory`] of which the provider is one of the tests, by default the probe.
pub(crate) struct Workspace {
    directory: Directory,
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
        let at = Self { directory: Directory::new(engine) };
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
        at.providers(&format!("  filesystem_mirror {{ path = \"{mirror}\" }}"));
        at.provider(provider);
        at.run(&["init"]).succeeds();
        at
    }

    /// A configuration of nothing but `probe_thing.a`, whose file is `a.json`.
    pub(crate) fn thing(&self, arguments: &str) {
        self.config(&thing("a", arguments));
    }

    /// Starts an apply in a process group of its own, as a shell does it.
    pub(crate) fn spawn_apply(&self, with: impl FnOnce(&mut Command)) -> Child {
        use std::os::unix::process::CommandExt as _;
        let mut command = self.command(&["apply", "-auto-approve"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        with(&mut command);
        command.spawn().unwrap_or_else(|err| self.engine.explain(&err))
    }

    /// What an apply would do: the text of the plan, and the plan. It takes the place of the one of a directory.
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

    /// What is stored of `probe_thing.<name>`.
    pub(crate) fn stored(&self, name: &str) -> Option<Value> {
        self.stored_of("probe_thing", name)
    }

    /// The stored attributes of `probe_thing.a`.
    #[track_caller]
    pub(crate) fn attributes(&self) -> Value {
        self.stored("a").expect("probe_thing.a is in the state")["attributes"].clone()
    }
}

impl Deref for Workspace {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.directory
    }
}

impl DerefMut for Workspace {
    fn deref_mut(&mut self) -> &mut Directory {
        &mut self.directory
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
