//! etcd and a control plane on the same three local hosts: as configurations of ours, and started by hand.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Signal, kill_process};

use crate::binaries::binaries;
use crate::engine::Engine;
use crate::local_hosts::processes_of;
use crate::plane::{ETCD, NODES, PORT, Plane, VERSION};
use crate::report::{Result, done};

/// The last numbers of the addresses of what is started by hand.
const HAND: [u8; 3] = [31, 32, 33];

/// Where ours runs.
pub(crate) fn place() -> Result<Plane> {
    Plane::new(Engine::Terraform).ok_or_else(|| "there are no programs to measure with".into())
}

fn elements(on: &Plane, nodes: &[&str]) -> String {
    nodes.iter().map(|it| on.element(it, on.address(it))).collect()
}

/// A cluster of these members; `more` are arguments.
pub(crate) fn etcd(on: &Plane, nodes: &[&str], more: &str) -> String {
    let members = elements(on, nodes);
    format!(
        "resource \"ha_etcd_cluster\" \"this\" {{\n  name = \"store\"\n  version = \"{ETCD}\"\n  \
         deletion_protection = false\n  {more}\n  members = {{\n{members}  }}\n}}\n"
    )
}

/// A backup of it, whose snapshots lie on the hosts.
pub(crate) fn backup(trigger: &str) -> String {
    format!(
        "resource \"ha_etcd_backup\" \"this\" {{\n  name = \"x\"\n  cluster = ha_etcd_cluster.this.access\n  \
         schedule = \"0 0 1 1 *\"\n  retention = {{ last = 1 }}\n  directory = \"/srv/etcd\"\n  \
         triggers = {{ it = \"{trigger}\" }}\n}}\n"
    )
}

/// A control plane on three hosts.
pub(crate) fn control_plane(on: &Plane) -> String {
    let nodes = elements(on, &NODES);
    format!(
        "resource \"ha_control_plane\" \"this\" {{\n  name = \"prod\"\n  version = \"{VERSION}\"\n  \
         endpoint = \"{}:{PORT}\"\n  etcd = ha_etcd_cluster.this.access\n  deletion_protection = false\n  \
         nodes = {{\n{nodes}  }}\n}}\n",
        on.address("a")
    )
}

/// Where a member of ours has its keys.
pub(crate) fn keys(on: &Plane, node: &str) -> PathBuf {
    on.root(node).join("etc/etcd-store")
}

/// etcdctl, asking a member of ours.
pub(crate) fn etcdctl(on: &Plane, node: &str, arguments: &[&str]) -> Command {
    let keys = keys(on, node);
    let mut command = Command::new(on.path("programs/etcdctl"));
    command
        .arg(format!("--endpoints=https://{}:2379", on.address(node)))
        .arg(format!("--cacert={}", keys.join("ca.crt").display()))
        .arg(format!("--cert={}", keys.join("server.crt").display()))
        .arg(format!("--key={}", keys.join("server.key").display()))
        .args(arguments);
    command
}

/// A write that a quorum acknowledges, by this member of ours.
pub(crate) fn write(on: &Plane, node: &str) -> Result<()> {
    done(&mut etcdctl(on, node, &["put", "written", node]))
}

/// Waits for nothing: every API server of ours says that it is ready.
pub(crate) fn is_ready(on: &Plane) -> Result<()> {
    match NODES.iter().find(|it| on.status(it, "/readyz") != "200") {
        Some(node) => Err(format!("the API server on {node} is not ready").into()),
        None => Ok(()),
    }
}

/// What scripts have started. It ends when this is dropped.
pub(crate) struct Hand {
    root: PathBuf,
    addresses: [IpAddr; 3],
}

impl Hand {
    /// Beside ours, at other addresses.
    pub(crate) fn new(on: &Plane) -> Result<Self> {
        let root = on.path("hosts/hand");
        fs::create_dir_all(&root)?;
        Ok(Self { root, addresses: HAND.map(|it| on.number(it)) })
    }

    fn run(&self, script: &str, arguments: &[&Path]) -> Result<()> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(script);
        let mut command = Command::new(script);
        command.arg(&self.root).args(arguments);
        done(command.args(self.addresses.map(|it| it.to_string())))
    }

    /// From bare hosts to writes on all members.
    pub(crate) fn etcd(&self) -> Result<()> {
        let programs = binaries("etcd", ETCD).ok_or("there is no etcd")?;
        self.run("by-hand.sh", &[&programs, Path::new(ETCD)])
    }

    /// From members to API servers that are ready, and leaders.
    pub(crate) fn control_plane(&self) -> Result<()> {
        let programs = binaries("kubernetes", VERSION).ok_or("there is no Kubernetes")?;
        self.run("by-hand-kubernetes.sh", &[&programs, Path::new("api.example.test")])
    }

    /// All data of the first member, stored as ours are.
    pub(crate) fn snapshot(&self, into: &Path) -> Result<()> {
        let (host, plain) = (self.root.join("m1"), into.with_extension(""));
        let pki = host.join("pki");
        let mut command = Command::new(host.join("lib/etcdctl"));
        command
            .arg(format!("--endpoints=https://{}:2379", self.addresses[0]))
            .arg(format!("--cacert={}", pki.join("ca.crt").display()))
            .arg(format!("--cert={}", pki.join("server.crt").display()))
            .arg(format!("--key={}", pki.join("server.key").display()))
            .args(["snapshot", "save"])
            .arg(&plain);
        done(&mut command)?;
        done(Command::new("zstd").args(["-qf", "--rm"]).arg(&plain).arg("-o").arg(into))
    }

    /// The data of a stored snapshot in the place of what is there.
    pub(crate) fn restore(&self, snapshot: &Path) -> Result<()> {
        self.run("by-hand-restore.sh", &[snapshot])
    }

    /// All five parts, on bare hosts.
    pub(crate) fn whole(&self, programs: &Path, rest: &[&str]) -> Result<()> {
        let rest: Vec<_> = rest.iter().map(|it| Path::new(*it)).collect();
        self.run("by-hand-whole.sh", &[&[programs, Path::new(ETCD)], &rest[..]].concat())
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        for (pid, _) in processes_of(&format!("{}/", self.root.display())) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
