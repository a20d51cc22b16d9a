//! A configuration where it lies in the repository, as users get it. Nothing is written there.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::directory::Directory;
use crate::run::Run;

/// A directory of the repository. State and whatever an engine keeps are in another one.
pub(crate) struct Published<'a> {
    on: &'a Directory,
    folder: &'a str,
    pub(crate) variables: BTreeMap<&'a str, String>,
    /// Of the key for a name server.
    pub(crate) secret: Option<String>,
}

impl<'a> Published<'a> {
    /// It is valid. Programs come from the directory `programs`.
    pub(crate) fn new(on: &'a Directory, folder: &'a str, programs: &Path) -> Self {
        let variables = BTreeMap::from([("artifacts_directory", programs.display().to_string())]);
        let at = Self { on, folder, variables, secret: None };
        at.run("get", &[]).succeeds();
        at.run("validate", &[]).succeeds();
        at
    }

    fn command(&self, verb: &str, arguments: &[&str]) -> Command {
        let mut command = self.on.bare();
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(self.folder));
        command.env("TF_DATA_DIR", self.on.path("data")).args([verb, "-no-color"]).args(arguments);
        for (name, value) in &self.variables {
            command.env(format!("TF_VAR_{name}"), value);
        }
        command.envs(self.secret.iter().map(|it| ("HA_TSIG_SECRET", it)));
        command
    }

    pub(crate) fn run(&self, verb: &str, arguments: &[&str]) -> Run {
        self.on.output(&format!("{verb} in {}", self.folder), self.command(verb, arguments))
    }

    /// The same with the state, not started.
    pub(crate) fn command_on_state(&self, verb: &str, arguments: &[&str]) -> Command {
        let state = format!("-state={}", self.on.path("terraform.tfstate").display());
        self.command(verb, &[&[state.as_str(), "-input=false"], arguments].concat())
    }

    pub(crate) fn run_on_state(&self, verb: &str, arguments: &[&str]) -> Run {
        let command = self.command_on_state(verb, arguments);
        self.on.output(&format!("{verb} in {}", self.folder), command)
    }

    #[track_caller]
    pub(crate) fn settle(&self) -> Run {
        let run = self.run_on_state("apply", &["-auto-approve"]).succeeds();
        self.plan_is_empty();
        run
    }

    #[track_caller]
    pub(crate) fn plan_is_empty(&self) {
        self.run_on_state("plan", &["-detailed-exitcode"]).succeeds().says("No changes.");
    }
}
