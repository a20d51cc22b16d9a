//! A control plane on real hosts: what no local host can show, for it has no systemd, no users, and no name of its own.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

use crate::engine::Engine;
use crate::etcd::cluster::{Cluster, VERSION as ETCD};
use crate::processes::until_within;

pub(crate) const VERSION: &str = "1.34.4";
const COMPONENTS: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// Three hosts come up at once on two cores.
const LIMIT: Duration = Duration::from_mins(2);

pub(crate) struct Plane {
    pub(crate) on: Cluster,
}

impl Plane {
    pub(crate) fn new(engine: Engine, hosts: usize) -> Option<Self> {
        Some(Self::on(Cluster::new(engine, hosts)?))
    }

    /// With the programs of Kubernetes beside those of etcd.
    pub(crate) fn on(on: Cluster) -> Self {
        let plane = Self { on };
        plane.offer(VERSION);
        plane
    }

    /// Programs of this version of Kubernetes from now on: their names do not have it.
    pub(crate) fn offer(&self, version: &str) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/lab-binaries");
        let home = crate::program::run(script, &["kubernetes", version]).unwrap();
        for entry in fs::read_dir(PathBuf::from(home.trim())).unwrap() {
            let entry = entry.unwrap();
            let offered = self.on.artifacts().join(entry.file_name());
            let _ = fs::remove_file(&offered);
            symlink(entry.path(), offered).unwrap();
        }
    }

    /// One member of etcd on the first host, and nodes by key and host; `more` are arguments of the control plane.
    pub(crate) fn wish(&self, nodes: &[(&str, usize)], more: &str) {
        let address = |host| self.on.lab.address(host);
        let element = |it: &(&str, usize)| {
            format!("    {} = {{ host = {{ address = \"{}\" }} }}\n", it.0, address(it.1))
        };
        let (member, endpoint) = (element(&("e", 0)), address(0));
        let nodes: String = nodes.iter().map(element).collect();
        self.on.at.config(&format!(
            "resource \"ha_etcd_cluster\" \"this\" {{\n  name = \"store\"\n  version = \"{ETCD}\"\n  \
             deletion_protection = false\n  members = {{\n{member}  }}\n}}\n\
             resource \"ha_control_plane\" \"this\" {{\n  name = \"prod\"\n  version = \"{VERSION}\"\n  \
             endpoint = \"{endpoint}:6443\"\n  etcd = ha_etcd_cluster.this.access\n  \
             deletion_protection = false\n  {more}\n  nodes = {{\n{nodes}  }}\n}}\n"
        ));
    }

    pub(crate) fn shown(&self, host: usize, component: &str, property: &str) -> String {
        let command = format!("systemctl show -p {property} --value {component}-prod");
        self.on.lab.ssh(host, &command).trim().to_owned()
    }

    fn pids(&self, host: usize) -> [String; 3] {
        COMPONENTS.map(|it| self.shown(host, it, "MainPID"))
    }

    /// The status of what an API server answers to whoever it is.
    pub(crate) fn status(&self, host: usize, path: &str) -> String {
        let output = Command::new("curl")
            .args(["-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"])
            .arg(self.on.lab.hosts[host].root().join("etc/kubernetes-prod/pki/ca.crt"))
            .arg(format!("https://{}:6443{path}", self.on.lab.address(host)))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn until_ready(&self, host: usize) {
        let is_ready = || (self.status(host, "/readyz") == "200").then_some(());
        until_within(LIMIT, &format!("h{host} is ready"), is_ready);
    }
}

#[test]
fn a_control_plane_lives_under_systemd() {
    let Some(on) = Plane::new(Engine::Terraform, 3) else { return };
    on.wish(&[("a", 0), ("b", 1)], "");
    on.on.at.settle();
    for host in [0, 1] {
        assert_eq!(on.status(host, "/readyz"), "200");
        assert_eq!(on.status(host, "/api"), "401");
        for component in COMPONENTS {
            let pid = on.shown(host, component, "MainPID");
            let user = on.on.lab.ssh(host, &format!("stat -c %U /proc/{pid}"));
            assert_eq!(user.trim(), component, "nobody runs as root");
            assert_eq!(on.shown(host, component, "NRestarts"), "0");
            assert_eq!(on.shown(host, component, "UnitFileState"), "enabled");
            assert_eq!(on.shown(host, component, "NoNewPrivileges"), "yes");
        }
        let list =
            "cd /etc/kubernetes-prod && find . -name '*.key' -printf '%m %u %p\\n' | sort -k3";
        let keys = on.on.lab.ssh(host, list);
        assert!(keys.contains("600 root ./pki/ca/ca.key"), "{keys}");
        assert!(keys.contains("600 kube-apiserver ./pki/sa.key"), "{keys}");
        assert!(keys.lines().all(|it| it.starts_with("600 ")), "{keys}");
    }

    // One at a time, by the name of its host the leader last, and as graceful as it is meant to be.
    let before = on.pids(1);
    on.wish(&[("a", 0), ("b", 1)], "scheduler = { extra_args = [\"--v=1\"] }");
    on.on.at.settle();
    let after = on.pids(1);
    assert_eq!((&before[..2], before[2] == after[2]), (&after[..2], false));
    on.wish(&[("a", 0), ("b", 1)], "shutdown_delay = \"2s\"");
    thread::scope(|scope| {
        let applied = scope.spawn(|| on.on.at.settle());
        while !applied.is_finished() {
            let ready = [0, 1].map(|it| on.status(it, "/readyz") == "200");
            assert!(ready[0] || ready[1], "both were away");
        }
    });

    // What systemd starts needs nobody.
    on.on.lab.cut_power(1);
    on.on.lab.start(1);
    on.until_ready(1);
    on.on.at.settle();

    on.wish(&[("b", 1), ("c", 2)], "shutdown_delay = \"2s\"");
    on.on.at.settle();
    is_bare(&on, 0);
    on.until_ready(2);
    on.on.at.destroy();
    for host in [1, 2] {
        is_bare(&on, host);
    }
}

/// Nothing runs, and no key is where it was.
#[track_caller]
fn is_bare(on: &Plane, host: usize) {
    let left = on.on.lab.ssh(
        host,
        "ls -d /etc/kubernetes-prod /etc/systemd/system/kube-*-prod.service 2>/dev/null; pgrep -l kube- || true",
    );
    assert_eq!(left, "");
}
