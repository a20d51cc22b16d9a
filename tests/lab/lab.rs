//! A lab: hosts on a network of their own, and the ways to look at them.

use std::env;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use crate::cgroup;
use crate::claim::Claim;
use crate::host::{Host, Site};
use crate::network;
use crate::program::{run, text, within};

/// The password of `opspw`, which its sudo asks for.
pub(crate) const PASSWORD: &str = "lab-password";

/// Five hosts need three to five seconds on two idle cores.
const BOOT: Duration = Duration::from_secs(90);

/// The last number of the address of the first host.
const FIRST: usize = 10;

/// Hosts `h0`, `h1`, … that answer SSH. All of it is gone when this is dropped.
pub(crate) struct Lab {
    pub(crate) hosts: Vec<Host>,
    pub(crate) site: Site,
    claim: Claim,
}

impl Lab {
    /// Hosts with HAProxy and keepalived installed, ready for SSH. `None`: impossible here, which was recorded.
    pub(crate) fn with_hosts(count: usize) -> Option<Self> {
        or_skip(Self::new(count, &["balancers", "base"]))
    }

    /// Hosts without HAProxy and keepalived that can install them.
    pub(crate) fn with_packages(count: usize) -> Option<Self> {
        or_skip(Self::new(count, &["packages", "base"]))
    }

    /// Hosts without HAProxy and keepalived.
    pub(crate) fn with_plain_hosts(count: usize) -> Option<Self> {
        or_skip(Self::new(count, &["base"]))
    }

    fn new(count: usize, layers: &[&str]) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("the lab needs root".into());
        }
        // Fast when the image is there; says where it is.
        let image = run(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/lab-image"), &[])?;
        let image = Path::new(image.trim());
        let layers: Vec<_> = layers.iter().map(|it| image.join(it).display().to_string()).collect();

        let claim = Claim::new(&image.with_file_name("lab-runs"))?;
        let lab = claim.name();
        let address = |number| claim.address(FIRST + number);
        let host = |number| Host::new(number, &lab, address(number), claim.directory());
        let hosts: Vec<_> = (0..count).map(host).collect();
        let names: Vec<_> =
            hosts.iter().map(|it| format!("{} {}\n", it.address, it.name)).collect();
        let names = format!("127.0.0.1 localhost\n{}", names.concat());
        let gateway = claim.address(1);
        let site =
            Site { layers: layers.join(":"), public_key: String::new(), names, lab, gateway };
        // From here on a failure is cleaned up.
        let mut lab = Self { hosts, site, claim };
        lab.prepare()?;
        for host in &lab.hosts {
            host.start(&lab.site);
        }
        // From here on it is possible, so whatever fails is a fault.
        (0..count).for_each(|it| lab.answers(it).unwrap());
        Ok(lab)
    }

    fn prepare(&mut self) -> Result<(), String> {
        let key = self.key().display().to_string();
        crate::program::run(
            "ssh-keygen",
            &["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", &key],
        )?;
        self.site.public_key = fs::read_to_string(self.key().with_extension("pub")).unwrap();
        network::create(&self.claim)?;
        thread::scope(|scope| {
            let site = &self.site;
            let build = |host| scope.spawn(move || Host::build(host, site));
            let builds: Vec<_> = self.hosts.iter().map(build).collect();
            builds.into_iter().try_for_each(|it| it.join().unwrap())
        })?;
        self.write_known_hosts();
        Ok(())
    }

    /// The name of the lab, of its bridge, and the beginning of every name it uses on this machine.
    pub(crate) fn name(&self) -> &str {
        &self.site.lab
    }

    pub(crate) fn directory(&self) -> &Path {
        self.claim.directory()
    }

    /// The private key that every user of every host accepts.
    pub(crate) fn key(&self) -> PathBuf {
        self.directory().join("key")
    }

    /// The host keys as they are now.
    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.directory().join("known_hosts")
    }

    pub(crate) fn write_known_hosts(&self) {
        let lines: String = self.hosts.iter().map(Host::known_hosts_line).collect();
        fs::write(self.known_hosts(), lines).unwrap();
    }

    pub(crate) fn address(&self, host: usize) -> &str {
        &self.hosts[host].address
    }

    /// An address that may move: outside what hosts have themselves.
    pub(crate) fn virtual_ip(&self) -> String {
        let (network, _) = self.address(0).rsplit_once('.').unwrap();
        format!("{network}.200")
    }

    /// Which of these hosts have an address. A host that is off has none.
    pub(crate) fn holders(&self, address: &str, hosts: &[usize]) -> Vec<usize> {
        let command = format!("ip -brief address show | grep -c -F ' {address}/' || true");
        let has = |host: &&usize| {
            let output = self.ssh_as("root", **host, &command);
            String::from_utf8_lossy(&output.stdout).trim() == "1"
        };
        hosts.iter().filter(has).copied().collect()
    }

    /// Runs a command on a host as a user, by the SSH client of this machine. Status 255 means that SSH failed.
    pub(crate) fn ssh_as(&self, user: &str, host: usize, command: &str) -> Output {
        self.ssh_command(user, host, command).output().unwrap()
    }

    /// The same, not started.
    pub(crate) fn ssh_command(&self, user: &str, host: usize, command: &str) -> Command {
        let mut ssh = Command::new("timeout");
        ssh.args(["120", "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]);
        ssh.args(["-o", "ConnectTimeout=3", "-o", "ServerAliveInterval=2"]);
        ssh.args(["-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes"]);
        ssh.arg("-i").arg(self.key());
        ssh.arg("-o").arg(format!("UserKnownHostsFile={}", self.known_hosts().display()));
        ssh.arg(format!("{user}@{}", self.address(host))).arg(command);
        ssh.stdin(std::process::Stdio::null());
        ssh
    }

    /// Runs a command as root, which must succeed; its output.
    pub(crate) fn ssh(&self, host: usize, command: &str) -> String {
        let output = self.ssh_as("root", host, command);
        assert!(output.status.success(), "h{host}: `{command}`: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the processes of a host have for themselves, in KiB; pages of shared files are not counted.
    pub(crate) fn memory(&self, host: usize) -> u64 {
        let all = cgroup::processes(&self.hosts[host].machine);
        let text = all.iter().map(|it| fs::read_to_string(format!("/proc/{it}/smaps_rollup")));
        let text: String = text.map(Result::unwrap_or_default).collect();
        let own = text.lines().filter_map(|it| it.strip_prefix("Private_Dirty:"));
        own.filter_map(|it| it.trim().strip_suffix(" kB")?.parse::<u64>().ok()).sum()
    }

    /// Whether root can log in now.
    pub(crate) fn is_reachable(&self, host: usize) -> bool {
        self.ssh_as("root", host, "true").status.success()
    }

    /// Waits until every user can log in.
    pub(crate) fn answers(&self, host: usize) -> Result<(), String> {
        let mut said = String::new();
        let reached = within(BOOT, || {
            // While this file is there, only root may log in.
            let output = self.ssh_as("root", host, "test ! -e /run/nologin");
            said = text(&output);
            output.status.success() || !self.hosts[host].is_running()
        });
        if reached && self.hosts[host].is_running() {
            return Ok(());
        }
        let console = fs::read(self.hosts[host].console()).unwrap_or_default();
        let console = String::from_utf8_lossy(&console);
        let tail: Vec<_> = console.lines().rev().take(10).collect();
        let tail: Vec<_> = tail.into_iter().rev().collect();
        Err(format!("h{host} does not answer: {said}\non its console:\n{}", tail.join("\n")))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let cleaned = self.claim.clean();
        // So that they are no zombies.
        for host in &self.hosts {
            host.is_running();
        }
        match cleaned {
            Err(err) if thread::panicking() => eprintln!("the lab was not cleaned: {err}"),
            cleaned => cleaned.expect("the lab can be cleaned"),
        }
    }
}

/// On a developer's machine a lab that cannot be is left out; `scripts/stage lab` tells it from one that was run.
fn or_skip(lab: Result<Lab, String>) -> Option<Lab> {
    let reason = match lab {
        Ok(lab) => return Some(lab),
        Err(reason) => reason,
    };
    assert!(env::var_os("CI").is_none(), "CI needs the lab: {reason}");
    eprintln!("left out: {reason}");
    let record = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab-left-out");
    let mut record = File::options().create(true).append(true).open(record).unwrap();
    writeln!(record, "{}: {reason}", thread::current().name().unwrap_or("?")).unwrap();
    None
}
