//! A thousand DNS records of ours, beside the provider of HashiCorp for DNS: the same engine, the same BIND, in turns. Writes
//! its table into docs/benchmarks.md.
//!
//! `cargo bench --bench dns` needs BIND, a real engine (`TERRAFORM`, or `terraform`), and the program of the other provider,
//! which `DNS_PEER` names.
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
mod launcher;
mod report;
mod turns;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use terraform_provider_ha::remote::dns::{Name, Question, RecordType, Settings, Transport, ask};

use self::bind::{Bind, block_on};
use self::launcher::{engine_version, launched};
use self::report::{Result, done, outcome, report};
use self::turns::{Aim, Row, load, table};

const RECORDS: usize = 1000;
const ROUNDS: usize = 3;

/// Between two questions of the client that asks all the time.
const PAUSE: Duration = Duration::from_millis(10);

/// The version of the peer.
const PEER: &str = "3.6.1";

/// What one round does, in this order.
const COMMANDS: [&str; 4] = ["create", "plan without a change", "change of the TTL", "destroy"];

fn main() -> ExitCode {
    launched().unwrap_or_else(|| outcome(compare()))
}

fn compare() -> Result<()> {
    let load = load()?;
    let bind = Bind::start().ok_or("BIND is not installed")?;
    let work = tempfile::tempdir()?;
    let mut sides = [ours(&work, &bind)?, peer(&work, &bind)?];
    for round in 1..=ROUNDS {
        for side in &mut sides {
            side.round(&bind)?;
        }
        eprintln!("round {round} of {ROUNDS}");
    }
    let head = format!(
        "{}, hashicorp/dns {PEER}, {} cores, {}, load average {load} before it began; {ROUNDS} rounds of {RECORDS} records, \
         in turns; medians with their ranges.",
        engine_version()?,
        thread::available_parallelism()?,
        env::consts::ARCH,
    );
    let [ours, peer] = sides;
    let table = format!("{head}\n\n{}", table("hashicorp/dns", &rows(&ours, &peer))?);
    eprintln!("{table}");
    report("dns", &table)
}

fn rows(ours: &Side, peer: &Side) -> Vec<Row> {
    let mut rows = Vec::new();
    for (at, name) in COMMANDS.into_iter().enumerate() {
        for (what, unit, aim, figure) in FIGURES {
            let of = |side: &Side| side.runs[at].iter().map(figure).collect();
            rows.push(Row { what: leak(name, what), unit, aim, ours: of(ours), peer: of(peer) });
        }
    }
    let (asked, failed) = (|it: &Side| it.asked.clone(), |it: &Side| it.failed.clone());
    let what = "lookups while the TTL changes";
    rows.push(Row { what, unit: "", aim: Aim::None, ours: asked(ours), peer: asked(peer) });
    let what = "of these failed";
    rows.push(Row {
        what,
        unit: "",
        aim: Aim::AtMost(0.0),
        ours: failed(ours),
        peer: failed(peer),
    });
    rows
}

type Figure = (&'static str, &'static str, Aim, fn(&Run) -> f64);

const FIGURES: [Figure; 3] = [
    ("duration", "s", Aim::TimesPeer(1.0), |it| it.wall),
    ("processor", "s", Aim::TimesPeer(0.5), |it| it.cpu),
    ("memory at most", "MB", Aim::None, |it| it.memory),
];

/// One of a dozen names that live as long as this program.
fn leak(name: &str, what: &str) -> &'static str {
    Box::leak(format!("{name}: {what}").into_boxed_str())
}

/// One command of the engine: its duration, and what all its providers used, in seconds; and the memory of the largest of
/// them, in megabytes.
struct Run {
    wall: f64,
    cpu: f64,
    memory: f64,
}

/// One of the two providers, and all that was measured of it.
struct Side {
    /// What its records are called, with a number behind.
    name: &'static str,
    directory: PathBuf,
    provider: PathBuf,
    /// By the place of the command in [`COMMANDS`].
    runs: [Vec<Run>; 4],
    /// Questions that were asked while the TTL changed, and how many of them got no answer.
    asked: Vec<f64>,
    failed: Vec<f64>,
}

fn ours(work: &TempDir, bind: &Bind) -> Result<Side> {
    let config = format!(
        r#"
        terraform {{
          required_providers {{
            ha = {{ source = "terraform-ha/ha" }}
          }}
        }}
        provider "ha" {{
          dns = {{ rfc2136 = {{ servers = ["{}"], key_name = "ha", key_secret = "{}" }} }}
        }}
        variable "ttl" {{}}
        resource "ha_dns_record" "this" {{
          count   = {RECORDS}
          zone    = "example.test"
          name    = "ours-${{count.index}}"
          type    = "A"
          ttl     = var.ttl
          records = ["10.0.${{floor(count.index / 200)}}.${{count.index % 200 + 1}}"]
        }}
        "#,
        bind.server, bind.secret,
    );
    let provider = PathBuf::from(env!("CARGO_BIN_EXE_terraform-provider-ha"));
    Side::new(work, "ours", ("terraform-ha/ha", "0.1.0"), provider, &config)
}

fn peer(work: &TempDir, bind: &Bind) -> Result<Side> {
    let provider = env::var_os("DNS_PEER").ok_or("DNS_PEER names no program of hashicorp/dns")?;
    let config = format!(
        r#"
        terraform {{
          required_providers {{
            dns = {{ source = "hashicorp/dns" }}
          }}
        }}
        provider "dns" {{
          update {{
            server        = "{}"
            port          = {}
            key_name      = "ha."
            key_algorithm = "hmac-sha256"
            key_secret    = "{}"
          }}
        }}
        variable "ttl" {{}}
        resource "dns_a_record_set" "this" {{
          count     = {RECORDS}
          zone      = "example.test."
          name      = "peer-${{count.index}}"
          ttl       = var.ttl
          addresses = ["10.0.${{floor(count.index / 200)}}.${{count.index % 200 + 1}}"]
        }}
        "#,
        bind.server.address, bind.server.port, bind.secret,
    );
    Side::new(work, "peer", ("hashicorp/dns", PEER), provider.into(), &config)
}

impl Side {
    fn new(
        work: &TempDir,
        name: &'static str,
        (source, version): (&str, &str),
        provider: PathBuf,
        config: &str,
    ) -> Result<Self> {
        let directory = work.path().join(name);
        launcher::install(&directory, source, version)?;
        fs::write(directory.join("main.tf"), config)?;
        let (runs, asked, failed) = Default::default();
        let side = Self { name, directory, provider, runs, asked, failed };
        side.engine(30, &["init"])?;
        Ok(side)
    }

    fn engine(&self, ttl: u32, args: &[&str]) -> Result<Run> {
        let mut command = launcher::engine(&self.directory, &self.provider)?;
        command.args(args).args(["-input=false", "-no-color"]).env("TF_VAR_ttl", ttl.to_string());
        let begin = Instant::now();
        done(&mut command)?;
        let wall = begin.elapsed().as_secs_f64();
        let (cpu, memory) = launcher::used(&self.directory)?;
        Ok(Run { wall, cpu, memory })
    }

    fn round(&mut self, bind: &Bind) -> Result<()> {
        let apply = ["apply", "-auto-approve"];
        let create = self.engine(30, &apply)?;
        let last = format!("{}-{}", self.name, RECORDS - 1);
        assert!(bind.shows(&last, "A").starts_with("30: 10.0."), "the last record is not there");
        // Any change would be exit status 2.
        let plan = self.engine(30, &["plan", "-detailed-exitcode"])?;
        let (change, asked, failed) = while_asked(bind, self.name, || self.engine(60, &apply))?;
        assert!(bind.shows(&last, "A").starts_with("60: 10.0."), "the last record has not changed");
        self.asked.push(asked);
        self.failed.push(failed);
        let destroy = self.engine(60, &["destroy", "-auto-approve"])?;
        assert_eq!(bind.shows(&last, "A"), "-");
        for (runs, run) in self.runs.iter_mut().zip([create, plan, change, destroy]) {
            runs.push(run);
        }
        Ok(())
    }
}

/// A client asks for one record after the other meanwhile, each once, by UDP. How many questions, and how many of them got
/// no answer or one without the record.
fn while_asked(
    bind: &Bind,
    name: &str,
    work: impl FnOnce() -> Result<Run>,
) -> Result<(Run, f64, f64)> {
    let settings = Settings {
        servers: vec![bind.server.clone()],
        key: None,
        transport: Transport::Udp,
        timeout: Duration::from_secs(1),
        retries: 0,
    };
    let questions = (0..RECORDS).map(|number| {
        let name = Name::from_ascii(format!("{name}-{number}.example.test."))?;
        Ok(Question { name, ty: "A".parse::<RecordType>()? })
    });
    let questions = questions.collect::<Result<Vec<_>>>()?;
    let (is_over, told) = (AtomicBool::new(false), Mutex::new((0.0, 0.0)));
    let run = thread::scope(|scope| {
        scope.spawn(|| {
            for question in questions.iter().cycle() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let began = Instant::now();
                let by = tokio::time::Instant::now() + settings.timeout;
                let answer = block_on(ask(&bind.server, &settings, question, by));
                let mut told = told.lock().unwrap();
                told.0 += 1.0;
                if !answer.is_ok_and(|it| !it.data.is_empty()) {
                    told.1 += 1.0;
                }
                drop(told);
                thread::sleep(PAUSE.saturating_sub(began.elapsed()));
            }
        });
        let run = work();
        is_over.store(true, Ordering::Relaxed);
        run
    });
    let (asked, failed) = *told.lock().unwrap();
    Ok((run?, asked, failed))
}
