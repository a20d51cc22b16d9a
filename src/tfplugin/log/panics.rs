//! Tells of a panic in the form that Terraform shows to its user.

use std::backtrace::Backtrace;
use std::io::{self, Write as _};
use std::panic::{self, PanicHookInfo};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::tfplugin::isolate;

/// go-plugin keeps a hundred lines of a crash.
const BACKTRACE_LINES: usize = 60;
/// Stderr may be full, and then a panic must not become a hang.
const LIMIT: Duration = Duration::from_millis(500);

/// Replaces the panic hook.
///
/// A panic inside of [`isolate::isolate`] becomes an error of that call. All others go to stderr behind `panic: `,
/// which makes Terraform show them as a crash even where nothing is logged; Rust's own text would stay invisible.
pub(in crate::tfplugin) fn catch_panics() {
    panic::set_hook(Box::new(|info| {
        let report = report(info, &Backtrace::force_capture());
        if !isolate::keep(&report) {
            write(format!("panic: {report}\n"));
        }
    }));
}

fn report(info: &PanicHookInfo<'_>, backtrace: &Backtrace) -> String {
    let message = info.payload_as_str().unwrap_or("no message");
    let place = info.location().map(|at| format!("\nat {at}")).unwrap_or_default();
    let mut report = format!("{message}{place}");
    for line in frames(&backtrace.to_string()) {
        report += "\n";
        report += line;
    }
    report
}

/// The frames between the panic and the runtime. None in a stripped binary, whose frames have no names.
fn frames(backtrace: &str) -> impl Iterator<Item = &str> {
    backtrace
        .lines()
        .skip_while(|it| !it.contains("panicking::panic"))
        .take_while(|it| !it.contains("__rust_begin_short_backtrace"))
        .filter(|it| !it.contains("<unknown>"))
        .take(BACKTRACE_LINES)
}

/// Writes from a thread of its own, and does not wait longer than [`LIMIT`] for it.
fn write(text: String) {
    let (done, wait) = mpsc::channel();
    let writer = thread::Builder::new().spawn(move || {
        // What cannot be written cannot be told either.
        let _ = io::stderr().write_all(text.as_bytes());
        let _ = done.send(());
    });
    if writer.is_ok() {
        let _ = wait.recv_timeout(LIMIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_frames_of_the_fault_are_told() {
        let all = "   0: std::backtrace::create\n   1: core::panicking::panic_fmt\n   2: <unknown>\n\
                   \x20  3: plan::next\n             at ./plan.rs:7\n   4: __rust_begin_short_backtrace\n   5: main";
        let told: Vec<_> = frames(all).collect();
        assert_eq!(
            told,
            ["   1: core::panicking::panic_fmt", "   3: plan::next", "             at ./plan.rs:7"]
        );
    }
}
