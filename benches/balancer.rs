//! A balancer of ours beside one with the values of kubeadm's guide for high availability
//! (<https://github.com/kubernetes/kubeadm/blob/main/docs/ha-considerations.md>), before the same three API servers: what
//! fifty requests a second through each of them notice of the same fault. Writes its table into docs/benchmarks.md.
//!
//! `cargo bench --bench balancer` starts the hosts (`tests/lab`), for which it needs root. HA_AGENT_DIRECTORY names the
//! directory with the agents that `scripts/agents` builds.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    dead_code,
    unused_imports,
    unused_macros,
    reason = "a program of its own, with more of the lab than it uses"
)]

#[path = "../tests/lab/amid.rs"]
mod amid;
#[path = "../tests/balancer/backend.rs"]
mod backend;
#[path = "../tests/lab/balancer/mod.rs"]
mod balancer;
#[path = "../tests/lab/cgroup.rs"]
mod cgroup;
#[path = "../tests/lab/claim.rs"]
mod claim;
#[path = "../tests/lab/control_plane.rs"]
mod control_plane;
#[path = "../tests/cli/directory.rs"]
mod directory;
#[path = "../tests/cli/engine.rs"]
mod engine;
#[path = "../tests/lab/etcd/mod.rs"]
mod etcd;
#[path = "../tests/lab/faults.rs"]
mod faults;
#[path = "../tests/lab/front_door.rs"]
mod front_door;
#[path = "../tests/lab/host.rs"]
mod host;
#[path = "../tests/lab/lab.rs"]
mod lab;
#[path = "../tests/lab/network.rs"]
mod network;
#[path = "../tests/cli/processes.rs"]
mod processes;
#[path = "../tests/lab/program.rs"]
mod program;
#[path = "../tests/lab/remote.rs"]
mod remote;
mod report;
#[path = "../tests/cli/run.rs"]
mod run;
#[path = "../tests/lab/secrets.rs"]
mod secrets;
#[path = "../tests/support/trial.rs"]
mod trial;
mod turns;
#[path = "../tests/cli/workspace.rs"]
mod workspace;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs, thread};

use rustix::process::Signal;

use self::balancer::load::{Lap, Load};
use self::engine::Engine;
use self::front_door::{BOTH, Door, SERVERS};
use self::lab::Lab;
use self::processes::until_within;
use self::report::{Result, outcome, report};
use self::turns::{Aim, Row, load, table};

/// The nodes with the values of the guide.
const GUIDED: [usize; 2] = [5, 6];
const ALL: [usize; 4] = [3, 4, 5, 6];
/// How often each fault is made: once for each API server.
const ROUNDS: usize = SERVERS.len();
/// Three checks that take 10 s each, with 2 s between them, are the longest of what is waited for.
const LONG: Duration = Duration::from_mins(2);

fn main() -> ExitCode {
    outcome(compare())
}

fn compare() -> Result<()> {
    let load = load()?;
    let bench = Bench::new()?;
    let mut rows = Vec::new();
    rows.extend(bench.frozen());
    rows.extend(bench.killed());
    rows.extend(bench.restarted());
    rows.push(bench.lost());
    rows.push(bench.moved());
    let head = format!(
        "Kubernetes {}, {} cores, {}, load average {load} before it began; each fault {ROUNDS} times, for both at once; \
         medians with their ranges.",
        control_plane::VERSION,
        thread::available_parallelism()?,
        env::consts::ARCH,
    );
    let table = format!("{head}\n\n{}", table("kubeadm's guide", &rows)?);
    eprintln!("{table}");
    report("balancer", &table)
}

struct Bench {
    door: Door,
    /// Ours, and that of the guide.
    loads: [Load; 2],
}

impl Bench {
    fn new() -> Result<Self> {
        let lab = Lab::with_hosts(7).ok_or("there are no hosts to measure with")?;
        let door = Door::on(lab, Engine::Terraform);
        door.wish("");
        door.plane.on.at.settle();
        for (at, host) in GUIDED.into_iter().enumerate() {
            guided(&door, host, at);
        }
        door.until_all_are_up_for(&ALL);
        let caller = door.caller();
        let guided = SocketAddr::new(guided_ip(&door).parse()?, door.to().port());
        let loads = [door.to(), guided].map(|it| Load::start(it, &caller));
        let bench = Self { door, loads };
        bench.runs_on();
        Ok(bench)
    }

    fn runs_on(&self) {
        self.loads.iter().for_each(Load::runs_on);
    }

    /// What the clients of both see of a fault. Until `is_over`.
    fn during(&self, what: &str, fault: impl FnOnce(), is_over: impl Fn() -> bool) -> [Lap; 2] {
        let began = self.loads.each_ref().map(Load::begin);
        fault();
        until_within(LONG, what, || is_over().then_some(()));
        self.runs_on();
        self.runs_on();
        let [ours, guided] = [0, 1].map(|it| self.loads[it].lap(&began[it]));
        eprintln!("{what}: {ours:?} {guided:?}");
        [ours, guided]
    }

    /// An API server each, one after the other, until both balancers that carry the load have seen it.
    fn of_servers(&self, what: &str, fault: impl Fn(usize), end: impl Fn(usize)) -> Vec<[Lap; 2]> {
        let lap = |(name, host): (&str, usize)| {
            let is_seen = || ALL.iter().all(|it| self.door.up(*it) < SERVERS.len());
            let laps = self.during(&format!("{what} {name}"), || fault(host), is_seen);
            end(host);
            self.door.until_all_are_up_for(&ALL);
            self.runs_on();
            laps
        };
        SERVERS.map(lap).into()
    }

    fn frozen(&self) -> [Row; 2] {
        let door = &self.door;
        let end = |host| door.signal(host, Signal::CONT);
        let laps = self.of_servers("frozen:", |host| door.signal(host, Signal::STOP), end);
        [
            until("API server frozen: to the last failure", Aim::Both(1500.0, 0.1), &laps),
            failed("API server frozen: failed requests", Aim::AtMost(3.0), &laps),
        ]
    }

    /// It stays away: a start within two seconds is something that no check of the guide sees.
    fn killed(&self) -> [Row; 2] {
        let door = &self.door;
        let kill = |host| {
            door.signal(host, Signal::KILL);
            door.lab().ssh(host, "systemctl stop kube-apiserver-prod");
        };
        let laps = self.of_servers("killed:", kill, |host| {
            door.lab().ssh(host, "systemctl start kube-apiserver-prod");
        });
        [
            until("API server killed: to the last failure", Aim::None, &laps),
            failed("API server killed: failed requests", Aim::AtMost(4.0), &laps),
        ]
    }

    fn restarted(&self) -> [Row; 2] {
        let lap = |(name, host): (&str, usize)| {
            let restart = || {
                self.door.lab().ssh(host, "systemctl restart kube-apiserver-prod");
            };
            let laps = self.during(&format!("restarted: {name}"), restart, || true);
            self.door.until_all_are_up_for(&ALL);
            self.runs_on();
            laps
        };
        let laps = SERVERS.map(lap);
        [
            until("API server restarted: to the last failure", Aim::None, &laps),
            failed("API server restarted: failed requests", Aim::AtMost(1.0), &laps),
        ]
    }

    /// The power of the nodes that have the addresses.
    fn lost(&self) -> Row {
        let lab = self.door.lab();
        let laps = self.of_holders("lost", |host| lab.cut_power(host), |host| lab.start(host));
        gap("balancer lost: no answer for", Aim::AtMost(1000.0), &laps)
    }

    /// As for maintenance.
    fn moved(&self) -> Row {
        let lab = self.door.lab();
        let unit = |host| if BOTH.contains(&host) { "keepalived-api" } else { "keepalived" };
        let act = |verb: &str, host| lab.ssh(host, &format!("systemctl {verb} {}", unit(host)));
        let laps =
            self.of_holders("moved", |it| drop(act("stop", it)), |it| drop(act("start", it)));
        gap("balancer moved as planned: no answer for", Aim::AtMost(400.0), &laps)
    }

    fn of_holders(&self, what: &str, fault: impl Fn(usize), end: impl Fn(usize)) -> Vec<[Lap; 2]> {
        let sides = [(self.door.lab().virtual_ip(), BOTH), (guided_ip(&self.door), GUIDED)];
        let lap = |round| {
            let holders = sides.each_ref().map(|(ip, hosts)| self.door.holder_of(ip, hosts));
            let is_over = || {
                sides.iter().zip(holders).all(|((ip, hosts), before)| {
                    let now = self.door.lab().holders(ip, hosts);
                    now.len() == 1 && now != [before]
                })
            };
            let laps = self.during(
                &format!("{what}: {round}"),
                || holders.into_iter().for_each(&fault),
                is_over,
            );
            holders.into_iter().for_each(&end);
            self.door.until_all_are_up_for(&ALL);
            // The guide's first node takes its address back.
            thread::sleep(Duration::from_secs(10));
            self.runs_on();
            laps
        };
        (0..ROUNDS).map(lap).collect()
    }
}

fn guided_ip(door: &Door) -> String {
    let ours = door.lab().virtual_ip();
    ours.strip_suffix("200").map(|it| format!("{it}201")).expect("an address of the lab")
}

/// The files of the guide, filled in, and the services of the distribution.
fn guided(door: &Door, host: usize, at: usize) {
    let lab = door.lab();
    let server = |(name, host): (&str, usize)| {
        format!("    server {name} {}:6443 check verify none\n", lab.address(host))
    };
    let servers = SERVERS.map(server).concat();
    let proxy = include_str!("ha-guide/haproxy.cfg").replace("SERVERS\n", &servers);
    let keepalived = include_str!("ha-guide/keepalived.conf")
        .replace("STATE", ["MASTER", "BACKUP"][at])
        .replace("PRIORITY", ["101", "100"][at])
        .replace("VIRTUAL_IP", &guided_ip(door));
    let etc = lab.hosts[host].root().join("etc");
    fs::create_dir_all(etc.join("keepalived")).unwrap();
    fs::write(etc.join("haproxy/haproxy.cfg"), proxy).unwrap();
    fs::write(etc.join("keepalived/keepalived.conf"), keepalived).unwrap();
    fs::write(
        etc.join("keepalived/check_apiserver.sh"),
        include_str!("ha-guide/check_apiserver.sh"),
    )
    .unwrap();
    lab.ssh(
        host,
        "chmod 755 /etc/keepalived/check_apiserver.sh; chmod 644 /etc/keepalived/keepalived.conf; \
         systemctl unmask haproxy keepalived; systemctl enable haproxy keepalived; \
         systemctl restart haproxy keepalived",
    );
}

fn row(
    (what, unit): (&'static str, &'static str),
    aim: Aim,
    laps: &[[Lap; 2]],
    figure: impl Fn(&Lap) -> f64,
) -> Row {
    let side = |side: usize| laps.iter().map(|it| figure(&it[side])).collect();
    Row { what, unit, aim, ours: side(0), peer: side(1) }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn until(what: &'static str, aim: Aim, laps: &[[Lap; 2]]) -> Row {
    row((what, "ms"), aim, laps, |it| ms(it.until))
}

fn failed(what: &'static str, aim: Aim, laps: &[[Lap; 2]]) -> Row {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    row((what, "requests"), aim, laps, |it| it.failed as f64)
}

fn gap(what: &'static str, aim: Aim, laps: &[[Lap; 2]]) -> Row {
    row((what, "ms"), aim, laps, |it| ms(it.gap))
}
