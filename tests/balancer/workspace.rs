//! A directory with a configuration, directories that stand for hosts, and servers behind them.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::backend::{Server, Trust};
use crate::engine::Engine;
use crate::run::Run;

pub(crate) const PORT: u16 = 6443;
const NODES: [&str; 3] = ["lb1", "lb2", "lb3"];
const SERVERS: [&str; 3] = ["cp1", "cp2", "cp3"];

/// All that runs there ends when this is dropped.
pub(crate) struct Workspace {
    engine: Engine,
    directory: TempDir,
    pub(crate) trust: Trust,
    pub(crate) servers: BTreeMap<&'static str, Server>,
    network: u8,
}

/// What is wished beside nodes and backends.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) port: u16,
    pub(crate) more: String,
}

impl Workspace {
    /// None: there is no HAProxy, and that is said.
    pub(crate) fn new(engine: Engine) -> Option<Self> {
        if !Path::new("/usr/sbin/haproxy").exists() {
            assert!(std::env::var_os("CI").is_none(), "no HAProxy");
            eprintln!("left out: no HAProxy");
            return None;
        }
        let network = if engine == Engine::Terraform { 128 } else { 160 };
        let directory = tempfile::tempdir().unwrap();
        let (trust, servers) = (Trust::new(), BTreeMap::new());
        let mut at = Self { engine, directory, trust, servers, network };
        for (name, number) in SERVERS.into_iter().zip(20..) {
            let address = SocketAddr::new(at.number(number), PORT);
            at.servers.insert(name, Server::start(name, address, &at.trust));
        }
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
        fs::write(at.path("ca.crt"), &at.trust.pem).unwrap();
        let block = "terraform {\n  required_providers {\n    ha = { source = \"terraform-ha/ha\" }\n  }\n}\nprovider \"ha\" {}\n";
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

    /// One of its own for each test process.
    fn number(&self, number: u8) -> IpAddr {
        let [.., high, low] = std::process::id().to_be_bytes();
        IpAddr::from([127, self.network | (high & 31), low, number])
    }

    pub(crate) fn address(&self, node: &str) -> IpAddr {
        self.number(10 + u8::try_from(NODES.iter().position(|it| *it == node).unwrap()).unwrap())
    }

    /// Where clients find a node.
    pub(crate) fn front(&self, node: &str) -> SocketAddr {
        SocketAddr::new(self.address(node), PORT)
    }

    pub(crate) fn wish(&self, nodes: &[&str], backends: &[&str], more: &str) {
        let wish = Wish { port: PORT, more: more.to_owned() };
        self.wish_for(nodes, backends, &wish);
    }

    pub(crate) fn wish_for(&self, nodes: &[&str], backends: &[&str], wish: &Wish) {
        let node = |it: &&str| {
            let (address, root) = (self.address(it), self.root(it));
            format!(
                "    {it} = {{ host = {{ address = \"{address}\", transport = \"local\", root = \"{}\" }} }}\n",
                root.display()
            )
        };
        let backend = |it: &&str| format!("    {it} = \"{}\"\n", self.servers[*it].address);
        let nodes: String = nodes.iter().map(node).collect();
        let backends: String = backends.iter().map(backend).collect();
        let Wish { port, more } = wish;
        let text = format!(
            "resource \"ha_load_balancer\" \"this\" {{\n  name = \"api\"\n  port = {port}\n  {more}\n  \
             nodes = {{\n{nodes}  }}\n  backends = {{\n{backends}  }}\n  \
             health_check = {{ ca_certificate = file(\"ca.crt\") }}\n}}\n"
        );
        fs::write(self.path("main.tf"), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let (verb, rest) = arguments.split_first().unwrap();
        let mut command = self.engine.command();
        command.current_dir(self.directory.path()).env("TF_CLI_CONFIG_FILE", self.path("rc"));
        command.env("HA_AGENT_DIRECTORY", self.path("agents"));
        command.arg(verb).args(["-no-color", "-input=false"]).args(rest);
        let output = command.output().unwrap_or_else(|err| self.engine.explain(&err));
        Run::new(&arguments.join(" "), &output)
    }

    #[track_caller]
    pub(crate) fn plan(&self) -> Run {
        self.run(&["plan"]).succeeds()
    }

    #[track_caller]
    pub(crate) fn plan_fails(&self) -> Run {
        self.run(&["plan"]).fails()
    }

    /// Applies; what there is then is what was asked for.
    #[track_caller]
    pub(crate) fn settle(&self) -> Run {
        let run = self.run(&["apply", "-auto-approve"]).succeeds();
        self.plan_is_empty();
        run
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
    pub(crate) fn import(&self, id: &str) -> Run {
        self.run(&["import", "ha_load_balancer.this", id]).succeeds()
    }

    /// The attributes in the state.
    pub(crate) fn attributes(&self) -> Value {
        self.state()["resources"][0]["instances"][0]["attributes"].clone()
    }

    pub(crate) fn outputs(&self) -> Value {
        self.state()["outputs"].clone()
    }

    fn state(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("terraform.tfstate")).unwrap()).unwrap()
    }

    /// The main process of the proxy of a node and those that serve for it.
    pub(crate) fn processes(&self, node: &str) -> Vec<Pid> {
        let config = self.root(node).join("etc/balancer-api/haproxy.cfg");
        let is_it = |line: &str| {
            line.starts_with("/usr/sbin/haproxy/ ") && line.contains(&config.display().to_string())
        };
        let all = processes_of(&config.display().to_string()).into_iter();
        all.filter(|it| is_it(&it.1)).map(|it| it.0).collect()
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let hosts = format!("{}/", self.path("hosts").display());
        for (pid, _) in processes_of(&hosts) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn processes_of(path: &str) -> Vec<(Pid, String)> {
    let line = |pid: Pid| {
        let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', "/ ");
        line.contains(path).then_some((pid, line))
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|it| line(Pid::from_raw(it.file_name().to_str()?.parse().ok()?)?)).collect()
}

/// Makes two tests of each function, one for each engine.
macro_rules! for_each_engine_with_haproxy {
    ($($test:ident),+ $(,)?) => {
        mod terraform {
            $(#[test] fn $test() {
                let on = $crate::workspace::Workspace::new($crate::engine::Engine::Terraform);
                if let Some(on) = on { super::$test(&on); }
            })+
        }
        mod tofu {
            $(#[test] fn $test() {
                let on = $crate::workspace::Workspace::new($crate::engine::Engine::Tofu);
                if let Some(on) = on { super::$test(&on); }
            })+
        }
    };
}
pub(crate) use for_each_engine_with_haproxy;
