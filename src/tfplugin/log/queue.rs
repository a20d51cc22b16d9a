//! Lines on their way to stderr, which may be full. Has a thread of its own.
#![expect(clippy::disallowed_methods, reason = "a log line tells the time")]

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::event::{PollFd, PollFlags, poll};
use serde_json::Map;
use tracing::Level;

use super::line::Line;

/// Some ten thousand lines. Who is further behind does not read at all.
const CAPACITY: usize = 2 << 20;

/// A bounded queue. What does not fit is dropped and counted.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: String,
    writing: bool,
    dropped: u64,
    broken: bool,
}

impl Queue {
    /// Starts the thread that writes to stderr. It ends with the process.
    pub(super) fn start(name: &str) -> io::Result<Arc<Self>> {
        let (queue, module) = (Arc::new(Self::default()), name.to_owned());
        let writer = Arc::clone(&queue);
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            // Not through a lock on stderr: a panic hook must not have to wait for it.
            while write_all(&io::stderr(), writer.next(&module).as_bytes()).is_ok() {}
            writer.lock().broken = true;
        })?;
        Ok(queue)
    }

    /// Adds a line, or drops it. Never waits for stderr.
    pub(super) fn push(&self, line: &str) {
        let mut state = self.lock();
        if state.broken {
            return;
        }
        if CAPACITY < state.waiting.len() + line.len() {
            state.dropped += 1;
            return;
        }
        state.waiting.push_str(line);
        self.changed.notify_all();
    }

    /// Waits until nothing is left, or for `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        let busy = |state: &mut State| {
            !state.broken && (state.writing || !state.waiting.is_empty() || state.dropped != 0)
        };
        // Whether the time was over makes no difference to the process, which ends.
        let _ = self.changed.wait_timeout_while(self.lock(), limit, busy);
    }

    /// Waits for lines and takes them all. The previous ones are written by then.
    fn next(&self, module: &str) -> String {
        let mut state = self.lock();
        state.writing = false;
        self.changed.notify_all();
        while state.waiting.is_empty() && state.dropped == 0 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.writing = true;
        let mut lines = std::mem::take(&mut state.waiting);
        if let dropped @ 1.. = std::mem::take(&mut state.dropped) {
            lines.push_str(&notice(dropped, module));
        }
        lines
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn unwritten(&self) -> String {
        self.lock().waiting.clone()
    }
}

fn notice(dropped: u64, module: &str) -> String {
    let line = Line {
        at: SystemTime::now(),
        level: Level::WARN,
        module: module.to_owned(),
        caller: None,
        message: "log lines were dropped, because nobody read stderr".to_owned(),
        fields: Map::from_iter([("lines".to_owned(), dropped.into())]),
    };
    line.render()
}

fn write_all(to: &impl AsFd, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => (),
            // Somebody who shares the descriptor made it non-blocking.
            Err(rustix::io::Errno::AGAIN) => {
                poll(&mut [PollFd::new(to, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let queue = Queue::default();
        let line = "x".repeat(CAPACITY / 4);
        for _ in 0..7 {
            queue.push(&line);
        }
        let lines = queue.next("ha");
        assert!(lines[4 * line.len()..].contains("\"lines\":3"));
        assert!(queue.unwritten().is_empty());
    }

    #[test]
    fn a_flush_without_a_reader_is_bounded() {
        let queue = Queue::default();
        queue.push("x");
        queue.flush(Duration::from_millis(1));
        assert_eq!(queue.unwritten(), "x");
    }
}
