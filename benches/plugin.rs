//! Our plugin library beside the Go plugin framework: the same provider (`benches/item`,
//! `benches/peer`), the same engine, in turns. Writes its table into docs/benchmarks.md.
//!
//! `cargo bench --bench plugin` builds both providers. `TERRAFORM` names the engine (`terraform`).
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "a program of its own")]

mod launcher;
mod report;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P521_SHA512};

use self::launcher::launched;
use self::report::{Result, done, median, memory, outcome, report, verdict};

const COOKIE: &str = "TF_PLUGIN_MAGIC_COOKIE";
const COOKIE_VALUE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

const STARTS: usize = 30;
const ROUNDS: usize = 3;
const ITEMS: usize = 1000;

fn main() -> ExitCode {
    launched().unwrap_or_else(|| outcome(compare()))
}

fn compare() -> Result<()> {
    let bench = Bench::prepare()?;
    let mut sides = [Side::new("ours", bench.ours()?), Side::new("peer", bench.peer()?)];

    for side in &sides {
        bench.start(&side.provider)?; // the first start reads the file from the disk
    }
    for _ in 0..STARTS {
        for side in &mut sides {
            let (took, resident) = bench.start(&side.provider)?;
            side.start.push(took.as_secs_f64() * 1e3);
            side.resident.push(resident);
        }
    }
    eprintln!("started {STARTS} times each");

    for side in &sides {
        bench.install(side)?;
    }
    for round in 1..=ROUNDS {
        for side in &mut sides {
            bench.round(side)?;
        }
        eprintln!("round {round} of {ROUNDS}");
    }

    let [ours, peer] = &sides;
    let table = table(&launcher::engine_version()?, ours, peer)?;
    eprintln!("{table}");
    report("plugin", &table)
}

/// One of the two providers, and all that was measured of it.
struct Side {
    name: &'static str,
    provider: PathBuf,
    /// Milliseconds from start to handshake, and megabytes then.
    start: Vec<f64>,
    resident: Vec<f64>,
    /// Most megabytes of a process that served its schema.
    schema: Vec<f64>,
    plan: Vec<Run>,
    apply: Vec<Run>,
    replan: Vec<Run>,
}

impl Side {
    fn new(name: &'static str, provider: PathBuf) -> Self {
        let (start, resident, schema) = Default::default();
        let (plan, apply, replan) = Default::default();
        Self { name, provider, start, resident, schema, plan, apply, replan }
    }
}

/// One command of the engine: its duration, and what all its providers used, in seconds; and the
/// memory of the largest of them, in megabytes.
struct Run {
    wall: f64,
    cpu: f64,
    memory: f64,
}

/// Finds the runs of one command.
type Runs = fn(&Side) -> &[Run];

struct Bench {
    root: PathBuf,
    target: PathBuf,
    work: PathBuf,
    certificate: String,
}

impl Bench {
    fn prepare() -> Result<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let target = root.join(target);
        let work = env::temp_dir().join(format!("bench-{}", std::process::id()));
        fs::create_dir_all(&work)?;
        // Of the kind that go-plugin's client makes for itself.
        let key = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512)?;
        let certificate =
            CertificateParams::new(["localhost".to_owned()])?.self_signed(&key)?.pem();
        Ok(Self { root, target, work, certificate })
    }

    fn ours(&self) -> Result<PathBuf> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let args = ["build", "--quiet", "--locked", "--release", "--example", "probe-item"];
        done(Command::new(cargo).args(args).current_dir(&self.root))?;
        Ok(self.target.join("release/examples/probe-item"))
    }

    fn peer(&self) -> Result<PathBuf> {
        let path = self.work.join("peer-provider");
        done(
            Command::new("go")
                .args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
                .arg(&path)
                .arg(".")
                .env("CGO_ENABLED", "0")
                .current_dir(self.root.join("benches/peer")),
        )?;
        Ok(path)
    }

    /// Starts a provider as an engine does, up to the line that says where it listens.
    fn start(&self, provider: &Path) -> Result<(Duration, f64)> {
        let mut command = Command::new(provider);
        command
            .env(COOKIE, COOKIE_VALUE)
            .env("PLUGIN_PROTOCOL_VERSIONS", "5,6")
            .env("PLUGIN_MIN_PORT", "10000")
            .env("PLUGIN_MAX_PORT", "25000")
            .env("PLUGIN_CLIENT_CERT", &self.certificate)
            .env("TMPDIR", &self.work)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let begin = Instant::now();
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let took = begin.elapsed();
        let status = fs::read_to_string(format!("/proc/{}/status", child.id()));
        child.kill()?;
        child.wait()?;
        if !line.starts_with("1|6|") {
            return Err(format!("{}: no handshake but {line:?}", provider.display()).into());
        }
        Ok((took, memory(&status?, "VmRSS")?))
    }

    /// For the engine to find.
    fn install(&self, side: &Side) -> Result<()> {
        let dir = self.dir(side);
        launcher::install(&dir, "terraform-ha/probe", "1.0.0")?;
        fs::copy(self.root.join("benches/main.tf"), dir.join("main.tf"))?;
        self.engine(side, &["init", "-input=false"]).map(drop)
    }

    fn round(&self, side: &mut Side) -> Result<()> {
        match fs::remove_file(self.dir(side).join("terraform.tfstate")) {
            Err(err) if err.kind() != std::io::ErrorKind::NotFound => return Err(err.into()),
            _ => (),
        }
        let schema = self.engine(side, &["providers", "schema", "-json"])?;
        side.schema.push(schema.memory);
        let plan = self.engine(side, &["plan", "-input=false", "-out=saved.tfplan"])?;
        side.plan.push(plan);
        let apply = self.engine(side, &["apply", "-input=false", "saved.tfplan"])?;
        side.apply.push(apply);
        // Any change would be exit status 2.
        let replan = self.engine(side, &["plan", "-input=false", "-detailed-exitcode"])?;
        side.replan.push(replan);
        Ok(())
    }

    fn engine(&self, side: &Side, args: &[&str]) -> Result<Run> {
        let dir = self.dir(side);
        let mut command = launcher::engine(&dir, &side.provider)?;
        command.args(args).env("TF_VAR_count_of_items", ITEMS.to_string());
        let begin = Instant::now();
        done(&mut command)?;
        let wall = begin.elapsed().as_secs_f64();
        let (cpu, memory) = launcher::used(&dir)?;
        Ok(Run { wall, cpu, memory })
    }

    fn dir(&self, side: &Side) -> PathBuf {
        self.work.join(side.name)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // At worst something stays behind in the directory for such things.
        let _ = fs::remove_dir_all(&self.work);
    }
}

/// What a figure of ours has to be: so much at most, or so large a part of the peer's at most.
#[derive(Clone, Copy)]
enum Aim {
    AtMost(f64),
    PartOfPeer(f64),
    None,
}

fn table(engine: &str, ours: &Side, peer: &Side) -> Result<String> {
    let cores = thread::available_parallelism()?;
    let mut text = format!(
        "{engine}, {cores} cores, {}; {STARTS} starts, {ROUNDS} rounds of {ITEMS} items, in turns; medians.\n\n\
         | | ours | peer | ratio | aim | met |\n| --- | ---: | ---: | ---: | --- | --- |\n",
        env::consts::ARCH,
    );
    let mut row = |what: &str, unit: &str, aim: Aim, figures: &dyn Fn(&Side) -> Vec<f64>| {
        let (a, b) = (median(figures(ours)), median(figures(peer)));
        let ratio = a / b;
        let (aim, met) = match aim {
            Aim::AtMost(most) => (format!("≤ {most} {unit}"), verdict(a <= most)),
            Aim::PartOfPeer(part) => (format!("≤ {part:.1}×"), verdict(ratio <= part)),
            Aim::None => <(String, &str)>::default(),
        };
        writeln!(text, "| {what} | {a:.2} {unit} | {b:.2} {unit} | {ratio:.2} | {aim} | {met} |")
    };
    row("start to handshake", "ms", Aim::AtMost(3.0), &|it| it.start.clone())?;
    row("memory after start", "MB", Aim::AtMost(10.0), &|it| it.resident.clone())?;
    row("memory, schema served, at most", "MB", Aim::AtMost(10.0), &|it| it.schema.clone())?;
    let commands: [(&str, Runs); 3] = [
        ("plan", |it| &it.plan),
        ("apply", |it| &it.apply),
        ("plan without a change", |it| &it.replan),
    ];
    for (name, runs) in commands {
        let figures =
            |figure: fn(&Run) -> f64| move |it: &Side| runs(it).iter().map(figure).collect();
        row(&format!("{name}: processor"), "s", Aim::PartOfPeer(0.5), &figures(|it| it.cpu))?;
        row(&format!("{name}: duration"), "s", Aim::PartOfPeer(1.0), &figures(|it| it.wall))?;
        row(&format!("{name}: memory at most"), "MB", Aim::None, &figures(|it| it.memory))?;
    }
    Ok(text)
}
