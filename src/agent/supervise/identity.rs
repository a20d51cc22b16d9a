//! Processes by more than their number, which the kernel gives away again.
#![expect(clippy::disallowed_methods, reason = "reads /proc")]

use std::fs;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::agent::fault::Fault;

/// A process of this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) id: i32,
    /// In clock ticks since the boot.
    pub(super) started: u64,
}

/// A line of `/proc/PID/stat`, as far as it matters.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    is_dead: bool,
    session: i32,
    started: u64,
}

impl Process {
    /// The process that has this number now.
    pub(super) fn of(id: i32) -> Option<Self> {
        stat(id).map(|it| Self { id, started: it.started })
    }

    pub(super) fn own() -> Option<Self> {
        Self::of(rustix::process::getpid().as_raw_nonzero().get())
    }

    /// Whether it still runs. One that nobody has waited for does not.
    pub(super) fn is_alive(&self) -> bool {
        stat(self.id).is_some_and(|it| it.started == self.started && !it.is_dead)
    }

    /// False when it is gone.
    pub(super) fn signal(&self, signal: Signal) -> Result<bool, Fault> {
        let Some(opened) = self.open() else { return Ok(false) };
        match pidfd_send_signal(opened, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(Fault::failed(format!("signal the process {}", self.id))(error)),
        }
    }

    /// The process itself, whoever gets its number later. It is looked at after it was opened: what is open then is
    /// what was looked at.
    fn open(&self) -> Option<OwnedFd> {
        let opened = pidfd_open(Pid::from_raw(self.id)?, PidfdFlags::empty()).ok()?;
        self.is_alive().then_some(opened)
    }

    /// Kills what is left of the session that this process led, without itself. True when nothing was.
    ///
    /// The kernel gives no number away that is still that of a session. If somebody else leads it now, it is another.
    pub(super) fn sweep_session(&self) -> bool {
        if stat(self.id).is_some_and(|it| it.started != self.started) {
            return true;
        }
        let is_left = |it: &Self| {
            it.id != self.id
                && it.started >= self.started
                && stat(it.id).is_some_and(|seen| seen.session == self.id && !seen.is_dead)
        };
        let left: Vec<_> = all().filter(is_left).collect();
        for process in &left {
            // One that may not be killed is not ours, or ends by itself; the caller looks again.
            let _ = process.signal(Signal::KILL);
        }
        left.is_empty()
    }
}

/// Which boot the numbers belong to.
pub(super) fn boot() -> Result<String, Fault> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    Ok(text.map_err(Fault::failed("read the id of the boot"))?.trim().to_owned())
}

fn all() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|it| Process::of(it.file_name().to_str()?.parse().ok()?))
}

fn stat(id: i32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// The fields are numbered in proc_pid_stat(5); the second is a name in parentheses that may hold anything.
fn parse(text: &str) -> Option<Stat> {
    let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    Some(Stat {
        is_dead: matches!(field(3)?, "Z" | "X"),
        session: field(6)?.parse().ok()?,
        started: field(22)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let rest = "1 7 9 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 12345 99 1";
        for name in ["(sh)", "(a) Z 1 (b)", "(\n)"] {
            let seen = parse(&format!("7 {name} S {rest}\n"));
            assert_eq!(seen, Some(Stat { is_dead: false, session: 9, started: 12345 }), "{name}");
        }
        assert!(parse(&format!("7 (sh) Z {rest}\n")).unwrap().is_dead);
        for text in ["", "7 (sh) S 1", "7 (sh"] {
            assert_eq!(parse(text), None);
        }
    }

    #[test]
    fn a_number_alone_is_not_a_process() {
        let own = Process::own().unwrap();
        assert!(own.is_alive());
        let other = Process { started: own.started + 1, ..own };
        assert!(!other.is_alive());
        assert!(!other.signal(Signal::KILL).unwrap(), "we are still here");
        assert!(other.sweep_session());
    }
}
