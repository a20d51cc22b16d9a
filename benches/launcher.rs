//! Stands in a provider's place. An engine starts and ends providers by itself, and keeps to itself what they used: as a
//! launcher, a benchmark starts the real one and notes what the kernel says of it.

use std::env;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nix::sys::resource::{UsageWho, getrusage};

use crate::report::{Result, megabytes};

/// For the launcher: the provider to start, and the file for what it used.
const PROVIDER: &str = "BENCH_PROVIDER";
const RECORD: &str = "BENCH_RECORD";

/// If this process is a launcher: all that it does.
pub(crate) fn launched() -> Option<ExitCode> {
    let (provider, record) = (env::var_os(PROVIDER)?, env::var_os(RECORD)?);
    Some(launch(&provider, Path::new(&record)))
}

/// The real one inherits everything, and is waited for.
fn launch(provider: &OsString, record: &Path) -> ExitCode {
    let status = Command::new(provider).args(env::args_os().skip(1)).status();
    match (status, note(record)) {
        (Ok(status), Ok(())) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Adds what the child used: microseconds of the processor, and the most memory it ever had.
fn note(record: &Path) -> Result<()> {
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros: i64 = [used.user_time(), used.system_time()]
        .iter()
        .map(|it| it.tv_sec() * 1_000_000 + it.tv_usec())
        .sum();
    let mut file = OpenOptions::new().append(true).create(true).open(record)?;
    // One write, so that lines of several launchers do not mix.
    Ok(file.write_all(format!("{micros} {}\n", used.max_rss()).as_bytes())?)
}

/// This program in the place of a provider in a mirror below this directory, for the engine to find.
pub(crate) fn install(directory: &Path, name: &str, version: &str) -> Result<()> {
    let os = if cfg!(target_os = "macos") { "darwin" } else { env::consts::OS };
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let ty = name.rsplit('/').next().unwrap_or_default();
    for host in ["registry.terraform.io", "registry.opentofu.org"] {
        let place = directory.join(format!("mirror/{host}/{name}/{version}/{os}_{arch}"));
        fs::create_dir_all(&place)?;
        fs::copy(env::current_exe()?, place.join(format!("terraform-provider-{ty}_v{version}")))?;
    }
    let mirror = directory.join("mirror").display().to_string();
    let config =
        format!("provider_installation {{\n  filesystem_mirror {{ path = \"{mirror}\" }}\n}}\n");
    Ok(fs::write(directory.join("cli.tfrc"), config)?)
}

/// An engine in a directory with [`install`], not started, which will start this provider.
pub(crate) fn engine(directory: &Path, provider: &Path) -> Result<Command> {
    fs::write(record(directory), "")?;
    let engine = env::var_os("TERRAFORM").unwrap_or_else(|| "terraform".into());
    let mut command = Command::new(engine);
    // Neither the caller's logging nor their habits are part of this.
    for (name, _) in env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"TF_"))
    {
        command.env_remove(name);
    }
    command
        .current_dir(directory)
        .env("TF_CLI_CONFIG_FILE", directory.join("cli.tfrc"))
        .env("CHECKPOINT_DISABLE", "1")
        .env(PROVIDER, provider)
        .env(RECORD, record(directory));
    Ok(command)
}

/// What all processes of the provider used that the engine has started there: seconds of the processor, and megabytes of
/// the largest.
pub(crate) fn used(directory: &Path) -> Result<(f64, f64)> {
    let (mut cpu, mut memory) = (0.0, 0.0_f64);
    for line in fs::read_to_string(record(directory))?.lines() {
        let (micros, kibibytes) = line.split_once(' ').ok_or("a torn record")?;
        cpu += micros.parse::<f64>()? / 1e6;
        memory = memory.max(megabytes(kibibytes)?);
    }
    Ok((cpu, memory))
}

fn record(directory: &Path) -> PathBuf {
    directory.join("record")
}

/// The first line of what the engine says of its version.
pub(crate) fn engine_version() -> Result<String> {
    let engine = env::var_os("TERRAFORM").unwrap_or_else(|| "terraform".into());
    let output = Command::new(engine).arg("version").env("CHECKPOINT_DISABLE", "1").output()?;
    Ok(String::from_utf8(output.stdout)?.lines().next().unwrap_or("unknown").to_owned())
}
