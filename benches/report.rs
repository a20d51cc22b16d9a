//! What the benchmarks share: commands that must succeed, medians, and their places in docs/benchmarks.md.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

pub(crate) type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// Relative to the root of the repository.
const REPORT: &str = "docs/benchmarks.md";

/// Replaces the table that an earlier run of this program wrote, and nothing else.
pub(crate) fn report(program: &str, table: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(REPORT);
    let begin = format!("<!-- {program}: written by `cargo bench --bench {program}` -->");
    let old = fs::read_to_string(&path)?;
    let end = format!("<!-- {program}: end -->");
    let (Some(begins), Some(ends)) = (old.find(&begin), old.find(&end)) else {
        return Err(format!("{}: the markers of this table are missing", path.display()).into());
    };
    let (before, after) = (&old[..begins + begin.len()], &old[ends..]);
    Ok(fs::write(path, format!("{before}\n{table}{after}"))?)
}

/// The end of a benchmark, for the shell.
pub(crate) fn outcome(measured: Result<()>) -> ExitCode {
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("error: {err}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command that must succeed.
pub(crate) fn done(command: &mut Command) -> Result<()> {
    let output = command.output().map_err(|err| format!("{command:?}: {err}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&text)).into())
}

/// Megabytes, by the name of a line in `/proc/PID/status`.
pub(crate) fn memory(status: &str, line: &str) -> Result<f64> {
    let value = status.lines().find_map(|it| it.strip_prefix(line)?.strip_prefix(':'));
    megabytes(value.ok_or(format!("no {line}"))?.trim().trim_end_matches(" kB"))
}

/// The kernel counts in units of 1024 bytes.
pub(crate) fn megabytes(kibibytes: &str) -> Result<f64> {
    Ok(kibibytes.parse::<f64>()? * 1024.0 / 1e6)
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn verdict(met: bool) -> &'static str {
    if met { "yes" } else { "**no**" }
}
