//! Why and how the process ends. Listens to signals and watches the parent process.
#![expect(clippy::disallowed_methods, reason = "measures how long the end may take")]

use std::future::pending;
use std::io;
use std::thread;
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, getppid};
#[cfg(target_os = "linux")]
use rustix::process::{PidfdFlags, pidfd_open};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Lifecycle;

/// How often the parent is looked for where the kernel cannot tell of its end.
const PARENT_POLL: Duration = Duration::from_millis(500);
/// The thread that watches only waits.
const WATCH_STACK: usize = 64 << 10;

/// A reason to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client has no more calls.
    Shutdown,
    /// SIGTERM.
    Terminated,
    /// The parent is gone: nobody will call again, and nobody will end us.
    Orphaned,
    /// Ctrl-C in debug mode.
    Interrupted,
}

impl Ending {
    /// How long mutations may take to reach their next safe point.
    fn patience(self) -> Duration {
        match self {
            // The client kills two seconds after it has closed the connection.
            Self::Shutdown => Duration::from_millis(1500),
            Self::Terminated | Self::Orphaned | Self::Interrupted => Duration::from_mins(1),
        }
    }

    /// How long the answers that are on their way may take afterwards.
    pub(super) fn patience_with_answers(self) -> Duration {
        match self {
            Self::Shutdown | Self::Orphaned => Duration::from_millis(50),
            Self::Terminated | Self::Interrupted => Duration::from_secs(1),
        }
    }
}

/// Where reasons to end are told.
#[derive(Clone, Debug)]
pub(super) struct Endings(mpsc::UnboundedSender<Ending>);

/// Where they are heard.
#[derive(Debug)]
pub(super) struct Told(mpsc::UnboundedReceiver<Ending>);

pub(super) fn endings() -> (Endings, Told) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Endings(sender), Told(receiver))
}

impl Endings {
    pub(super) fn tell(&self, ending: Ending) {
        // Nobody hears it when the end has come already.
        let _ = self.0.send(ending);
    }
}

impl Told {
    /// Waits for a reason to end.
    pub(super) async fn next(&mut self) -> Ending {
        match self.0.recv().await {
            Some(ending) => ending,
            None => pending().await,
        }
    }

    /// Cancels all calls and waits, with a bound, until no mutation runs. A further reason may shorten the wait, and a
    /// second Ctrl-C ends it.
    pub(super) async fn settle(&mut self, first: Ending, lifecycle: &Lifecycle) {
        lifecycle.end();
        let mut deadline = Instant::now() + first.patience();
        loop {
            tokio::select! {
                () = lifecycle.idle() => return,
                () = sleep_until(deadline) => {
                    tracing::warn!("ending while an operation has not reached a safe point");
                    return;
                }
                next = self.next() => {
                    if (first, next) == (Ending::Interrupted, Ending::Interrupted) {
                        return;
                    }
                    deadline = deadline.min(Instant::now() + next.patience());
                }
            }
        }
    }
}

/// What Ctrl-C does. It reaches the whole process group, so a plugin gets it together with its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CtrlC {
    /// The client decides, and tells us by `StopProvider`.
    Ignored,
    /// There is nobody but the human at the keyboard.
    Ends,
}

/// Listens to signals from now on.
///
/// Handlers, and not the disposition "ignore": the latter would be inherited by every child. SIGPIPE needs none: Rust
/// ignores it in this process and restores it in children. A hangup says nothing new: if it ends the client, the
/// watch of the parent notices, and under nohup nobody is to end.
pub(super) fn listen(ctrl_c: CtrlC, endings: Endings) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    if ctrl_c == CtrlC::Ignored {
        // The handler stays in place although nobody looks at it.
        drop(signal(SignalKind::hangup())?);
    }
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => endings.tell(Ending::Terminated),
                _ = interrupt.recv() => if ctrl_c == CtrlC::Ends {
                    endings.tell(Ending::Interrupted);
                },
            }
        }
    });
    Ok(())
}

/// Tells when the parent process is gone. A client that was killed cannot end its plugins.
///
/// Not `PR_SET_PDEATHSIG`: its signal comes when the *thread* that started us ends, and the threads of a Go program
/// come and go. A thread of ours does the waiting, since tokio has no safe way to wait for such a descriptor.
pub(super) fn watch_parent(endings: Endings) -> io::Result<()> {
    // None: the parent lives in another pid namespace and cannot be looked at.
    let Some(parent) = getppid() else { return Ok(()) };
    let wait = move || {
        wait_for_exit(parent);
        endings.tell(Ending::Orphaned);
    };
    thread::Builder::new().name("parent".to_owned()).stack_size(WATCH_STACK).spawn(wait)?;
    Ok(())
}

/// Waits on a descriptor that becomes readable when the process ends, and falls back to looking now and then: kernels
/// before 5.3, some container runtimes and other systems have no such descriptor.
fn wait_for_exit(process: Pid) {
    #[cfg(target_os = "linux")]
    if let Ok(exit) = pidfd_open(process, PidfdFlags::empty()) {
        // Asked in every round: it may have ended before the descriptor was opened, and a wait may be interrupted.
        while getppid() == Some(process) {
            let waited = poll(&mut [PollFd::new(&exit, PollFlags::IN)], None);
            if waited.is_err_and(|it| it != rustix::io::Errno::INTR) {
                break;
            }
        }
    }
    while getppid() == Some(process) {
        thread::sleep(PARENT_POLL);
    }
}
