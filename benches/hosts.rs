//! The host layer beside OpenSSH with ControlMaster: the same five hosts, in turns. Writes its table into
//! docs/benchmarks.md.
//!
//! `cargo bench --bench hosts` starts the hosts (`tests/lab`), for which it needs root. HA_AGENT_DIRECTORY names the
//! directory with the agents that `scripts/agents` builds.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    dead_code,
    reason = "a program of its own, with more of the lab than it uses"
)]

#[path = "../tests/lab/cgroup.rs"]
mod cgroup;
#[path = "../tests/lab/claim.rs"]
mod claim;
#[path = "../tests/lab/host.rs"]
mod host;
#[path = "../tests/lab/lab.rs"]
mod lab;
#[path = "../tests/lab/network.rs"]
mod network;
mod openssh;
#[path = "../tests/lab/program.rs"]
mod program;
mod report;
mod turns;

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{env, thread};

use futures_util::future::try_join_all;
use sha2::{Digest as _, Sha256};
use terraform_provider_ha::host::messages::{Artifact, FactsRequest, Member};
use terraform_provider_ha::host::ssh::{self, Connection, HostKeyPolicy, Key};
use terraform_provider_ha::host::{self as hosts, Binaries, HostError, Hosts, Locked, Origin};
use terraform_provider_ha::host::{Patience, Target, Way};
use tokio::runtime::{Builder, Runtime};

use self::lab::Lab;
use self::openssh::OpenSsh;
use self::report::{Result, memory, outcome, report};
use self::turns::{Aim, Row, load, table, timed, turns};

const HOSTS: usize = 5;
/// How often everything is measured that begins with a handshake; calls; uploads.
const COLD: usize = 15;
const CALLS: usize = 200;
const UPLOADS: usize = 9;
/// Bytes of what is uploaded.
const SIZE: u64 = 100_000_000;
/// Bytes of what is put.
const FILE: usize = 4096;

const AGENTS: &str = "/usr/local/lib/ha-agent";
const PUT: &str = "/etc/ha-bench";
/// In the file system that artifacts are installed in.
const UPLOADED: &str = "/usr/local/lib/ha-bench";
const PROJECT: &str = "bench";
const VERSION: &str = "1";
const UNITS: [&str; 4] =
    ["ssh.service", "systemd-networkd.service", "dbus.service", "ha-none.service"];

fn main() -> ExitCode {
    outcome(compare())
}

fn compare() -> Result<()> {
    let load = load()?;
    let lab = Lab::with_plain_hosts(HOSTS).ok_or("there are no hosts to measure with")?;
    let bench = Bench::on(&lab)?;
    let mut rows = bench.beginnings()?;
    rows.extend(bench.calls()?);
    rows.extend(bench.five_at_once()?);
    rows.extend(bench.uploads()?);
    let head = format!(
        "{}, {} cores, {}, load average {load} before it began; {COLD} connections, {CALLS} calls, {UPLOADS} uploads, \
         in turns; medians with their ranges.",
        openssh::version()?,
        thread::available_parallelism()?,
        env::consts::ARCH,
    );
    let table = format!("{head}\n\n{}", table("OpenSSH", &rows)?);
    eprintln!("{table}");
    report("hosts", &table)
}

struct Bench<'a> {
    lab: &'a Lab,
    runtime: Runtime,
    targets: Vec<Target>,
    agent: PathBuf,
    peer: OpenSsh<'a>,
}

impl<'a> Bench<'a> {
    fn on(lab: &'a Lab) -> Result<Self> {
        let connection = Arc::new(Connection {
            user: "root".to_owned(),
            port: 22,
            key: Key::File(lab.key()),
            passphrase: None,
            certificate_file: None,
            known_hosts_file: lab.known_hosts(),
            host_key_policy: HostKeyPolicy::Strict,
            sudo_password: None,
            bastions: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            boot_wait: Duration::ZERO,
        });
        let target = |host| {
            let way = Way::Ssh(ssh::Target {
                address: lab.address(host).to_owned(),
                port: 22,
                user: "root".to_owned(),
                host_key: None,
                connection: Arc::clone(&connection),
            });
            Ok(Target { name: lab.hosts[host].name.parse()?, way })
        };
        let targets = (0..HOSTS).map(target).collect::<Result<_>>()?;
        let agents = Binaries::find()?;
        let agent = agents.of(env::consts::ARCH).ok_or("no agent for this machine")?.path.clone();
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        Ok(Self { lab, runtime, targets, agent, peer: OpenSsh::new(lab, HOSTS, None) })
    }

    fn now<T>(&self, work: impl Future<Output = Result<T, HostError>>) -> Result<T> {
        self.runtime.block_on(work).map_err(|err| format!("{err}: {err:?}").into())
    }

    fn connect(&self, hosts: &Hosts, host: usize) -> Result<hosts::Host> {
        self.now(hosts.connect(&self.targets[host], Patience::Once))
    }

    /// From nothing to a host that answers, and from nothing to the end of the first command.
    fn beginnings(&self) -> Result<Vec<Row>> {
        let connect = || timed(|| self.connect(&no_connections(), 0));
        let peer = |command: &str, input| {
            let took = timed(|| self.peer.run(0, command, input));
            self.peer.leave(0)?;
            took
        };
        let place = format!(
            "mkdir {AGENTS}.peer && cd {AGENTS}.peer && cat >new && chmod 0755 new && sync new && mv new agent"
        );
        let [ours, theirs] = turns(
            COLD,
            [
                &mut || {
                    self.lab.ssh(0, &format!("rm -rf {AGENTS} {AGENTS}.peer"));
                    connect()
                },
                &mut || peer(&place, Some(&self.agent)),
            ],
        )?;
        let first = Row::ms("first contact, agent placed", Aim::None, ours, theirs);
        let [ours, theirs] = turns(COLD, [&mut || connect(), &mut || peer("true", None)])?;
        Ok(vec![first, Row::ms("connection to a known host", Aim::None, ours, theirs)])
    }

    /// On a connection that is open.
    fn calls(&self) -> Result<Vec<Row>> {
        let host = self.connect(&no_connections(), 0)?;
        let locked = self.now(host.lock("bench", 0))?;
        let mut rows = Vec::new();

        let [ours, theirs] = turns(
            CALLS,
            [&mut || timed(|| self.now(host.facts(FactsRequest::default()))), &mut || {
                timed(|| self.peer.run(0, "true", None))
            }],
        )?;
        rows.push(Row::ms("call: facts, nothing asked for", Aim::AtMost(2.0), ours, theirs));

        let input = self.lab.directory().join("put");
        fs::write(&input, [0; FILE])?;
        let put = |first: u8| {
            let mut content = vec![0; FILE];
            content[0] = first;
            let path = PUT.to_owned();
            let file = hosts::File { path, content, mode: 0o644, ..hosts::File::default() };
            timed(|| self.now(locked.put(file)))
        };
        let (compare, replace) = (
            format!("cmp -s - {PUT}"),
            format!("cat >{PUT}.new && sync {PUT}.new && mv {PUT}.new {PUT}"),
        );
        put(0)?;
        let [ours, theirs] = turns(
            CALLS,
            [&mut || put(0), &mut || timed(|| self.peer.run(0, &compare, Some(&input)))],
        )?;
        rows.push(Row::ms("call: put, unchanged", Aim::AtMost(2.0), ours, theirs));

        let mut number = 0_u8;
        let [ours, theirs] = turns(
            CALLS,
            [
                &mut || {
                    number = number.wrapping_add(1);
                    put(number)
                },
                &mut || timed(|| self.peer.run(0, &replace, Some(&input))),
            ],
        )?;
        rows.push(Row::ms("call: put, changed", Aim::AtMost(2.0), ours, theirs));

        // The disk of the hosts is that of this machine, so this is what each write-through costs there.
        let mut journal = File::create(self.lab.directory().join("journal"))?;
        let mut append = || {
            timed(|| {
                journal.write_all(&[b'x'; 200])?;
                Ok(journal.sync_all()?)
            })
        };
        let [alone] = turns(CALLS, [&mut append])?;
        rows.push(Row::ms("the disk alone: 200 bytes, fsync", Aim::None, alone, Vec::new()));
        Ok(rows)
    }

    fn five_at_once(&self) -> Result<Vec<Row>> {
        let all = |hosts: &Hosts| {
            let one =
                async |target| hosts.connect(target, Patience::Once).await?.facts(request()).await;
            self.now(try_join_all(self.targets.iter().map(one)))
        };
        let ask = format!(
            "uname -a; cat /etc/os-release /etc/machine-id /proc/meminfo; ip -o address; df -B1 /; \
             systemctl show {}; ss -Hltn; sha256sum /etc/hostname",
            UNITS.join(" ")
        );
        let peers = || self.peer.run_everywhere(&ask);
        let cold = turns(
            COLD,
            [&mut || timed(|| all(&no_connections())), &mut || {
                let took = timed(peers);
                (0..HOSTS).try_for_each(|it| self.peer.leave(it))?;
                took
            }],
        )?;
        let open = no_connections();
        let warm = turns(CALLS / 4, [&mut || timed(|| all(&open)), &mut || timed(peers)])?;
        let [ours, theirs] = cold;
        let cold =
            Row::ms("facts of five hosts, with handshakes", Aim::AtMost(1000.0), ours, theirs);
        let [ours, theirs] = warm;
        Ok(vec![cold, Row::ms("facts of five hosts, connected", Aim::None, ours, theirs)])
    }

    /// An upload, and what the agent takes for it.
    fn uploads(&self) -> Result<Vec<Row>> {
        let host = self.connect(&no_connections(), 0)?;
        let before = self.agent_memory("VmRSS")?;
        let locked = self.now(host.lock("bench", 0))?;
        let file = self.lab.directory().join("artifact");
        io::copy(&mut File::open("/dev/urandom")?.take(SIZE), &mut File::create(&file)?)?;
        let digest = Sha256::digest(fs::read(&file)?).to_vec();
        // What was written before would be written through at the expense of whoever comes next.
        let settle = || program::run("sync", &[]).map(drop);

        let aes = OpenSsh::new(self.lab, HOSTS, Some("aes256-gcm@openssh.com"));
        let upload = |by: &OpenSsh<'_>, and: &str| {
            by.run(0, &format!("rm -f {UPLOADED}"), None)?;
            settle()?;
            timed(|| by.run(0, &format!("cat >{UPLOADED}{and}"), Some(&file)))
        };
        let verify = format!(" && sha256sum {UPLOADED} && sync {UPLOADED}");
        let [ours, cat, cat_aes, verified] = turns(
            UPLOADS,
            [
                &mut || {
                    self.now(locked.uninstall(PROJECT, VERSION))?;
                    settle()?;
                    timed(|| self.install(&locked, &digest, &file))
                },
                &mut || upload(&self.peer, ""),
                &mut || upload(&aes, ""),
                &mut || upload(&aes, &verify),
            ],
        )?;
        let size = fs::metadata(&self.agent)?.len();
        let megabytes = |what, figure| Row {
            what,
            unit: "MB",
            aim: Aim::None,
            ours: vec![figure],
            peer: Vec::new(),
        };
        Ok(vec![
            Row::ms("100 MB, beside `cat`", Aim::TimesPeer(1.2), ours.clone(), cat),
            Row::ms("100 MB, beside `cat` with AES", Aim::None, ours.clone(), cat_aes),
            Row::ms(
                "100 MB, beside `cat`, `sha256sum` and `sync` with AES",
                Aim::None,
                ours,
                verified,
            ),
            Row {
                aim: Aim::AtMost(10.0),
                ..megabytes("agent: size", f64::from(u32::try_from(size)?) / 1e6)
            },
            megabytes("agent: memory, connected", before),
            megabytes("agent: memory after the uploads", self.agent_memory("VmRSS")?),
            megabytes("agent: memory at most", self.agent_memory("VmHWM")?),
        ])
    }

    fn install(&self, locked: &Locked, digest: &[u8], file: &std::path::Path) -> Result<()> {
        let artifact = Artifact {
            project: PROJECT.to_owned(),
            version: VERSION.to_owned(),
            file: PROJECT.to_owned(),
            digest: digest.to_vec().into(),
            members: vec![Member { path: String::new(), name: PROJECT.to_owned() }],
        };
        let is_new = self.now(locked.install(artifact, Origin::File(file)))?;
        if is_new { Ok(()) } else { Err("it was there already".into()) }
    }

    /// Megabytes of the largest agent on the first host.
    fn agent_memory(&self, line: &str) -> Result<f64> {
        let mut most = 0.0_f64;
        for process in cgroup::processes(&self.lab.hosts[0].machine) {
            // It may be the agent of an earlier connection, which ends.
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            if status.starts_with("Name:\tha-agent\n") && status.contains(line) {
                most = most.max(memory(&status, line)?);
            }
        }
        Ok(most)
    }
}

fn no_connections() -> Hosts {
    Hosts::new("bench".to_owned(), None)
}

/// As much as a cluster asks each of its hosts for.
fn request() -> FactsRequest {
    FactsRequest {
        disks: vec!["/".into()],
        units: UNITS.map(String::from).to_vec(),
        files: vec!["/etc/hostname".into()],
        listeners: true,
        ..FactsRequest::default()
    }
}
