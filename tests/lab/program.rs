//! Programs of this machine, and waiting for a state.

use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Runs a program to its end; its output if it succeeded, else what it said.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|err| format!("{program} cannot be started: {err}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("`{program} {}`: {}", arguments.join(" "), text(&output)))
}

/// What a program that failed has to say.
pub(crate) fn text(output: &Output) -> String {
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}: {}{}", output.status, out, err.trim_end())
}

/// Looks until the state is there; `false` if that does not come about within the bound.
pub(crate) fn within(bound: Duration, mut reached: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !reached() {
        if bound < began.elapsed() {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
    true
}
