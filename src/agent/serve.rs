//! Brings the agent up on its standard input and output, and ends it.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt as _;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::change::Host;
use super::life::Life;
use super::lock::Locks;
use super::options::{self, Options, USAGE, Wish};
use super::place::Root;
use super::rpc::{FORMAT, MESSAGE_LIMIT, Rpc};
use super::{backup, probe, stdio, supervise};
use crate::proto::agent::agent_server::AgentServer;

/// A partition frees the locks within twice this. sshd by itself would keep the connection for hours.
const PING: Duration = Duration::from_secs(2);
/// The defaults of HTTP/2 make a slow upload over a long way.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 2 << 20;

/// Runs the agent as its command line says, to its end.
pub fn run() -> ExitCode {
    let ended = match options::parse(std::env::args_os().skip(1)) {
        Some(Wish::Serve(options)) => serve(&options),
        Some(Wish::Supervise(wish)) => supervise::supervise(&wish),
        Some(Wish::Launch(wish)) => Err(supervise::launch(&wish)),
        Some(Wish::Probe(wish)) => probe::probe(&wish),
        Some(Wish::Backup(wish)) => backup::stay(&wish),
        Some(Wish::Version) => {
            writeln!(io::stdout(), "ha-agent {} format {FORMAT}", env!("CARGO_PKG_VERSION"))
        }
        None => {
            tell(USAGE);
            return ExitCode::from(2);
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("ha-agent: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn tell(text: &str) {
    // There is nobody else to tell.
    let _ = io::stderr().write_all(text.as_bytes());
}

fn serve(options: &Options) -> io::Result<()> {
    let (input, output) = stdio::take()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let root = Root::open(options.root.as_deref()).map_err(io::Error::other)?;
        let (reader, mut writer) = stdio::streams(input, output)?;
        let hello = format!("ha-agent {} {FORMAT}\n", options.nonce);
        writer.write_all(hello.as_bytes()).await?;
        writer.flush().await?;
        let (root, locks, life) = (Arc::new(root), Locks::default(), Life::new());
        let host = Arc::new(Host { root, locks, life });
        let ended = live(Arc::clone(&host), options.silence, tokio::io::join(reader, writer)).await;
        host.locks.tell_end();
        host.life.end().await;
        ended
    });
    // What still reads is not waited for.
    runtime.shutdown_background();
    ended
}

/// Serves until the client is gone, is silent for too long, or somebody ends the process.
async fn live(
    host: Arc<Host>,
    silence: Duration,
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    // A handler that nobody looks at: Ctrl-C reaches the whole group of a terminal, and the client decides.
    let _interrupt = signal(SignalKind::interrupt())?;
    let _hangup = signal(SignalKind::hangup())?;
    let service = AgentServer::new(Rpc::new(Arc::clone(&host)))
        .max_decoding_message_size(MESSAGE_LIMIT)
        .max_encoding_message_size(MESSAGE_LIMIT);
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::select! {
        // However it ended, there is no client any more.
        _ = connection => Ok(()),
        () = host.life.silence(silence) => {
            Err(io::Error::other(format!("no heartbeat for {silence:?}")))
        }
        _ = terminate.recv() => Ok(()),
    }
}
