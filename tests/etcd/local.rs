//! A directory with a configuration, directories that stand for hosts, and the programs of etcd.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::engine::Engine;
use crate::run::Run;

pub(crate) const VERSION: &str = "3.6.16";
pub(crate) const NODES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// All that runs there ends when this is dropped.
pub(crate) struct Local {
    engine: Engine,
    directory: TempDir,
    pub(crate) programs: PathBuf,
    /// Of its own for each test.
    network: u8,
}

impl Local {
    /// None: there are no programs, and that is said.
    pub(crate) fn new(engine: Engine) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/lab-binaries");
        let output = Command::new(script)
            .args(["etcd", VERSION])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("the script can be started");
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(env::var_os("CI").is_none(), "no etcd {VERSION}: {why}");
            eprintln!("left out: no etcd {VERSION}: {why}");
            return None;
        }
        let programs = String::from_utf8(output.stdout).unwrap().trim().into();
        let network = if engine == Engine::Terraform { 64 } else { 96 };
        let at = Self { engine, directory: tempfile::tempdir().unwrap(), programs, network };
        let agents = at.path("agents");
        fs::create_dir(&agents).unwrap();
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let agent = agents.join(format!("ha-agent_linux_{architecture}"));
        symlink(env!("CARGO_BIN_EXE_ha-agent"), agent).unwrap();
        let provider = PathBuf::from(env!("CARGO_BIN_EXE_terraform-provider-ha"));
        let rc = format!(
            "provider_installation {{\n  dev_overrides {{ \"terraform-ha/ha\" = \"{}\" }}\n  direct {{}}\n}}",
            provider.parent().unwrap().display()
        );
        fs::write(at.path("rc"), rc).unwrap();
        let block = format!(
            "terraform {{\n  required_providers {{\n    ha = {{ source = \"terraform-ha/ha\" }}\n  }}\n}}\n\
             provider \"ha\" {{\n  artifacts = {{ directory = \"{}\" }}\n}}\n",
            at.programs.display()
        );
        fs::write(at.path("provider.tf"), block).unwrap();
        Some(at)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What stands for `/` on a host.
    pub(crate) fn root(&self, node: &str) -> PathBuf {
        self.path("hosts").join(node)
    }

    /// One of its own for each test process, below those of other tests.
    pub(crate) fn address(&self, node: &str) -> String {
        let [.., high, low] = std::process::id().to_be_bytes();
        let number = NODES.iter().position(|it| *it == node).unwrap() + 10;
        format!("127.{}.{low}.{number}", self.network | (high & 31))
    }

    /// A cluster of these members; `more` are arguments.
    pub(crate) fn wish(&self, nodes: &[&str], more: &str) {
        let member = |it: &&str| {
            let (address, root) = (self.address(it), self.root(it));
            format!(
                "    {it} = {{ host = {{ address = \"{address}\", transport = \"local\", root = \"{}\" }} }}\n",
                root.display()
            )
        };
        let members: String = nodes.iter().map(member).collect();
        let text = format!(
            "resource \"ha_etcd_cluster\" \"this\" {{\n  name = \"prod\"\n  version = \"{VERSION}\"\n  {more}\n  \
             members = {{\n{members}  }}\n}}\n"
        );
        fs::write(self.path("main.tf"), text).unwrap();
    }

    /// The engine with our provider and agent, in this directory.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.engine.command();
        command.current_dir(self.directory.path()).env("TF_CLI_CONFIG_FILE", self.path("rc"));
        command.env("HA_AGENT_DIRECTORY", self.path("agents"));
        command
    }

    /// `what` is how its output is called.
    pub(crate) fn output(&self, what: &str, mut command: Command) -> Run {
        Run::new(what, &command.output().unwrap_or_else(|err| self.engine.explain(&err)))
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.run_in(arguments, &[])
    }

    fn run_in(&self, arguments: &[&str], environment: &[(&str, &Path)]) -> Run {
        let (verb, rest) = arguments.split_first().unwrap();
        let mut command = self.command();
        command.arg(verb).args(["-no-color", "-input=false"]).args(rest);
        command.envs(environment.iter().copied());
        self.output(&arguments.join(" "), command)
    }

    #[track_caller]
    pub(crate) fn plan(&self) -> Run {
        self.run(&["plan"]).succeeds()
    }

    #[track_caller]
    pub(crate) fn apply(&self) -> Run {
        self.run(&["apply", "-auto-approve"]).succeeds()
    }

    #[track_caller]
    pub(crate) fn plan_fails(&self) -> Run {
        self.run(&["plan"]).fails()
    }

    /// Applies; what there is then is what was asked for.
    #[track_caller]
    pub(crate) fn settle(&self) -> Run {
        let run = self.apply();
        self.plan_is_empty();
        run
    }

    /// With more in the environment, and all that engine and provider log in `trace.log`.
    #[track_caller]
    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &Path)]) -> Run {
        let log = self.path("trace.log");
        let logs = [("TF_LOG", Path::new("TRACE")), ("TF_LOG_PATH", &log)];
        self.run_in(arguments, &[environment, &logs].concat()).succeeds()
    }

    /// The same for an apply whose outputs may change by themselves.
    #[track_caller]
    pub(crate) fn apply_with(&self, environment: &[(&str, &Path)]) -> Run {
        self.run_with(&["apply", "-auto-approve"], environment)
    }

    /// A plan in JSON.
    #[track_caller]
    pub(crate) fn show(&self, plan: &str) -> String {
        let output = self.command().args(["show", "-json", plan]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn plan_is_empty(&self) {
        self.run(&["plan", "-detailed-exitcode"]).plans_nothing();
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

    /// The attributes in the state.
    pub(crate) fn attributes(&self) -> Value {
        self.state()["resources"][0]["instances"][0]["attributes"].clone()
    }

    /// The identity in the state.
    pub(crate) fn identity(&self) -> Value {
        self.state()["resources"][0]["instances"][0]["identity"].clone()
    }

    /// Whether the state has nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.state()["resources"].as_array().is_none_or(Vec::is_empty)
    }

    fn state(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("terraform.tfstate")).unwrap()).unwrap()
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
        let keys = self.root(node).join("etc/etcd-prod");
        Command::new(self.programs.join("etcdctl"))
            .arg(format!("--endpoints=https://{}:2379", self.address(node)))
            .arg(format!("--cacert={}", keys.join("ca.crt").display()))
            .arg(format!("--cert={}", keys.join("server.crt").display()))
            .arg(format!("--key={}", keys.join("server.key").display()))
            .args(arguments)
            .output()
            .unwrap()
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

impl Drop for Local {
    fn drop(&mut self) {
        let hosts = format!("{}/", self.path("hosts").display());
        for (pid, _) in processes_of(&hosts) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Makes two tests of each function, one for each engine.
macro_rules! for_each_engine_with_etcd {
    ($($test:ident),+ $(,)?) => {
        mod terraform {
            $(#[test] fn $test() {
                if let Some(on) = $crate::local::Local::new($crate::engine::Engine::Terraform) { super::$test(&on); }
            })+
        }
        mod tofu {
            $(#[test] fn $test() {
                if let Some(on) = $crate::local::Local::new($crate::engine::Engine::Tofu) { super::$test(&on); }
            })+
        }
    };
}
pub(crate) use for_each_engine_with_etcd;

fn processes_of(path: &str) -> Vec<(Pid, String)> {
    let line = |pid: Pid| {
        let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', "/ ");
        line.contains(path).then_some((pid, line))
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|it| line(Pid::from_raw(it.file_name().to_str()?.parse().ok()?)?)).collect()
}
