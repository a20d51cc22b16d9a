//! Snapshots of etcd beside those of `etcdctl`, and restores beside those by hand. Writes its table into docs/benchmarks.md.
//!
//! `cargo bench --bench restore` needs a real engine (TERRAFORM, or `terraform`), `openssl`, `curl`, `zstd`, and etcd and
//! Kubernetes by `scripts/lab-binaries`. It takes several gigabytes of the directory for temporary files.
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

mod shared;
mod snapshots;
mod writer;

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::floor::{apply, apply_of_nothing, less, machine};
use self::plane::{ETCD, NODES, Plane, VERSION};
use self::report::{Result, outcome, report};
#[allow(
    clippy::wildcard_imports,
    reason = "its parts name each other from the root of a program"
)]
use self::shared::*;
use self::snapshots::SNAPSHOTS;
use self::stack::{Hand, backup, control_plane, etcd, etcdctl, is_ready, keys, place, write};
use self::turns::{Aim, Row, load, table, timed, turns};
use self::writer::fill;

/// How often data is restored: without API servers, and with them.
const RESTORES: usize = 3;
const WITH_SERVERS: usize = 3;
const RESTORED: u64 = 256 << 20;
/// Between two looks at the API servers.
const LOOK: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    outcome(compare())
}

fn compare() -> Result<()> {
    let load = load()?;
    let mut rows = snapshots::measured()?;
    rows.extend(restores()?);
    let head = format!(
        "{}, etcd {ETCD}, Kubernetes {VERSION}, load average {load} before it began; {SNAPSHOTS} snapshots, {RESTORES} \
         restores of etcd, {WITH_SERVERS} with API servers, in turns; medians with their ranges.",
        machine()?,
    );
    let table = format!("{head}\n\n{}", table("by hand", &rows)?);
    eprintln!("{table}");
    report("restore", &table)
}

/// Until the database of the first member of ours has so many bytes, as that says itself.
fn grow(on: &Plane, least: u64) -> Result<()> {
    let (node, keys) = (NODES[0], keys(on, NODES[0]));
    for round in 0.. {
        let told = etcdctl(on, node, &["endpoint", "status", "--write-out=json"]).output()?;
        let told: Value = serde_json::from_slice(&told.stdout)?;
        let size = told[0]["Status"]["dbSize"].as_u64().ok_or("a member tells no size")?;
        if least <= size {
            break;
        }
        fill(on.address(node).parse()?, &keys, &format!("fill/{round}"), 1000)?;
    }
    Ok(())
}

/// The newest snapshot of the backup, on whichever host it is.
fn newest(on: &Plane) -> Result<PathBuf> {
    let folders = NODES.iter().filter_map(|it| fs::read_dir(on.root(it).join("srv/etcd")).ok());
    let files = folders.flatten().flatten().map(|it| it.path());
    let all = files.filter(|it| it.extension().is_some_and(|it| it == "zst"));
    all.max_by_key(|it| it.metadata().and_then(|it| it.modified()).ok())
        .ok_or_else(|| "there is no snapshot".into())
}

/// Ours, and what is started by hand.
struct Sides {
    on: Plane,
    hand: Hand,
    /// What the hand restores.
    snapshot: PathBuf,
    generation: Cell<u32>,
}

impl Sides {
    /// Clusters that run, ours with so much data.
    fn new() -> Result<Self> {
        let on = place()?;
        let (hand, snapshot) = (Hand::new(&on)?, on.path("snapshot.db.zst"));
        let at = Self { on, hand, snapshot, generation: Cell::new(0) };
        at.wish("", "0", "");
        at.on.apply();
        at.hand.etcd()?;
        grow(&at.on, RESTORED)?;
        at.wish("", "1", "");
        at.on.apply();
        fs::copy(newest(&at.on)?, &at.snapshot)?;
        Ok(at)
    }

    fn wish(&self, restore: &str, trigger: &str, rest: &str) {
        let (cluster, backup) = (etcd(&self.on, &NODES, restore), backup(trigger));
        self.on.config(&[cluster.as_str(), &backup, rest].concat());
    }

    /// Wishes a restore from the newest snapshot.
    fn wish_back(&self, trigger: &str, rest: &str) {
        self.generation.set(self.generation.get() + 1);
        let generation = self.generation.get();
        let restore = format!(
            "restore = {{ generation = {generation}, directory = \"/srv/etcd\", discard_current_data = true }}"
        );
        self.wish(&restore, trigger, rest);
    }

    /// Milliseconds of an apply, with the engine, and of a write.
    fn data(&self) -> Result<f64> {
        self.wish_back("1", "");
        let took = timed(|| {
            apply(&self.on)?;
            write(&self.on, NODES[0])
        });
        clear(&self.on)?;
        took
    }

    /// Milliseconds from the beginning of an apply: until every API server was ready again after none was, and until it
    /// had ended.
    fn servers(&self, rest: &str) -> Result<[f64; 2]> {
        self.wish_back("2", rest);
        let (on, began) = (&self.on, Instant::now());
        let (back, ended) = thread::scope(|scope| {
            let applied = scope.spawn(|| {
                on.apply();
                began.elapsed()
            });
            let (mut is_down, mut back) = (false, None);
            while !applied.is_finished() {
                let ready = NODES.iter().filter(|it| on.status(it, "/readyz") == "200").count();
                is_down |= ready == 0;
                if is_down && ready == NODES.len() {
                    back = back.or_else(|| Some(began.elapsed()));
                }
                thread::sleep(LOOK);
            }
            (back, applied.join().unwrap())
        });
        is_ready(on)?;
        clear(on)?;
        let back = back.ok_or("the API servers were never away")?;
        Ok([back, ended].map(|it| it.as_secs_f64() * 1e3))
    }

    fn by_hand(&self) -> Result<f64> {
        timed(|| self.hand.restore(&self.snapshot))
    }

    fn measured(&self, what: &'static str, rounds: usize, ours: turns::Side<'_>) -> Result<Row> {
        let [own, engine, hand] =
            turns(rounds, [ours, &mut apply_of_nothing, &mut || self.by_hand()])?;
        Ok(Row::ms(what, Aim::TimesPeer(1.5), less(&own, &engine), hand))
    }
}

/// From the start of an apply, or of the script, to a write; and with API servers until all are ready.
fn restores() -> Result<[Row; 3]> {
    let at = Sides::new()?;
    let what = "restore of 256 MiB to the first write";
    let data = at.measured(what, RESTORES, &mut || at.data())?;

    // Each has data of its own now: another's Secrets have another's key.
    let servers = control_plane(&at.on);
    at.wish("", "1", &servers);
    at.on.apply();
    at.wish("", "2", &servers);
    at.on.apply();
    at.hand.control_plane()?;
    at.hand.snapshot(&at.snapshot)?;
    let mut ends = Vec::new();
    let mut ours = || {
        let [back, ended] = at.servers(&servers)?;
        ends.push(ended);
        Ok(back)
    };
    let what = "the same with a control plane, to `/readyz` on all";
    let back = at.measured(what, WITH_SERVERS, &mut ours)?;
    // The first round does not count.
    let ends = ends.split_off(1);
    let what = "the same until each was restarted in turn, with the engine";
    Ok([data, back, Row::ms(what, Aim::None, ends, Vec::new())])
}

/// What a restore keeps beside: the next one is not to find a full disk.
fn clear(on: &Plane) -> Result<()> {
    for node in NODES {
        for entry in fs::read_dir(on.root(node).join("var/lib/etcd"))? {
            let path = entry?.path();
            if path.to_string_lossy().contains(".aside-") {
                fs::remove_dir_all(path)?;
            }
        }
    }
    Ok(())
}
