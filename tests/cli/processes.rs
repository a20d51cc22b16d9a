//! Processes from the outside: waiting for them, and finding those that they started.

use std::fs;
use std::io::Read;
use std::process::{Child, Output};
use std::thread;
use std::time::{Duration, Instant};

/// No wait is longer. Generous, for a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(30);

/// Waits until `condition` gives an answer, with a bound.
#[track_caller]
pub(crate) fn until<T>(what: &str, condition: impl Fn() -> Option<T>) -> T {
    until_within(LIMIT, what, condition)
}

/// The same, with a bound of its own.
#[track_caller]
pub(crate) fn until_within<T>(limit: Duration, what: &str, condition: impl Fn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = condition() {
            return answer;
        }
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A running engine whose output is read all the time.
pub(crate) struct Running {
    child: Child,
    readers: [thread::JoinHandle<Vec<u8>>; 2],
}

impl Running {
    pub(crate) fn new(mut child: Child) -> Self {
        let readers = [reader(child.stdout.take().unwrap()), reader(child.stderr.take().unwrap())];
        Self { child, readers }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, with a bound.
    #[track_caller]
    pub(crate) fn end(self) -> Output {
        self.end_within(LIMIT)
    }

    /// The same, with a bound of its own.
    #[track_caller]
    pub(crate) fn end_within(self, limit: Duration) -> Output {
        let Self { child, readers } = self;
        let status = ended_within(limit, child);
        let [stdout, stderr] = readers.map(|it| it.join().unwrap());
        Output { status, stdout, stderr }
    }
}

/// Waits for the end of a process, with a bound, after which it is killed.
#[track_caller]
pub(crate) fn ended(child: Child) -> std::process::ExitStatus {
    ended_within(LIMIT, child)
}

#[track_caller]
fn ended_within(limit: Duration, mut child: Child) -> std::process::ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if limit < began.elapsed() {
            child.kill().unwrap();
            panic!("the engine did not end within {limit:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn reader(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut read = Vec::new();
        pipe.read_to_end(&mut read).unwrap();
        read
    })
}

/// The processes that `parent` started and that still run.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| status(*pid).is_some_and(|it| it.parent == parent)).collect()
}

/// Whether a process has ended; one that nobody has waited for yet counts as ended.
pub(crate) fn is_gone(pid: u32) -> bool {
    status(pid).is_none_or(|it| it.is_zombie)
}

struct Status {
    parent: u32,
    is_zombie: bool,
}

fn status(pid: u32) -> Option<Status> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, also spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let is_zombie = fields.next()? == "Z";
    Some(Status { parent: fields.next()?.parse().ok()?, is_zombie })
}
