//! The standard input and output of the agent, as one stream that owns its SSH session.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::fault::{Status, printable, said};
use super::session::Session;

/// The most of stderr that is kept: its end.
const KEPT: usize = 16 << 10;
/// Extended data of this kind is stderr, RFC 4254 section 5.2.
const STDERR: u32 = 1;

/// What a program said beside its output.
#[derive(Debug, Default)]
pub(super) struct Said {
    stderr: Tail,
    status: Status,
}

/// The end of a text that may be long.
#[derive(Debug, Default)]
pub(super) struct Tail {
    kept: Vec<u8>,
    total: usize,
}

/// The stream. An error of reading is a [`Finished`].
pub(super) struct Stdio {
    next: Next,
    left: Bytes,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
    said: Said,
    is_over: bool,
    session: Session,
}

/// Waits for a message, and gives the channel back with it.
type Next = Pin<Box<dyn Future<Output = (ChannelReadHalf, Option<ChannelMsg>)> + Send>>;

/// How the agent, or the session with its host, came to an end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finished {
    status: Status,
    /// Why the session ended, if it was not the agent.
    cause: Option<String>,
    stderr: String,
}

impl Said {
    /// Takes note of what is neither output nor an end.
    pub(super) fn note(&mut self, message: &ChannelMsg) {
        match message {
            ChannelMsg::ExtendedData { data, ext: STDERR } => {
                self.stderr.push(data);
            }
            ChannelMsg::ExitStatus { exit_status } => self.status = Status::Exit(*exit_status),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                self.status = Status::Signal(format!("{signal_name:?}"));
            }
            _ => (),
        }
    }

    /// What it wrote to stderr.
    pub(super) fn stderr(&self) -> &Tail {
        &self.stderr
    }

    pub(super) fn status(&self) -> Status {
        self.status.clone()
    }
}

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(bytes.len());
        self.kept.extend_from_slice(bytes);
        let surplus = self.kept.len().saturating_sub(KEPT);
        self.kept.drain(..surplus);
    }

    pub(super) fn text(&self) -> String {
        printable(&self.kept)
    }

    pub(super) fn ends_with(&self, text: &[u8]) -> bool {
        self.kept.ends_with(text)
    }

    /// Bytes so far, with those that are not kept.
    pub(super) fn total(&self) -> usize {
        self.total
    }
}

impl Stdio {
    /// `left` was read already. The session ends with this.
    pub(super) fn new(
        session: Session,
        read: ChannelReadHalf,
        write: &ChannelWriteHalf<Msg>,
        left: Bytes,
        said: Said,
    ) -> Self {
        let writer = Box::pin(write.make_writer());
        Self { next: next(read), left, writer, said, is_over: false, session }
    }

    /// A clean end, or an error that tells what happened. Whoever ends in order closes the channel.
    fn finish(&mut self, is_closed: bool) -> io::Result<()> {
        self.is_over = true;
        let status = self.said.status();
        if status == Status::Exit(0) {
            return Ok(());
        }
        let is_lost = !is_closed && status == Status::Untold;
        let cause = is_lost.then(|| self.session.seen.cause());
        let finished = Finished { status, cause, stderr: self.said.stderr().text() };
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, finished))
    }
}

fn next(mut read: ChannelReadHalf) -> Next {
    Box::pin(async move {
        let message = read.wait().await;
        (read, message)
    })
}

impl AsyncRead for Stdio {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if !self.left.is_empty() {
                let count = self.left.len().min(buffer.remaining());
                buffer.put_slice(&self.left[..count]);
                self.left.advance(count);
                return Poll::Ready(Ok(()));
            }
            if self.is_over {
                return Poll::Ready(Ok(()));
            }
            let (read, message) = ready!(self.next.as_mut().poll(cx));
            match message {
                None => return Poll::Ready(self.finish(false)),
                Some(ChannelMsg::Close) => return Poll::Ready(self.finish(true)),
                Some(ChannelMsg::Data { data }) => self.left = data,
                Some(message) => self.said.note(&message),
            }
            self.next = next(read);
        }
    }
}

impl AsyncWrite for Stdio {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // The library takes it for an error.
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.writer.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_shutdown(cx)
    }
}

impl std::error::Error for Finished {}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => write!(f, "the SSH session was lost: {cause}")?,
            None => write!(f, "the agent ended{}", self.status)?,
        }
        f.write_str(&said(&self.stderr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stderr(text: &'static [u8]) -> ChannelMsg {
        ChannelMsg::ExtendedData { data: Bytes::from_static(text), ext: STDERR }
    }

    #[test]
    fn the_end_of_stderr_is_kept_and_the_exit_status() {
        let mut said = Said::default();
        said.note(&ChannelMsg::ExtendedData { data: vec![b'x'; 2 * KEPT].into(), ext: STDERR });
        said.note(&stderr(b"the end\n"));
        said.note(&ChannelMsg::ExtendedData { data: Bytes::from_static(b"other"), ext: 2 });
        assert_eq!(said.stderr().text().len(), KEPT);
        assert_eq!(said.stderr().total(), 2 * KEPT + 8);
        assert!(said.stderr().ends_with(b"the end\n"));
        assert_eq!(said.status(), Status::Untold);
        said.note(&ChannelMsg::ExitStatus { exit_status: 3 });
        assert_eq!(said.status(), Status::Exit(3));
    }

    #[test]
    fn an_end_is_told_with_its_cause() {
        let check = |status, cause: Option<&str>, stderr: &str, expected| {
            let finished =
                Finished { status, cause: cause.map(String::from), stderr: stderr.to_owned() };
            assert_eq!(finished.to_string(), expected);
        };
        check(
            Status::Exit(1),
            None,
            "no heartbeat\n",
            "the agent ended with status 1: no heartbeat",
        );
        check(Status::Signal("KILL".to_owned()), None, "", "the agent ended by signal KILL");
        check(Status::Untold, None, "", "the agent ended");
        check(
            Status::Untold,
            Some("Keepalive timeout"),
            "",
            "the SSH session was lost: Keepalive timeout",
        );
    }
}
