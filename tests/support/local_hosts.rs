//! A directory with the provider that is shipped, and directories that stand for hosts.

#[allow(dead_code, reason = "others have agents elsewhere")]
#[path = "agents.rs"]
pub(crate) mod agents;

use std::fmt::Display;
use std::fs;
use std::net::IpAddr;
use std::ops::Deref;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::directory::Directory;
use crate::engine::Engine;

/// All that runs there ends when this is dropped.
pub(crate) struct LocalHosts {
    directory: Directory,
    network: u8,
}

impl LocalHosts {
    /// `network` is one of 64, 128 and 192: of its own for each kind of test.
    pub(crate) fn new(engine: Engine, network: u8) -> Self {
        let mut directory = Directory::with_ha(engine);
        let agents = agents::agents_in(directory.path("agents"), env!("CARGO_BIN_EXE_ha-agent"));
        directory.environment.push(("HA_AGENT_DIRECTORY".to_owned(), agents));
        let network = if engine == Engine::Terraform { network } else { network | 32 };
        Self { directory, network }
    }

    /// What stands for `/` on a host.
    pub(crate) fn root(&self, node: &str) -> PathBuf {
        self.path("hosts").join(node)
    }

    /// The address with this last number, one of its own for each test process.
    pub(crate) fn number(&self, number: u8) -> IpAddr {
        let [.., high, low] = std::process::id().to_be_bytes();
        IpAddr::from([127, self.network | (high & 31), low, number])
    }

    /// A member or node of its own, as an element of a map.
    pub(crate) fn element(&self, node: &str, address: impl Display) -> String {
        let root = self.root(node);
        format!(
            "    {node} = {{ host = {{ address = \"{address}\", transport = \"local\", root = \"{}\" }} }}\n",
            root.display()
        )
    }

    /// The stored attributes of the first resource.
    pub(crate) fn attributes(&self) -> Value {
        self.state()["resources"][0]["instances"][0]["attributes"].clone()
    }
}

impl Deref for LocalHosts {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.directory
    }
}

impl Drop for LocalHosts {
    fn drop(&mut self) {
        let hosts = format!("{}/", self.path("hosts").display());
        for (pid, _) in processes_of(&hosts) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Processes with this path in their command lines, in which `/ ` stands between two arguments.
pub(crate) fn processes_of(path: &str) -> Vec<(Pid, String)> {
    let line = |pid: Pid| {
        let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', "/ ");
        line.contains(path).then_some((pid, line))
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|it| line(Pid::from_raw(it.file_name().to_str()?.parse().ok()?)?)).collect()
}
