//! The streams below SSH: TCP without its delays, and an end that comes when the owner lets go.
#![expect(clippy::disallowed_methods, reason = "connects to hosts")]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// The first answers of a session are what delayed acknowledgements hold up. Later ones are acknowledged by our own data.
const PROMPT_READS: u32 = 64;

/// TCP that sends at once, and acknowledges at once while a session begins.
///
/// sshd leaves Nagle's algorithm on for sessions without a terminal, so its small messages after the login wait for our
/// acknowledgement, which the kernel would delay by 40 ms. Linux forgets the option, so it is set again after each read.
pub(super) struct Prompt {
    tcp: TcpStream,
    reads: u32,
}

impl Prompt {
    /// Connects to the first address of the host that answers.
    pub(super) async fn dial(host: &str, port: u16) -> io::Result<Self> {
        let tcp = TcpStream::connect((host, port)).await?;
        tcp.set_nodelay(true)?;
        Ok(Self { tcp, reads: 0 })
    }

    fn acknowledge(&mut self) {
        if self.reads < PROMPT_READS {
            self.reads += 1;
            // Without it things only take longer.
            #[cfg(target_os = "linux")]
            let _ = rustix::net::sockopt::set_tcp_quickack(&self.tcp, true);
        }
    }
}

impl AsyncRead for Prompt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buffer))?;
        self.acknowledge();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// A stream that ends as soon as its [`Leash`] is dropped, whatever the task that reads it waits for.
///
/// The SSH library runs a session in a task of its own, which goes on while there is something to send: without this it
/// would outlive a peer that takes nothing any more.
pub(super) struct Leashed<S, B> {
    stream: S,
    /// None: dropped.
    leash: Option<oneshot::Receiver<()>>,
    /// What carries the stream, and ends with it.
    _below: B,
}

/// Keeps a stream alive.
#[derive(Debug)]
pub(super) struct Leash {
    _owner: oneshot::Sender<()>,
}

impl<S, B> Leashed<S, B> {
    pub(super) fn new(stream: S, below: B) -> (Self, Leash) {
        let (owner, leash) = oneshot::channel();
        (Self { stream, leash: Some(leash), _below: below }, Leash { _owner: owner })
    }

    fn is_free(&mut self, cx: &mut Context<'_>) -> bool {
        if self.leash.as_mut().is_none_or(|it| Pin::new(it).poll(cx).is_ready()) {
            self.leash = None;
        }
        self.leash.is_none()
    }
}

fn let_go() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the session was given up")
}

impl<S: AsyncRead + Unpin, B: Unpin> AsyncRead for Leashed<S, B> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_free(cx) {
            return Poll::Ready(Err(let_go()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin, B: Unpin> AsyncWrite for Leashed<S, B> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_free(cx) {
            return Poll::Ready(Err(let_go()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_free(cx) {
            // A farewell might have to wait, and dropping the stream closes it as well.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn a_stream_ends_with_its_leash_also_while_somebody_waits_for_it() {
        let (near, mut far) = duplex(64);
        let (mut stream, leash) = Leashed::new(near, ());
        far.write_all(b"a").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'a');
        stream.write_all(b"b").await.unwrap();
        let waiting = tokio::spawn(async move {
            let read = stream.read_u8().await;
            (read.map_err(|it| it.kind()), stream.write_all(b"c").await.map_err(|it| it.kind()))
        });
        tokio::task::yield_now().await;
        drop(leash);
        let gone = io::ErrorKind::BrokenPipe;
        assert_eq!(waiting.await.unwrap(), (Err(gone), Err(gone)));
    }
}
