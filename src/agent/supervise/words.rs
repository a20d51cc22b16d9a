//! What a supervisor says, and what is said to it.
#![expect(clippy::disallowed_methods, reason = "opens /dev/null")]

use std::fs::File;
use std::io::{self, Write as _};

use rustix::stdio::{dup2_stderr, dup2_stdout};
use tokio::signal::unix::{self, SignalKind};

/// What is told to the agent that waits: one of these, the last with the reason behind it.
pub(super) const STARTED: &str = "started";
pub(super) const TAKEN: &str = "taken";
pub(super) const FAILED: &str = "failed ";

/// The agent that waits for the first word. It reads our standard output.
pub(super) struct Starter {
    waits: bool,
}

impl Starter {
    pub(super) fn waiting() -> Self {
        Self { waits: true }
    }

    /// Only the first word counts.
    pub(super) fn tell(&mut self, text: &str) {
        if !std::mem::take(&mut self.waits) {
            return;
        }
        // It may have gone; the service runs nevertheless.
        let mut output = io::stdout();
        let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
        if let Ok(nothing) = File::options().read(true).write(true).open("/dev/null") {
            let _ = dup2_stdout(&nothing);
            let _ = dup2_stderr(&nothing);
        }
    }
}

/// What an agent, or whoever knows our number, asks for.
pub(super) struct Asked {
    pub(super) stop: unix::Signal,
    pub(super) reload: unix::Signal,
    pub(super) read: unix::Signal,
    pub(super) go_on: unix::Signal,
}

impl Asked {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            stop: unix::signal(SignalKind::terminate())?,
            reload: unix::signal(SignalKind::hangup())?,
            read: unix::signal(SignalKind::user_defined1())?,
            go_on: unix::signal(SignalKind::user_defined2())?,
        })
    }
}
