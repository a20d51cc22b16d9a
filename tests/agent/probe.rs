//! `ha-agent probe`, as keepalived starts it.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn probe(socket: &Path, limit: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ha-agent"));
    command.args(["probe", "--limit", limit, "--socket"]).arg(socket);
    command.output().unwrap()
}

/// Answers once, in pieces.
fn answer_with(socket: &Path, pieces: &'static [&'static str]) -> std::thread::JoinHandle<()> {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 64];
        let length = stream.read(&mut asked).unwrap();
        assert_eq!(&asked[..length], b"GET /alive HTTP/1.0\r\n\r\n");
        for piece in pieces {
            stream.write_all(piece.as_bytes()).unwrap();
        }
    })
}

#[test]
fn a_proxy_that_says_so_is_alive() {
    let folder = tempfile::tempdir().unwrap();
    for (at, (pieces, alive)) in [
        (&["HTTP/1.1 200 OK\r\n\r\n"][..], true),
        (&["HTTP/1", ".1 200", " OK\r\nconnection: close\r\n\r\n", "alive"][..], true),
        (&["HTTP/1.1 503 Service Unavailable\r\n\r\n"][..], false),
        (&[][..], false),
    ]
    .into_iter()
    .enumerate()
    {
        let socket = folder.path().join(format!("{at}.sock"));
        let server = answer_with(&socket, pieces);
        let output = probe(&socket, "20000");
        server.join().unwrap();
        assert_eq!(output.status.success(), alive, "{output:?}");
        assert_eq!(output.stderr.is_empty(), alive, "{output:?}");
    }
}

#[test]
fn a_proxy_that_is_gone_or_hangs_is_not_alive() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("x.sock");
    let output = probe(&socket, "20000");
    assert!(!output.status.success(), "there is none: {output:?}");

    // It is there, and takes no connection: as one that was stopped by a signal.
    let listener = UnixListener::bind(&socket).unwrap();
    let began = Instant::now();
    let output = probe(&socket, "200");
    assert!(!output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("x.sock"), "{output:?}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    drop(listener);
    let output = probe(&socket, "20000");
    assert!(!output.status.success(), "nobody listens there any more: {output:?}");
}
