//! A directory with a configuration, directories that stand for hosts, and the programs of etcd and Kubernetes.

use std::fs;
use std::ops::Deref;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::binaries::binaries;
use crate::engine::Engine;
use crate::local_hosts::{LocalHosts, processes_of};
use crate::processes::until_within;
use crate::run::Run;

pub(crate) const ETCD: &str = "3.6.16";
pub(crate) const VERSION: &str = "1.34.4";
pub(crate) const NODES: [&str; 3] = ["a", "b", "c"];
pub(crate) const FIVE: [&str; 5] = ["a", "b", "c", "d", "e"];
pub(crate) const PROGRAMS: [&str; 3] =
    ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];
pub(crate) const PORT: u16 = 6443;

/// Several API servers start at once, on few processors that have more to do.
const LIMIT: Duration = Duration::from_mins(1);

/// [`LocalHosts`] with etcd and Kubernetes.
pub(crate) struct Plane {
    hosts: LocalHosts,
}

impl Plane {
    /// None: there are no programs, and that is said.
    pub(crate) fn new(engine: Engine) -> Option<Self> {
        let (etcd, kubernetes) = (binaries("etcd", ETCD)?, binaries("kubernetes", VERSION)?);
        let at = Self { hosts: LocalHosts::new(engine, 192) };
        // One directory has it all, as a mirror without a network would.
        fs::create_dir(at.path("programs")).unwrap();
        for entry in [etcd, kubernetes].iter().flat_map(|it| fs::read_dir(it).unwrap()) {
            let entry = entry.unwrap();
            symlink(entry.path(), at.path("programs").join(entry.file_name())).unwrap();
        }
        let block = format!(
            "terraform {{\n  required_providers {{\n    ha = {{ source = \"terraform-ha/ha\" }}\n  }}\n}}\n\
             provider \"ha\" {{\n  artifacts = {{ directory = \"{}\" }}\n}}\n",
            at.path("programs").display()
        );
        at.provider(&block);
        Some(at)
    }

    /// Of a node, or of the one member of etcd.
    pub(crate) fn address(&self, node: &str) -> String {
        let number = FIVE.iter().zip(20..).find(|it| *it.0 == node).map_or(10, |it| it.1);
        self.number(number).to_string()
    }

    /// A control plane of these nodes on one member of etcd; `more` are arguments of it, `rest` is the rest of the file.
    pub(crate) fn wish(&self, nodes: &[&str], more: &str, rest: &str) {
        let element = |it: &str| self.element(it, self.address(it));
        let nodes: String = nodes.iter().map(|it| element(it)).collect();
        let endpoint = format!("{}:{PORT}", self.address("a"));
        let (etcd, path) = (element("etcd"), self.path("kubeconfig"));
        self.config(&format!(
            "resource \"ha_etcd_cluster\" \"this\" {{\n  name = \"store\"\n  version = \"{ETCD}\"\n  \
             deletion_protection = false\n  on_destroy = \"purge\"\n  members = {{\n{etcd}  }}\n}}\n\
             resource \"ha_control_plane\" \"this\" {{\n  name = \"prod\"\n  version = \"{VERSION}\"\n  \
             endpoint = \"{endpoint}\"\n  etcd = ha_etcd_cluster.this.access\n  deletion_protection = false\n  \
             {more}\n  nodes = {{\n{nodes}  }}\n}}\n\
             resource \"ha_kubeconfig_file\" \"admin\" {{\n  control_plane = ha_control_plane.this.access\n  \
             path = \"{}\"\n}}\n{rest}\n",
            path.display()
        ));
    }

    /// The stored attributes of the control plane.
    pub(crate) fn attributes(&self) -> Value {
        self.stored_of("ha_control_plane", "this").unwrap()["attributes"].clone()
    }

    /// The state knows it no more.
    #[track_caller]
    pub(crate) fn forget(&self, address: &str) {
        let mut command = self.bare();
        command.args(["state", "rm", address]);
        self.output("state rm", command).succeeds();
    }

    #[track_caller]
    pub(crate) fn destroy_all(&self) -> Run {
        let run = self.destroy();
        assert!(!self.path("kubeconfig").exists());
        run
    }

    /// What `kubectl` says to what it is asked through the API server of a node.
    pub(crate) fn ask(&self, node: &str, arguments: &[&str]) -> Output {
        self.ask_by("kubeconfig", node, arguments)
    }

    /// The same with the credentials of another file.
    pub(crate) fn ask_by(&self, file: &str, node: &str, arguments: &[&str]) -> Output {
        Command::new(self.path("programs/kubectl"))
            .arg(format!("--kubeconfig={}", self.path(file).display()))
            .arg(format!("--server=https://{}:{PORT}", self.address(node)))
            .arg("--request-timeout=10s")
            .args(arguments)
            .env("HOME", self.path("home"))
            .output()
            .unwrap()
    }

    #[track_caller]
    pub(crate) fn kubectl(&self, node: &str, arguments: &[&str]) -> String {
        let output = self.ask(node, arguments);
        assert!(output.status.success(), "{arguments:?} through {node}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Waits until `kubectl` says this.
    #[track_caller]
    pub(crate) fn until_kubectl(&self, node: &str, arguments: &[&str], said: &str) {
        let what = format!("{arguments:?} through {node} says {said:?}");
        let asked = || {
            let output = self.ask(node, arguments);
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            (text == said).then_some(())
        };
        until_within(LIMIT, &what, asked);
    }

    /// The status of what an API server answers to whoever it is.
    pub(crate) fn status(&self, node: &str, path: &str) -> String {
        let output = Command::new("curl")
            .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"])
            .arg(self.root(node).join("etc/kubernetes-prod/pki/ca.crt"))
            .arg(format!("https://{}:{PORT}{path}", self.address(node)))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// What lies in etcd as it lies there.
    pub(crate) fn raw(&self, key: &str) -> Vec<u8> {
        let keys = self.root("etcd").join("etc/etcd-store");
        let output = Command::new(self.path("programs/etcdctl"))
            .arg(format!("--endpoints=https://{}:2379", self.address("etcd")))
            .arg(format!("--cacert={}", keys.join("ca.crt").display()))
            .arg(format!("--cert={}", keys.join("server.crt").display()))
            .arg(format!("--key={}", keys.join("server.key").display()))
            .args(["get", key, "--print-value-only"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
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

    /// The process of each component of a node.
    #[track_caller]
    pub(crate) fn components(&self, node: &str) -> [Pid; 3] {
        PROGRAMS.map(|program| match self.processes(node, program)[..] {
            [one] => one,
            ref all => panic!("{program} on {node}: {all:?}"),
        })
    }

    /// As a power cut does it: the supervisor that would start them again goes with them.
    pub(crate) fn end(&self, node: &str) {
        for program in ["ha-agent", "kube-"] {
            for pid in self.processes(node, program) {
                // It may have gone with its supervisor.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

impl Deref for Plane {
    type Target = LocalHosts;

    fn deref(&self) -> &LocalHosts {
        &self.hosts
    }
}
