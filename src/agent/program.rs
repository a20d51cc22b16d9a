//! Runs a program with an argument vector: no shell, no environment of ours, a limit of time and of output.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::fault::Fault;

/// Where programs of the system lie.
pub(super) const DIRECTORIES: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// Of each output so much is kept.
const KEPT: usize = 1 << 20;

/// What to run.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) input: Bytes,
    pub(super) limit: Duration,
    /// It is killed once it has written this. Empty: it ends by itself.
    pub(super) until: Bytes,
    /// Becomes true when the agent ends. Absent: what runs is better waited for.
    pub(super) ending: Option<watch::Receiver<bool>>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) truncated: bool,
}

impl Ended {
    /// # Errors
    /// It did not end with 0.
    pub(super) fn success(self, doing: &str) -> Result<Self, Fault> {
        if self.status.success() {
            return Ok(self);
        }
        let stderr = String::from_utf8_lossy(&self.stderr);
        let stderr: String = stderr.trim().chars().take(2000).collect();
        Err(Fault::Refused(format!("cannot {doing}: {}: {stderr}", describe(self.status))))
    }
}

/// How a process ended, for people.
pub(super) fn describe(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("ended by signal {signal}"),
        None => format!("exit status {}", status.code().unwrap_or_default()),
    }
}

/// Finds a program of the system by its name.
pub(super) fn find(name: &str) -> Result<PathBuf, Fault> {
    let found = DIRECTORIES.iter().map(|it| Path::new(it).join(name)).find(|it| is_there(it));
    found.ok_or_else(|| Fault::Refused(format!("the program {name} is not installed")))
}

fn is_there(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Runs it and waits. It and its children are killed when the time is over or the agent ends.
pub(super) async fn run(call: Call) -> Result<Ended, Fault> {
    let name = call.program.display().to_string();
    let failed = |doing: &str| Fault::failed(format!("{doing} {name}"));
    let mut child = Command::new(&call.program)
        .args(&call.arguments)
        .env_clear()
        .envs([("PATH", DIRECTORIES.join(":").as_str()), ("LC_ALL", "C.UTF-8")])
        .current_dir("/")
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed("start"))?;
    let group = child.id().and_then(|it| Pid::from_raw(it.cast_signed()));
    let (input, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut input) = input {
            // A program that does not read all of it says what it wants by its status.
            let _ = input.write_all(&call.input).await;
        }
    };
    let written = Notify::new();
    let work = async {
        let until = (&call.until[..], &written);
        let (status, (), stdout, stderr) =
            tokio::join!(child.wait(), feed, keep(stdout, until), keep(stderr, until));
        status.map(|status| (status, stdout, stderr))
    };
    // Its end is for whoever waits for it.
    let has_written = async {
        written.notified().await;
        kill(group);
        std::future::pending::<Infallible>().await
    };
    let stopped = tokio::select! {
        done = timeout(call.limit, work) => match done {
            Ok(done) => {
                let (status, stdout, stderr) = done.map_err(failed("wait for"))?;
                let truncated = stdout.1 || stderr.1;
                return Ok(Ended { status, stdout: stdout.0, stderr: stderr.0, truncated });
            }
            Err(_) => Fault::Refused(format!("{name} took longer than {:?} and was ended", call.limit)),
        },
        never = has_written => match never {},
        () = ended(call.ending) => Fault::Refused(format!("{name} was ended, as the agent ends")),
    };
    kill(group);
    // Its end is waited for, so that nothing of it runs when the lock is free.
    let _ = timeout(Duration::from_secs(5), child.wait()).await;
    Err(stopped)
}

fn kill(group: Option<Pid>) {
    if let Some(group) = group {
        // It may be gone already.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Waits for the end of the agent; without a way to hear of it for ever.
pub(super) async fn ended(ending: Option<watch::Receiver<bool>>) {
    let Some(mut ending) = ending else { return std::future::pending().await };
    // The sender lives as long as the agent.
    if ending.wait_for(|it| *it).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Reads to the end and keeps the first part, in which a text may be looked for. True when there was more.
async fn keep(
    stream: Option<impl AsyncRead + Unpin>,
    (until, written): (&[u8], &Notify),
) -> (Vec<u8>, bool) {
    let Some(mut stream) = stream else { return (Vec::new(), false) };
    let mut kept = Vec::new();
    let mut first = (&mut stream).take(KEPT as u64);
    // What was read before a fault is worth more than the fault.
    while let Ok(1..) = first.read_buf(&mut kept).await {
        if !until.is_empty() && kept.windows(until.len()).any(|it| it == until) {
            written.notify_one();
        }
    }
    let more = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    (kept, more.is_ok_and(|it| it > 0))
}

/// A program in a directory of ours: a regular file that only its owner, root or ourselves, can have written.
pub(super) fn vouch(directory: std::os::fd::BorrowedFd<'_>, name: &str) -> Result<(), Fault> {
    use rustix::fs::{AtFlags, FileType, statat};

    let failed = Fault::failed::<rustix::io::Errno>;
    let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(failed(format!("look at the program {name}")))?;
    let above =
        rustix::fs::fstat(directory.as_fd()).map_err(failed("look at its directory".to_owned()))?;
    let own = rustix::process::geteuid().as_raw();
    let is_safe = |mode: u32, user: u32| mode & 0o022 == 0 && (user == 0 || user == own);
    if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && is_safe(stat.st_mode, stat.st_uid)
        && is_safe(above.st_mode, above.st_uid)
    {
        return Ok(());
    }
    Err(Fault::Refused(format!("the program {name} can be written by others, or is no file")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &[&str], input: &'static [u8]) -> Call {
        Call {
            program: find(name).unwrap(),
            arguments: arguments.iter().map(OsString::from).collect(),
            input: Bytes::from_static(input),
            limit: Duration::from_secs(20),
            until: Bytes::new(),
            ending: None,
        }
    }

    #[tokio::test]
    async fn arguments_and_input_arrive_unchanged() {
        let hostile = "a b'\"$(id);\n\\";
        let ended = run(call("printf", &["%s", hostile], b"")).await.unwrap();
        assert_eq!(ended.stdout, hostile.as_bytes());
        let ended = run(call("cat", &[], b"\0\xff\n")).await.unwrap();
        assert_eq!((&ended.stdout[..], ended.truncated), (&b"\0\xff\n"[..], false));
    }

    #[tokio::test]
    async fn a_failure_has_its_status_and_text() {
        let ended = run(call("cat", &["/nonexistent"], b"")).await.unwrap();
        let text = ended.success("read it").unwrap_err().to_string();
        let wanted = "cannot read it: exit status 1: ";
        assert!(text.starts_with(wanted) && text.ends_with("No such file or directory"), "{text}");
    }

    #[tokio::test]
    async fn what_takes_too_long_is_ended() {
        let call = Call { limit: Duration::from_millis(50), ..call("sleep", &["60"], b"") };
        let text = run(call).await.unwrap_err().to_string();
        assert!(text.ends_with("sleep took longer than 50ms and was ended"), "{text}");
    }

    #[tokio::test]
    async fn what_runs_when_the_agent_ends_is_ended() {
        let ending = watch::Sender::new(false);
        let call = Call { ending: Some(ending.subscribe()), ..call("sleep", &["60"], b"") };
        let running = tokio::spawn(run(call));
        tokio::task::yield_now().await;
        ending.send_replace(true);
        let text = running.await.unwrap().unwrap_err().to_string();
        assert!(text.ends_with("sleep was ended, as the agent ends"), "{text}");
    }

    #[tokio::test]
    async fn what_has_written_what_is_waited_for_is_ended() {
        let call = Call {
            until: Bytes::from_static(b"ready"),
            ..call("sh", &["-c", "printf 'is rea'; printf dy; exec sleep 60"], b"")
        };
        let ended = run(call).await.unwrap();
        assert_eq!((&ended.stdout[..], ended.status.signal()), (&b"is ready"[..], Some(9)));
        // One that ends before has its status.
        let call = Call {
            until: Bytes::from_static(b"ready"),
            ..self::call("sh", &["-c", "echo no; exit 3"], b"")
        };
        assert_eq!(run(call).await.unwrap().status.code(), Some(3));
    }

    #[tokio::test]
    async fn output_without_end_is_cut() {
        let ended = run(call("head", &["-c", "3000000", "/dev/zero"], b"")).await.unwrap();
        assert_eq!((ended.stdout.len(), ended.truncated), (KEPT, true));
    }
}
