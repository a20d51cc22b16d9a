//! OpenSSH with ControlMaster, as somebody uses it who knows it well.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::lab::Lab;
use crate::program::within;
use crate::report::{Result, done};

/// Commands on hosts of a lab. The first on a host makes a connection, which the next ones share.
pub(crate) struct OpenSsh<'a> {
    lab: &'a Lab,
    hosts: usize,
    cipher: Option<&'static str>,
}

impl<'a> OpenSsh<'a> {
    /// Without a cipher it takes the one that it likes best.
    pub(crate) fn new(lab: &'a Lab, hosts: usize, cipher: Option<&'static str>) -> Self {
        Self { lab, hosts, cipher }
    }

    /// Runs a command as root, which must succeed.
    pub(crate) fn run(&self, host: usize, command: &str, input: Option<&Path>) -> Result<()> {
        let mut ssh = self.command(host, command);
        if let Some(input) = input {
            ssh.stdin(File::open(input)?);
        }
        // No pipes: the process that keeps the connection would hold their other ends.
        let status = ssh.status()?;
        if status.success() { Ok(()) } else { Err(format!("{ssh:?}: {status}").into()) }
    }

    /// Runs a command on all hosts at once.
    pub(crate) fn run_everywhere(&self, command: &str) -> Result<()> {
        let started: Vec<_> = (0..self.hosts)
            .map(|it| self.command(it, command).spawn())
            .collect::<Result<_, _>>()?;
        for mut one in started {
            let status = one.wait()?;
            if !status.success() {
                return Err(format!("`{command}`: {status}").into());
            }
        }
        Ok(())
    }

    /// Ends the connection to a host.
    pub(crate) fn leave(&self, host: usize) -> Result<()> {
        let socket = self.socket(host);
        if !socket.exists() {
            return Ok(());
        }
        done(self.command(host, "").args(["-O", "exit"]))?;
        let gone = within(Duration::from_secs(5), || !socket.exists());
        if gone { Ok(()) } else { Err(format!("{} stays", socket.display()).into()) }
    }

    fn command(&self, host: usize, command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        let options = [
            "BatchMode=yes",
            "LogLevel=ERROR",
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=yes",
            "ServerAliveInterval=5",
            "ControlMaster=auto",
            "ControlPersist=yes",
        ];
        ssh.args(["-F", "none"]).args(options.iter().flat_map(|it| ["-o", it]));
        ssh.args(self.cipher.iter().flat_map(|it| ["-c", it]));
        ssh.arg("-i").arg(self.lab.key());
        ssh.arg("-o").arg(format!("UserKnownHostsFile={}", self.lab.known_hosts().display()));
        ssh.arg("-o").arg(format!("ControlPath={}", self.socket(host).display()));
        ssh.arg(format!("root@{}", self.lab.address(host)));
        ssh.stdin(Stdio::null()).stdout(Stdio::null());
        if !command.is_empty() {
            ssh.arg(command);
        }
        ssh
    }

    fn socket(&self, host: usize) -> PathBuf {
        self.lab.directory().join(format!("ssh-{host}-{}", self.cipher.unwrap_or("any")))
    }
}

impl Drop for OpenSsh<'_> {
    fn drop(&mut self) {
        for host in 0..self.hosts {
            if let Err(err) = self.leave(host) {
                eprintln!("a connection of OpenSSH stays behind: {err}");
            }
        }
    }
}

/// What it says of itself.
pub(crate) fn version() -> Result<String> {
    let said = Command::new("ssh").arg("-V").output()?.stderr;
    Ok(String::from_utf8(said)?.split([' ', ',']).next().unwrap_or_default().replace('_', " "))
}
