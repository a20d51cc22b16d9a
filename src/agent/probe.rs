//! Asks the proxy on this host whether it is alive, for keepalived: whoever has no living proxy gives the virtual IP
//! away. Asks nothing about what is behind the proxy: when that is down everywhere, the address must not wander.
#![expect(clippy::disallowed_methods, reason = "asks over a socket, within a time by the clock")]

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::options::Probe;

/// The head of an answer; more is not read.
const MOST: u64 = 1024;

/// Whether it has answered in time that it is alive.
pub(super) fn probe(wish: &Probe) -> io::Result<()> {
    let (said, heard) = mpsc::channel();
    let (socket, limit) = (wish.socket.clone(), wish.limit);
    // To connect to a socket whose queue is full waits for ever, and has no limit of its own. The thread ends with the
    // process.
    thread::spawn(move || said.send(ask(&socket, limit)));
    let answer = heard.recv_timeout(limit);
    let answer = answer.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
    let text = answer.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot ask {}: {error}", wish.socket.display()))
    })?;
    if is_alive(&text) {
        return Ok(());
    }
    let line = String::from_utf8_lossy(text.split(|it| *it == b'\r').next().unwrap_or_default());
    Err(io::Error::other(format!("the proxy is not alive, it says {line:?}")))
}

fn ask(socket: &Path, limit: Duration) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    stream.write_all(b"GET /alive HTTP/1.0\r\n\r\n")?;
    let mut text = Vec::new();
    stream.take(MOST).read_to_end(&mut text)?;
    Ok(text)
}

/// From a status line: `HTTP/1.1 200 OK`.
fn is_alive(text: &[u8]) -> bool {
    let line = text.split(|it| *it == b'\n').next().unwrap_or_default();
    let mut words = line.split(|it| *it == b' ');
    words.next().is_some_and(|it| it.starts_with(b"HTTP/1.")) && words.next() == Some(b"200")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_status_counts() {
        for text in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 \r\n"] {
            assert!(is_alive(text.as_bytes()), "{text}");
        }
        for text in
            ["", "200", "HTTP/1.1 503 Service Unavailable\r\n", "HTTP/1.1 2000 x", "x 200 HTTP/1.1"]
        {
            assert!(!is_alive(text.as_bytes()), "{text}");
        }
    }
}
