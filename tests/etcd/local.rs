//! A directory with a configuration, directories that stand for hosts, and the programs of etcd.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::Pid;
use serde_json::Value;

use crate::binaries::binaries;
use crate::engine::Engine;
use crate::local_hosts::{LocalHosts, processes_of};
use crate::run::Run;

pub(crate) const VERSION: &str = "3.6.16";
pub(crate) const NODES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// [`LocalHosts`] with etcd.
pub(crate) struct Local {
    hosts: LocalHosts,
    pub(crate) programs: PathBuf,
}

impl Local {
    /// None: there are no programs, and that is said.
    pub(crate) fn new(engine: Engine) -> Option<Self> {
        let programs = binaries("etcd", VERSION)?;
        let at = Self { hosts: LocalHosts::new(engine, 64), programs };
        let block = format!(
            "terraform {{\n  required_providers {{\n    ha = {{ source = \"terraform-ha/ha\" }}\n  }}\n}}\n\
             provider \"ha\" {{\n  artifacts = {{ directory = \"{}\" }}\n}}\n",
            at.programs.display()
        );
        at.provider(&block);
        Some(at)
    }

    /// One of its own for each test process, below those of other tests.
    pub(crate) fn address(&self, node: &str) -> String {
        let number = NODES.iter().zip(10..).find(|it| *it.0 == node).unwrap().1;
        self.number(number).to_string()
    }

    /// A cluster of these members; `more` are arguments.
    pub(crate) fn wish(&self, nodes: &[&str], more: &str) {
        let member = |it: &&str| self.element(it, self.address(it));
        let members: String = nodes.iter().map(member).collect();
        self.config(&format!(
            "resource \"ha_etcd_cluster\" \"this\" {{\n  name = \"prod\"\n  version = \"{VERSION}\"\n  {more}\n  \
             members = {{\n{members}  }}\n}}\n"
        ));
    }

    /// With more in the environment, and all that engine and provider log in `trace.log`.
    #[track_caller]
    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &Path)]) -> Run {
        let mut command = self.command(arguments);
        command.envs(environment.iter().copied());
        command.env("TF_LOG", "TRACE").env("TF_LOG_PATH", self.path("trace.log"));
        self.output(&arguments.join(" "), command).succeeds()
    }

    /// The same for an apply whose outputs may change by themselves.
    #[track_caller]
    pub(crate) fn apply_with(&self, environment: &[(&str, &Path)]) -> Run {
        self.run_with(&["apply", "-auto-approve"], environment)
    }

    #[track_caller]
    pub(crate) fn destroy_fails(&self) -> Run {
        self.run(&["destroy", "-auto-approve"]).fails()
    }

    #[track_caller]
    pub(crate) fn import(&self, id: &str) -> Run {
        self.run(&["import", "ha_etcd_cluster.this", id]).succeeds()
    }

    #[track_caller]
    pub(crate) fn import_fails(&self, id: &str) -> Run {
        self.run(&["import", "ha_etcd_cluster.this", id]).fails()
    }

    pub(crate) fn knows_identity(&self) -> bool {
        self.engine.knows_identity()
    }

    /// The identity in the state.
    pub(crate) fn identity(&self) -> Value {
        self.state()["resources"][0]["instances"][0]["identity"].clone()
    }

    /// Whether the state has nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.state()["resources"].as_array().is_none_or(Vec::is_empty)
    }

    /// What etcdctl says of a member, with the credentials of that member.
    #[track_caller]
    pub(crate) fn etcdctl(&self, node: &str, arguments: &[&str]) -> String {
        let output = self.ask(node, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Whether it commits what it is asked.
    pub(crate) fn serves(&self, node: &str) -> bool {
        self.ask(node, &["endpoint", "health"]).status.success()
    }

    fn ask(&self, node: &str, arguments: &[&str]) -> Output {
        self.command_of(node, arguments).output().unwrap()
    }

    /// etcdctl, asking this member.
    pub(crate) fn command_of(&self, node: &str, arguments: &[&str]) -> Command {
        let keys = self.root(node).join("etc/etcd-prod");
        let mut command = Command::new(self.programs.join("etcdctl"));
        command
            .arg(format!("--endpoints=https://{}:2379", self.address(node)))
            .arg(format!("--cacert={}", keys.join("ca.crt").display()))
            .arg(format!("--cert={}", keys.join("server.crt").display()))
            .arg(format!("--key={}", keys.join("server.key").display()))
            .args(arguments);
        command
    }

    /// Processes of a node whose program has this name.
    pub(crate) fn processes(&self, node: &str, program: &str) -> Vec<Pid> {
        let root = format!("{}/", self.root(node).display());
        let all = processes_of(&root).into_iter();
        let is_it = |it: &(Pid, String)| {
            let path = it.1.split(' ').next().unwrap_or_default();
            path.trim_end_matches('/').rsplit('/').next().is_some_and(|it| it.starts_with(program))
        };
        all.filter(is_it).map(|(pid, _)| pid).collect()
    }
}

impl Deref for Local {
    type Target = LocalHosts;

    fn deref(&self) -> &LocalHosts {
        &self.hosts
    }
}

/// Makes two tests of each function, one for each engine; and of those after `once` one, for Terraform. They take minutes,
/// most of which hosts wait for their clocks without any engine.
macro_rules! for_each_engine_with_etcd {
    ($($test:ident),* $(; once $($once:ident),+)? $(,)?) => {
        mod terraform {
            $crate::local::tests_with_etcd![Terraform: $($test)* $($($once)+)?];
        }
        mod tofu {
            $crate::local::tests_with_etcd![Tofu: $($test)*];
        }
    };
}
pub(crate) use for_each_engine_with_etcd;

macro_rules! tests_with_etcd {
    ($engine:ident: $($test:ident)*) => {
        $(#[test] fn $test() {
            if let Some(on) = $crate::local::Local::new($crate::engine::Engine::$engine) { super::$test(&on); }
        })*
    };
}
pub(crate) use tests_with_etcd;
