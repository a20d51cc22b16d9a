//! A cluster on the hosts of a lab: its configuration, and how it is looked at from outside.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;

use crate::engine::Engine;
use crate::lab::Lab;
use crate::workspace::Workspace;

/// The versions that the lab has, each the last of its minor.
pub(crate) const VERSIONS: [&str; 3] = ["3.5.35", "3.6.16", "3.7.3"];
/// The one that most tests run.
pub(crate) const VERSION: &str = VERSIONS[1];
/// First members, on the first hosts.
pub(crate) const ABC: [(&str, usize); 3] = [("a", 0), ("b", 1), ("c", 2)];
/// Of a destroy without further words.
pub(crate) const UNPROTECTED: &str = "deletion_protection = false";

pub(crate) struct Cluster {
    pub(crate) at: Workspace,
    pub(crate) lab: Lab,
    programs: PathBuf,
}

/// A member as it is written: its key, its host, and further arguments of both.
#[derive(Clone, Copy)]
pub(crate) struct Written<'a> {
    pub(crate) key: &'a str,
    pub(crate) host: usize,
    pub(crate) of_host: &'a str,
    pub(crate) of_member: &'a str,
}

impl Cluster {
    /// Nothing is configured yet. None: a lab is impossible here, which was recorded.
    pub(crate) fn new(engine: Engine, hosts: usize) -> Option<Self> {
        let lab = Lab::with_plain_hosts(hosts)?;
        let key = format!("private_key_file = \"{}\"", lab.key().display());
        Some(Self::on(lab, engine, "root", &key))
    }

    /// `key` is how the block says which key logs in.
    pub(crate) fn on(lab: Lab, engine: Engine, user: &str, key: &str) -> Self {
        let artifacts = lab.directory().join("artifacts");
        let programs = programs();
        offer(&artifacts, &programs);
        let block = format!(
            "terraform {{\n  required_providers {{\n    ha = {{ source = \"terraform-ha/ha\" }}\n  }}\n}}\n\
             provider \"ha\" {{\n  ssh = {{\n    user = \"{user}\"\n    {key}\n    known_hosts_file = \"{}\"\n    \
             connect_timeout = \"5s\"\n    boot_wait = \"60s\"\n  }}\n  artifacts = {{ directory = \"{}\" }}\n}}\n",
            lab.known_hosts().display(),
            artifacts.display(),
        );
        let mut at = Workspace::serving(engine, "ha", &block);
        let agents = std::env::var_os("HA_AGENT_DIRECTORY").expect("`make lab` builds the agents");
        at.environment.push(("HA_AGENT_DIRECTORY".to_owned(), agents.into()));
        // For who looks why a test fails, or what takes so long.
        if let Some(directory) = std::env::var_os("LAB_LOG") {
            let test = std::thread::current().name().unwrap_or("test").replace(':', "_");
            at.environment.push(("TF_LOG_PROVIDER".to_owned(), "INFO".into()));
            at.environment.push(("TF_LOG_PATH".to_owned(), PathBuf::from(directory).join(test)));
        }
        let programs = programs[VERSION].clone();
        Self { at, lab, programs }
    }

    /// The directory from which programs are uploaded.
    pub(crate) fn artifacts(&self) -> PathBuf {
        self.lab.directory().join("artifacts")
    }

    /// A cluster of these members, by key and host; `more` are arguments.
    pub(crate) fn wish(&self, version: &str, members: &[(&str, usize)], more: &str) {
        let members: Vec<_> = members.iter().map(|it| written(it.0, it.1)).collect();
        self.wish_of(version, &members, more);
    }

    pub(crate) fn wish_of(&self, version: &str, members: &[Written<'_>], more: &str) {
        let member = |it: &Written<'_>| {
            let Written { key, host, of_host, of_member } = it;
            let address = self.lab.address(*host);
            format!(
                "    {key} = {{\n      host = {{ address = \"{address}\"\n{of_host} }}\n{of_member}\n    }}\n"
            )
        };
        let members: String = members.iter().map(member).collect();
        self.at.config(&format!(
            "resource \"ha_etcd_cluster\" \"this\" {{\n  name = \"prod\"\n  version = \"{version}\"\n  {more}\n  \
             members = {{\n{members}  }}\n}}\n"
        ));
    }

    /// The host key of a machine, as an argument of `host`.
    pub(crate) fn host_key(&self, host: usize) -> String {
        let file = self.lab.hosts[host].root().join("etc/ssh/ssh_host_ed25519_key.pub");
        format!("host_key = \"{}\"", fs::read_to_string(file).unwrap().trim())
    }

    /// What etcdctl says of a member, with the credentials of that member.
    #[track_caller]
    pub(crate) fn etcdctl(&self, host: usize, arguments: &[&str]) -> String {
        let said = self.try_etcdctl(host, arguments);
        said.unwrap_or_else(|err| panic!("h{host}: {arguments:?}: {err}"))
    }

    pub(crate) fn try_etcdctl(&self, host: usize, arguments: &[&str]) -> Result<String, String> {
        self.etcdctl_of("prod", host, arguments)
    }

    /// The same with a member of the cluster of this name.
    pub(crate) fn etcdctl_of(
        &self,
        cluster: &str,
        host: usize,
        arguments: &[&str],
    ) -> Result<String, String> {
        let keys = self.lab.hosts[host].root().join(format!("etc/etcd-{cluster}"));
        let output = Command::new(self.programs.join("etcdctl"))
            .args(["--command-timeout=8s", "--dial-timeout=3s"])
            .arg(format!("--endpoints=https://{}:2379", self.lab.address(host)))
            .arg(format!("--cacert={}", keys.join("ca.crt").display()))
            .arg(format!("--cert={}", keys.join("server.crt").display()))
            .arg(format!("--key={}", keys.join("server.key").display()))
            .args(arguments)
            .output()
            .unwrap();
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// The members by their names, as the member on this host lists them: whether each is a learner.
    pub(crate) fn members(&self, host: usize) -> BTreeMap<String, bool> {
        let said = self.etcdctl(host, &["member", "list", "-w=json"]);
        let said: Value = serde_json::from_str(&said).unwrap();
        let all = said["members"].as_array().unwrap().iter();
        let member = |it: &Value| {
            let name = it["name"].as_str().unwrap_or_default().to_owned();
            (name, it["isLearner"].as_bool().unwrap_or_default())
        };
        all.map(member).collect()
    }

    /// The number of the process of a member; "0": there is none.
    pub(crate) fn pid(&self, host: usize) -> String {
        self.lab.ssh(host, "systemctl show -p MainPID --value etcd-prod").trim().to_owned()
    }

    /// What the members on these hosts wrote since then.
    pub(crate) fn journal(&self, hosts: &[usize], since: SystemTime) -> String {
        let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        let command = format!("journalctl -q -u etcd-prod -o cat --since @{since:.3} || true");
        hosts.iter().map(|it| self.lab.ssh(*it, &command)).collect()
    }

    /// No lead was won since then but by being handed over.
    #[track_caller]
    pub(crate) fn elected_nobody(&self, hosts: &[usize], since: SystemTime) {
        let journal = self.journal(hosts, since);
        let won = journal.matches(" became leader at term ").count();
        let handed = journal.matches("received MsgTimeoutNow from").count();
        let lines = journal.lines().filter(|it| it.contains("\"logger\":\"raft\""));
        let lines: Vec<_> = lines.collect();
        assert!(won <= handed, "{won} leads won, {handed} handed over:\n{}", lines.join("\n"));
    }
}

pub(crate) fn written(key: &str, host: usize) -> Written<'_> {
    Written { key, host, of_host: "", of_member: "" }
}

/// Where the programs of each version are. `scripts/stage lab` has made them.
fn programs() -> BTreeMap<&'static str, PathBuf> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/lab-binaries");
    let found = crate::program::run(script, &[&["etcd"], &VERSIONS[..]].concat()).unwrap();
    VERSIONS.into_iter().zip(found.lines().map(PathBuf::from)).collect()
}

/// All versions in one directory, with one file of checksums.
fn offer(directory: &std::path::Path, programs: &BTreeMap<&str, PathBuf>) {
    fs::create_dir(directory).unwrap();
    let mut sums = Vec::new();
    for home in programs.values() {
        let text = fs::read_to_string(home.join("SHA256SUMS")).unwrap();
        for line in text.lines() {
            let (_, name) = line.split_once("  ").unwrap();
            if home.join(name).exists() {
                symlink(home.join(name), directory.join(name)).unwrap();
                sums.push(line.to_owned());
            }
        }
    }
    fs::write(directory.join("SHA256SUMS"), sums.join("\n") + "\n").unwrap();
}
