//! The text of a unit. What needs escaping, and how, is from systemd.unit(5), systemd.service(5) and systemd.syntax(7).

use std::time::Duration;

use super::{Definition, Restart, Start};

/// The unit as a file.
pub fn render(definition: &Definition) -> String {
    let it = definition;
    let mut unit = Text(
        "# Written by terraform-provider-ha. The next apply undoes changes.\n[Unit]\n".to_owned(),
    );
    unit.set("Description", &literal(&it.description));
    unit.list("After", &it.after);
    unit.list("Wants", &it.wants);
    // The default gives up after five failures within ten seconds.
    unit.set("StartLimitIntervalSec", "0");

    unit.section("Service");
    unit.set(
        "Type",
        match it.start {
            Start::Simple => "simple",
            Start::Notify => "notify",
        },
    );
    unit.list("User", it.user.as_slice());
    unit.list("Group", it.group.as_slice());
    if let Some(path) = &it.working_directory {
        unit.set("WorkingDirectory", &literal(path));
    }
    for (name, value) in &it.environment {
        unit.set("Environment", &quoted(&format!("{name}={value}")));
    }
    for argv in &it.start_pre {
        unit.set("ExecStartPre", &command(argv));
    }
    unit.set("ExecStart", &command(std::iter::once(&it.program).chain(&it.arguments)));
    if let Some(signal) = it.reload {
        unit.set("ExecReload", &format!("/bin/kill -{} $MAINPID", signal.name()));
    }
    for argv in &it.stop_post {
        unit.set("ExecStopPost", &command(argv));
    }
    unit.set(
        "Restart",
        match it.restart {
            Restart::Always => "always",
            Restart::OnFailure => "on-failure",
        },
    );
    unit.set("RestartSec", &time(it.restart_delay));
    // The main process is asked to end; what it leaves behind is killed. The supervisor does the same.
    unit.set("KillMode", "mixed");
    unit.set("KillSignal", &format!("SIG{}", it.stop_signal.name()));
    unit.set("TimeoutStopSec", &time(it.stop_timeout));
    if let Some(number) = it.open_files {
        unit.set("LimitNOFILE", &number.to_string());
    }
    if !it.state_directories.is_empty() {
        unit.list("StateDirectory", &it.state_directories);
        unit.set("StateDirectoryMode", "0700");
    }
    unit.list("RuntimeDirectory", &it.runtime_directories);
    for (name, value) in it.hardening.iter().map(|it| it.setting()) {
        unit.set(name, value);
    }
    for path in &it.writable {
        unit.set("ReadWritePaths", &quoted(path));
    }
    if let Some(names) = &it.capabilities {
        unit.set("CapabilityBoundingSet", &names.join(" "));
        unit.set("AmbientCapabilities", &names.join(" "));
    }

    unit.section("Install");
    unit.set("WantedBy", "multi-user.target");
    unit.0
}

struct Text(String);

impl Text {
    fn section(&mut self, name: &str) {
        self.0.extend(["\n[", name, "]\n"]);
    }

    fn set(&mut self, name: &str, value: &str) {
        self.0.extend([name, "=", value, "\n"]);
    }

    /// Names that need no escaping. An empty list is left out.
    fn list(&mut self, name: &str, values: &[String]) {
        if !values.is_empty() {
            self.set(name, &values.join(" "));
        }
    }
}

/// A value that is the rest of its line. A `%` would begin a specifier.
fn literal(text: &str) -> String {
    text.replace('%', "%%")
}

/// A value that is one word whatever it holds.
fn quoted(text: &str) -> String {
    format!("\"{}\"", literal(text).replace('\\', r"\\").replace('"', "\\\""))
}

/// Each argument is a word, in which a `$` would begin a variable. In quotes, a lone `;` separates no commands.
fn command<'a>(argv: impl IntoIterator<Item = &'a String>) -> String {
    let words: Vec<_> = argv.into_iter().map(|it| quoted(&it.replace('$', "$$"))).collect();
    words.join(" ")
}

fn time(time: Duration) -> String {
    let milliseconds = time.as_millis();
    if milliseconds.is_multiple_of(1000) {
        return format!("{}s", milliseconds / 1000);
    }
    format!("{milliseconds}ms")
}
