//! A control plane of three nodes on local hosts, beside one that is started by hand; plans; and what clients notice while
//! another Kubernetes is installed. Writes its table into docs/benchmarks.md.
//!
//! `cargo bench --bench control_plane` needs a real engine (TERRAFORM, or `terraform`), `openssl`, `curl`, and etcd and two
//! versions of Kubernetes by `scripts/lab-binaries`.
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

// Named for the code that it shares with the tests: clients, and the hosts that they ask.
#[path = "../tests/kubernetes/load.rs"]
mod load;
#[path = "../tests/kubernetes/local.rs"]
mod local;
mod shared;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::binaries::binaries;
use self::floor::{PLANS, apply, apply_of_nothing, less, machine, plans};
use self::load::{Load, Told};
use self::local::Local;
use self::local_hosts::agents;
use self::plane::{ETCD, NODES, VERSION};
use self::report::{Result, outcome, report};
#[allow(
    clippy::wildcard_imports,
    reason = "its parts name each other from the root of a program"
)]
use self::shared::*;
use self::stack::{Hand, control_plane, etcd, is_ready, place};
use self::turns::{Aim, Row, load as load_average, table, timed, turns};

/// How often control planes are made, and changed to the next minor.
const PLANES: usize = 3;
const UPGRADES: usize = 3;
const LATER: &str = "1.35.4";

fn main() -> ExitCode {
    outcome(compare())
}

fn compare() -> Result<()> {
    let load = load_average()?;
    let mut rows = creations()?;
    rows.push(unchanged()?);
    rows.extend(upgrades()?);
    let head = format!(
        "{}, etcd {ETCD}, Kubernetes {VERSION}, load average {load} before it began; {PLANES} control planes, {PLANS} plans, \
         {UPGRADES} upgrades to {LATER}, the first two in turns; medians with their ranges.",
        machine()?,
    );
    let table = format!("{head}\n\n{}", table("by hand", &rows)?);
    eprintln!("{table}");
    report("control_plane", &table)
}

/// From members of etcd to API servers that are ready, and leaders.
fn creations() -> Result<Vec<Row>> {
    let [ours, engine, hand] = turns(
        PLANES,
        [
            &mut || {
                let on = place()?;
                on.config(&etcd(&on, &NODES, ""));
                on.apply();
                on.config(&[etcd(&on, &NODES, ""), control_plane(&on)].concat());
                timed(|| {
                    apply(&on)?;
                    is_ready(&on)
                })
            },
            &mut apply_of_nothing,
            &mut || {
                let on = place()?;
                let hand = Hand::new(&on)?;
                hand.etcd()?;
                timed(|| hand.control_plane())
            },
        ],
    )?;
    let own = less(&ours, &engine);
    Ok(vec![
        Row::ms("`terraform apply` of nothing", Aim::None, engine, Vec::new()),
        Row::ms("a running etcd to three nodes that are ready", Aim::TimesPeer(1.5), own, hand),
    ])
}

fn unchanged() -> Result<Row> {
    let on = place()?;
    on.config(&[etcd(&on, &NODES, ""), control_plane(&on)].concat());
    on.apply();
    let what = "plan without a change, etcd and control plane";
    plans(what, Aim::AtMost(1500.0), || on.plan_is_empty())
}

/// What clients notice behind a balancer that follows `/readyz`.
fn upgrades() -> Result<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let all = (0..UPGRADES).map(|_| runtime.block_on(upgrade())).collect::<Result<Vec<_>>>()?;
    let ms = |it: Duration| it.as_secs_f64() * 1e3;
    let of = |figure: &dyn Fn(&(Duration, Told)) -> f64| all.iter().map(figure).collect();
    #[expect(clippy::cast_precision_loss, reason = "a few")]
    let failed = of(&|(_, told)| told.failed.len() as f64);
    Ok(vec![
        Row::ms(
            "an upgrade: longest time without any API server",
            Aim::AtMost(0.0),
            of(&|(_, told)| ms(told.without_any())),
            Vec::new(),
        ),
        Row {
            what: "an upgrade: requests that failed",
            unit: "requests",
            aim: Aim::AtMost(0.0),
            ours: failed,
            peer: Vec::new(),
        },
        Row::ms(
            "an upgrade: the longest request",
            Aim::None,
            of(&|(_, told)| ms(told.longest)),
            Vec::new(),
        ),
        Row::ms(
            "an upgrade, without the engine",
            Aim::None,
            of(&|(took, _)| ms(*took)),
            Vec::new(),
        ),
    ])
}

async fn upgrade() -> Result<(Duration, Told)> {
    let mut at = Local::new(&NODES).await.ok_or("there are no programs to measure with")?;
    let later = binaries("kubernetes", LATER).ok_or("there is no Kubernetes to change to")?;
    // Clients hold certificates against it.
    at.wish.endpoint = format!("{}:6443", Local::place("front").address).parse()?;
    // As users have it: more than twice what a balancer needs to notice.
    at.wish.shutdown_delay = Duration::from_secs(5);
    Local::steps(&at.converge(false).await);
    at.is_ready().await;
    let clients = Load::begin(&at).await;
    (at.programs, at.wish.version) = (later, LATER.parse()?);
    let began = Instant::now();
    Local::steps(&at.converge(false).await);
    let took = began.elapsed();
    Ok((took, clients.end().await))
}
