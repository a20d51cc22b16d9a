//! The trial service on three hosts of a lab.

use std::env;
use std::io::Read as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::engine::Engine;
use crate::lab::Lab;
use crate::run::Run;
use crate::trial::{Trial, Wish};
use crate::workspace::Workspace;

/// The hosts by the keys that the configuration gives them.
pub(crate) const NODES: [&str; 3] = ["a", "b", "c"];

/// Longer than any of these hosts needs for an answer.
const ANSWER: Duration = Duration::from_secs(1);

pub(crate) struct Remote {
    pub(crate) trial: Trial,
    pub(crate) lab: Lab,
}

impl Remote {
    /// Logs in as that user, with the key of the lab.
    pub(crate) fn new(engine: Engine, user: &str) -> Option<Self> {
        let lab = Lab::with_plain_hosts(NODES.len())?;
        let key = format!("private_key_file = \"{}\"", lab.key().display());
        Some(Self::on(lab, engine, user, &key))
    }

    /// `key` is how the block says which key logs in.
    pub(crate) fn on(lab: Lab, engine: Engine, user: &str, key: &str) -> Self {
        let block = format!(
            "  ssh = {{\n    user = \"{user}\"\n    {key}\n    known_hosts_file = \"{}\"\n    \
             connect_timeout = \"3s\"\n    boot_wait = \"60s\"\n  }}",
            lab.known_hosts().display()
        );
        let agents = env::var_os("HA_AGENT_DIRECTORY").expect("`make lab` builds the agents");
        let target = format!("{}-unknown-linux-musl", env::consts::ARCH);
        let trial = Trial::new(engine, &block, PathBuf::from(agents), Some(&target));
        Self { trial, lab }
    }

    pub(crate) fn wish(&self, wish: Wish<'_>, nodes: &[&'static str]) {
        let nodes: Vec<_> = nodes.iter().map(|it| (*it, "")).collect();
        self.wish_with(wish, &nodes);
    }

    /// The same, with further attributes of each host.
    pub(crate) fn wish_with(&self, wish: Wish<'_>, nodes: &[(&'static str, &str)]) {
        let node = |(key, more): &(&'static str, &str)| {
            let address = self.lab.address(number(key));
            (*key, format!("{{ host = {{ address = \"{address}\"\n{more} }} }}"))
        };
        let nodes: Vec<_> = nodes.iter().map(node).collect();
        self.trial.wish(wish, &nodes);
    }

    /// What the service of a node says.
    pub(crate) fn said(&self, node: &str) -> Option<String> {
        let address = format!("{}:7070", self.lab.address(number(node))).parse().unwrap();
        let mut stream = TcpStream::connect_timeout(&address, ANSWER).ok()?;
        stream.set_read_timeout(Some(ANSWER)).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text.trim_end().to_owned())
    }

    #[track_caller]
    pub(crate) fn all_say(&self, expected: Option<&str>) {
        for node in NODES {
            assert_eq!(self.said(node).as_deref(), expected, "{node}");
        }
    }

    /// Runs a command on a node as root, which must succeed.
    pub(crate) fn ssh(&self, node: &str, command: &str) -> String {
        self.lab.ssh(number(node), command)
    }

    /// The number of the process of the service.
    pub(crate) fn pid(&self, node: &str) -> String {
        self.ssh(node, "systemctl show -p MainPID --value trial-hello").trim().to_owned()
    }

    /// Every file and directory of a host that lasts, but for the logs.
    pub(crate) fn everything(&self, node: &str) -> Vec<String> {
        let all = self.ssh(node, "find / -xdev ! -path '/var/log/*'");
        all.lines().map(str::to_owned).collect()
    }
}

/// The number of a node in the lab.
pub(crate) fn number(node: &str) -> usize {
    NODES.iter().position(|it| *it == node).unwrap()
}

/// Applies from another directory, with a copy of the state.
pub(crate) fn apply_elsewhere(at: &Workspace, elsewhere: &Path) -> Run {
    for file in ["main.tf", "provider.tf", "terraform.tfstate", ".terraform.lock.hcl"] {
        std::fs::copy(at.path(file), elsewhere.join(file)).unwrap();
    }
    std::os::unix::fs::symlink(at.path(".terraform"), elsewhere.join(".terraform")).unwrap();
    let mut apply = at.command(&["apply", "-auto-approve"]);
    Run::new("the other apply", &apply.current_dir(elsewhere).output().unwrap())
}
