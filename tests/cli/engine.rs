//! The two engines, and what they can do.

use std::env;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Who drives the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Terraform,
    Tofu,
}

impl Engine {
    /// The program, by path or by name.
    pub(crate) fn program(self) -> OsString {
        let (variable, name) = match self {
            Self::Terraform => ("TERRAFORM", "terraform"),
            Self::Tofu => ("TOFU", "tofu"),
        };
        env::var_os(variable).unwrap_or_else(|| name.into())
    }

    /// Where it looks for a provider without a host in its source address.
    pub(crate) fn registry(self) -> &'static str {
        match self {
            Self::Terraform => "registry.terraform.io",
            Self::Tofu => "registry.opentofu.org",
        }
    }

    /// Whether objects have an identity, which `import` blocks may name.
    pub(crate) fn knows_identity(self) -> bool {
        (1, 12) <= self.version()
    }

    /// Major and minor.
    fn version(self) -> (u32, u32) {
        let mut asked = self.command();
        asked.args(["version", "-json"]).env("TF_CLI_CONFIG_FILE", "/dev/null");
        let answer = asked.output().unwrap_or_else(|err| self.explain(&err)).stdout;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let mut numbers = answer["terraform_version"].as_str().unwrap().split('.');
        let mut next = || numbers.next().unwrap().parse().unwrap();
        (next(), next())
    }

    /// The program without what the environment of the test run would make it do.
    pub(crate) fn command(self) -> Command {
        let mut command = Command::new(self.program());
        let ours = ["TF_", "TOFU_", "PROBE_", "HA_", "SSH_"];
        for (key, _) in env::vars_os() {
            if key.to_str().is_some_and(|key| ours.iter().any(|it| key.starts_with(it))) {
                command.env_remove(key);
            }
        }
        command.env("CHECKPOINT_DISABLE", "1").stdin(Stdio::null());
        command
    }

    /// Why it could not be started, with the way out.
    pub(crate) fn explain(self, err: &std::io::Error) -> ! {
        let program = self.program();
        let program = program.display();
        match err.kind() {
            ErrorKind::NotFound => panic!(
                "{self:?} is not installed as {program}: run `scripts/setup`, or name the program by \
                 its whole path in the environment variable TERRAFORM or TOFU"
            ),
            _ => panic!("{program} cannot be started: {err}"),
        }
    }
}

/// Makes two tests of each function, one for each engine: `lifecycle::tofu::…`.
macro_rules! for_each_engine {
    ($($test:ident),+ $(,)?) => {
        mod terraform {
            $(#[test] fn $test() {
                super::$test(&$crate::workspace::Workspace::new($crate::engine::Engine::Terraform));
            })+
        }
        mod tofu {
            $(#[test] fn $test() {
                super::$test(&$crate::workspace::Workspace::new($crate::engine::Engine::Tofu));
            })+
        }
    };
}
pub(crate) use for_each_engine;
