//! The module on five local hosts, beside all of it by hand; and a plan of it without a change. Writes its table into
//! docs/benchmarks.md.
//!
//! `cargo bench --bench whole` needs a real engine (TERRAFORM, or `terraform`), BIND, HAProxy, `openssl`, `curl`, `dig`,
//! `nsupdate`, and etcd and Kubernetes by `scripts/lab-binaries`.
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

#[path = "../tests/dns/bind.rs"]
mod bind;
#[path = "../tests/support/published.rs"]
mod published;
mod shared;

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};

use serde_json::json;

use self::bind::Bind;
use self::floor::{PLANS, apply_of_nothing, less, machine, plans};
use self::plane::{ETCD, NODES, PORT, Plane, VERSION};
use self::published::Published;
use self::report::{Result, done, outcome, report};
#[allow(
    clippy::wildcard_imports,
    reason = "its parts name each other from the root of a program"
)]
use self::shared::*;
use self::stack::{Hand, is_ready, place};
use self::turns::{Aim, Row, load, table, timed, turns};

/// How often all of it is made.
const WHOLES: usize = 3;
/// The last numbers of the addresses of the balancers.
const FRONTS: [u8; 2] = [41, 42];

fn main() -> ExitCode {
    outcome(compare())
}

fn compare() -> Result<()> {
    let load = load()?;
    let mut rows = creations()?;
    rows.push(unchanged()?);
    let head = format!(
        "{}, etcd {ETCD}, Kubernetes {VERSION}, load average {load} before it began; {WHOLES} times all of it, {PLANS} plans, in \
         turns; medians with their ranges.",
        machine()?,
    );
    let table = format!("{head}\n\n{}", table("by hand", &rows)?);
    eprintln!("{table}");
    report("whole", &table)
}

/// A name server with nothing but its zone.
fn bind() -> Result<Bind> {
    Bind::start().ok_or_else(|| "BIND is not installed".into())
}

fn fronts(on: &Plane) -> [String; 2] {
    FRONTS.map(|it| on.number(it).to_string())
}

/// The configuration beside this program, on hosts that are bare.
fn module<'a>(on: &'a Plane, bind: &Bind) -> Published<'a> {
    let mut module = Published::new(on, "benches/whole", &on.path("programs"));
    let members = NODES.map(|it| (it, on.address(it)));
    let [x, y] = fronts(on);
    module.variables.extend([
        ("directory", on.path("hosts").display().to_string()),
        ("members", json!(BTreeMap::from(members)).to_string()),
        ("balancers", json!({ "x": x, "y": y }).to_string()),
        ("dns_server", bind.server.to_string()),
    ]);
    module.secret = Some(bind.secret.clone());
    module
}

/// A balancer answers, with the name as clients ask for it.
fn answers(on: &Plane, front: &str) -> Result<()> {
    let mut asked = Command::new("curl");
    asked.args(["-sf", "-m", "5", "--cacert"]);
    asked.arg(on.root(NODES[0]).join("etc/kubernetes-prod/pki/ca.crt"));
    asked.args(["--resolve", &format!("api.example.test:{PORT}:{front}")]);
    done(asked.arg(format!("https://api.example.test:{PORT}/readyz")))
}

/// From bare hosts to an API behind two balancers and a name, and a first snapshot.
fn creations() -> Result<Vec<Row>> {
    let [ours, engine, hand] = turns(
        WHOLES,
        [
            &mut || {
                let (on, bind) = (place()?, bind()?);
                let module = module(&on, &bind);
                timed(|| {
                    module.run_on_state("apply", &["-auto-approve"]).succeeds();
                    is_ready(&on)?;
                    fronts(&on).iter().try_for_each(|it| answers(&on, it))
                })
            },
            &mut apply_of_nothing,
            &mut || {
                let (on, bind) = (place()?, bind()?);
                let hand = Hand::new(&on)?;
                let port = bind.server.port.to_string();
                let fronts = fronts(&on).join(",");
                let rest = ["example.test", &bind.server.address, &port, &bind.secret, &fronts];
                timed(|| hand.whole(&on.path("programs"), &rest))
            },
        ],
    )?;
    let own = less(&ours, &engine);
    Ok(vec![
        Row::ms("`terraform apply` of nothing", Aim::None, engine, Vec::new()),
        Row::ms("bare hosts to an API behind its name", Aim::TimesPeer(1.5), own, hand),
    ])
}

fn unchanged() -> Result<Row> {
    let (on, bind) = (place()?, bind()?);
    let module = module(&on, &bind);
    module.run_on_state("apply", &["-auto-approve"]).succeeds();
    let what = "plan without a change, five hosts";
    plans(what, Aim::AtMost(1500.0), || module.plan_is_empty())
}
