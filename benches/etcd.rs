//! An etcd cluster of three members on local hosts, beside one that is started by hand; plans; and what a client that
//! writes notices. Writes its table into docs/benchmarks.md.
//!
//! `cargo bench --bench etcd` needs a real engine (TERRAFORM, or `terraform`), `openssl`, and etcd by `scripts/lab-binaries`.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    dead_code,
    reason = "a program of its own, with more of the tests than it uses"
)]

#[path = "../tests/etcd/local.rs"]
#[allow(unused_imports, unused_macros, reason = "shared with tests")]
mod local;
mod shared;
mod writer;

use std::fs;
use std::net::IpAddr;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use self::engine::Engine;
use self::floor::{PLANS, apply, apply_of_nothing, less, machine, plans};
use self::local::{Local, VERSION};
use self::report::{Result, done, outcome, report};
#[allow(
    clippy::wildcard_imports,
    reason = "its parts name each other from the root of a program"
)]
use self::shared::*;
use self::turns::{Aim, Row, load, table, timed, turns};
use self::writer::Writers;

const NODES: [&str; 3] = ["a", "b", "c"];
/// How often clusters are made; planned and unplanned losses of a member.
const CLUSTERS: usize = 7;
const LOSSES: usize = 7;

fn main() -> ExitCode {
    outcome(compare())
}

fn compare() -> Result<()> {
    let load = load()?;
    let mut rows = creations()?;
    let on = place()?;
    on.wish(&NODES, "");
    on.apply();
    rows.push(plans("plan without a change", Aim::AtMost(1000.0), || on.plan_is_empty())?);
    rows.extend(losses(&on)?);
    let head = format!(
        "{}, etcd {VERSION}, load average {load} before it began; {CLUSTERS} clusters, {PLANS} plans, {LOSSES} of each kind \
         of loss, in turns; medians with their ranges.",
        machine()?,
    );
    let table = format!("{head}\n\n{}", table("by hand", &rows)?);
    eprintln!("{table}");
    report("etcd", &table)
}

fn place() -> Result<Local> {
    Local::new(Engine::Terraform).ok_or_else(|| "there is no etcd to measure with".into())
}

/// From bare hosts to a cluster that takes writes on every member.
fn creations() -> Result<Vec<Row>> {
    let [ours, engine, hand] = turns(
        CLUSTERS,
        [
            &mut || {
                let on = place()?;
                on.wish(&NODES, "");
                timed(|| {
                    apply(&on)?;
                    write_everywhere(&on);
                    Ok(())
                })
            },
            &mut apply_of_nothing,
            &mut by_hand,
        ],
    )?;
    let own = less(&ours, &engine);
    Ok(vec![
        Row::ms("`terraform apply` of nothing", Aim::None, engine, Vec::new()),
        Row::ms("bare hosts to writes on all members", Aim::TimesPeer(1.5), own, hand),
    ])
}

fn write_everywhere(on: &Local) {
    thread::scope(|scope| {
        for node in NODES {
            scope.spawn(move || on.etcdctl(node, &["put", "ready", node]));
        }
    });
}

fn by_hand() -> Result<f64> {
    let on = place()?;
    let root = on.path("hosts");
    fs::create_dir(&root)?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/by-hand.sh");
    let mut command = Command::new(script);
    command.arg(root).arg(&on.programs).arg(VERSION).args(NODES.map(|it| on.address(it)));
    timed(|| done(&mut command))
}

/// What clients notice when every member is restarted as planned, and when the leader is killed.
fn losses(on: &Local) -> Result<Vec<Row>> {
    let members = NODES.map(|it| on.address(it).parse::<IpAddr>());
    let members = members.into_iter().collect::<std::result::Result<Vec<_>, _>>()?;
    let writers = Writers::start(&members, &on.root("a").join("etc/etcd-prod"))?;
    let mut took = Vec::new();
    let mut quota = 1_u64 << 30;
    let [rest, planned, killed] = turns(
        LOSSES,
        [
            &mut || {
                writers.longest_wait();
                thread::sleep(Duration::from_secs(3));
                Ok(writers.longest_wait())
            },
            &mut || {
                quota += 1 << 20;
                on.wish(&NODES, &format!("quota_backend_bytes = {quota}"));
                writers.longest_wait();
                took.push(timed(|| apply(on))?);
                Ok(writers.longest_wait())
            },
            &mut || {
                let leader = leader(on)?;
                writers.longest_wait();
                for process in on.processes(leader, "etcd") {
                    kill_process(process, Signal::KILL)?;
                }
                thread::sleep(Duration::from_secs(5));
                settle(on)?;
                Ok(writers.longest_wait())
            },
        ],
    )?;
    Ok(vec![
        Row::ms("writes: longest wait in 3 s without a loss", Aim::None, rest, Vec::new()),
        Row::ms(
            "writes: longest wait in a rolling restart",
            Aim::AtMost(150.0),
            planned,
            Vec::new(),
        ),
        Row::ms("the rolling restart, with the engine", Aim::None, took.split_off(1), Vec::new()),
        Row::ms(
            "writes: longest wait when the leader is killed",
            Aim::AtMost(2000.0),
            killed,
            Vec::new(),
        ),
    ])
}

/// The member that leads, as it says itself.
fn leader(on: &Local) -> Result<&'static str> {
    for node in NODES {
        let told = on.etcdctl(node, &["endpoint", "status", "--write-out=json"]);
        let told: Value = serde_json::from_str(&told)?;
        let status = &told[0]["Status"];
        if status["leader"] == status["header"]["member_id"] {
            return Ok(node);
        }
    }
    Err("no member leads".into())
}

/// Until every member serves: its supervisor has started the killed one again.
fn settle(on: &Local) -> Result<()> {
    let began = Instant::now();
    while !NODES.iter().all(|it| on.serves(it)) {
        if Duration::from_mins(1) < began.elapsed() {
            return Err("a member that was killed does not come back".into());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
