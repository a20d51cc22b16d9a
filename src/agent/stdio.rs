//! Standard input and output as one stream that nothing else in the process can touch.
#![expect(clippy::disallowed_methods, reason = "opens /dev/null")]

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;

use rustix::fs::{FileType, fstat};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio::{dup2_stdin, dup2_stdout, stdin, stdout};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

/// Numbers below are those of standard input, output and error.
const FIRST_OTHER: i32 = 3;

pub(super) type Reader = Pin<Box<dyn AsyncRead + Send>>;
pub(super) type Writer = Pin<Box<dyn AsyncWrite + Send>>;

/// Moves both away and leaves `/dev/null` in their places, so that no child and no stray print speaks to the client.
pub(super) fn take() -> io::Result<(OwnedFd, OwnedFd)> {
    let input = fcntl_dupfd_cloexec(stdin(), FIRST_OTHER)?;
    let output = fcntl_dupfd_cloexec(stdout(), FIRST_OTHER)?;
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    Ok((input, output))
}

/// sshd gives a socket, sudo with a terminal of its own and a parent process give pipes. Anything else is a human, or
/// a mistake.
pub(super) fn streams(input: OwnedFd, output: OwnedFd) -> io::Result<(Reader, Writer)> {
    let reader: Reader = match kind(&input)? {
        FileType::Socket => Box::pin(socket(input)?),
        FileType::Fifo => Box::pin(pipe::Receiver::from_owned_fd(input)?),
        _ => return Err(io::Error::other("standard input is neither a socket nor a pipe")),
    };
    let writer: Writer = match kind(&output)? {
        FileType::Socket => Box::pin(socket(output)?),
        FileType::Fifo => Box::pin(pipe::Sender::from_owned_fd(output)?),
        _ => return Err(io::Error::other("standard output is neither a socket nor a pipe")),
    };
    Ok((reader, writer))
}

fn kind(stream: &OwnedFd) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(fstat(stream)?.st_mode))
}

fn socket(stream: OwnedFd) -> io::Result<UnixStream> {
    let stream = std::os::unix::net::UnixStream::from(stream);
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}
