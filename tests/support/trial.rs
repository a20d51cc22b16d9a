//! A workspace with the trial service, and the program that it installs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::engine::Engine;
use crate::workspace::Workspace;

/// A workspace of the provider `trial`. `block` is what stands in its provider block.
pub(crate) struct Trial {
    pub(crate) at: Workspace,
}

/// What is asked of the service.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) version: &'a str,
    pub(crate) message: &'a str,
}

pub(crate) const FIRST: Wish<'_> = Wish { version: "1", message: "good morning" };

impl Trial {
    /// `agents` is a directory with the agents, `target` the machine that the program is for.
    pub(crate) fn new(engine: Engine, block: &str, agents: PathBuf, target: Option<&str>) -> Self {
        let provider = format!(
            "terraform {{\n  required_providers {{\n    trial = {{ source = \"terraform-ha/trial\" }}\n  }}\n}}\n\
             provider \"trial\" {{\n{block}\n}}\n"
        );
        let mut at = Workspace::serving(engine, "trial", &provider);
        let program = at.path("echo");
        compile(&program, target);
        at.environment.push(("TRIAL_PROGRAM".to_owned(), program));
        at.environment.push(("HA_AGENT_DIRECTORY".to_owned(), agents));
        Self { at }
    }

    /// Replaces the configuration: the nodes as HCL, by their keys.
    pub(crate) fn wish(&self, wish: Wish<'_>, nodes: &[(&str, String)]) {
        let Wish { version, message } = wish;
        let nodes: Vec<_> = nodes.iter().map(|(key, it)| format!("    {key} = {it}\n")).collect();
        let nodes = nodes.concat();
        self.at.config(&format!(
            "resource \"trial_service\" \"a\" {{\n  name = \"hello\"\n  version = \"{version}\"\n  message = \"{message}\"\n  \
             nodes = {{\n{nodes}  }}\n}}\n"
        ));
    }

    /// The attributes of the service in the state.
    pub(crate) fn attributes(&self) -> serde_json::Value {
        let state = self.at.state();
        state["resources"][0]["instances"][0]["attributes"].clone()
    }

    /// Whether anything is in the state.
    pub(crate) fn is_in_state(&self) -> bool {
        fs::read_to_string(self.at.path("terraform.tfstate"))
            .is_ok_and(|it| it.contains("trial_service"))
    }
}

/// Without cargo: one file, one second.
fn compile(program: &Path, target: Option<&str>) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/trial/echo.rs");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-C", "panic=abort", "-C", "strip=symbols", source, "-o"]);
    rustc.arg(program);
    if let Some(target) = target {
        rustc.args(["--target", target]);
    }
    let output = rustc.output().expect("rustc can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
