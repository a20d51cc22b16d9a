//! The process contract of a plugin: how Terraform and OpenTofu start it, call it and end it.
//!
//! [`run`] is all that a binary needs. The client sets a cookie and its one-time certificate in the environment; the
//! plugin binds a unix socket, prints one line about it to stdout, and serves gRPC until it is asked to shut down.
//!
//! # Guarantees
//! - Nobody but the client that started the process can call it, unless that client switched TLS off.
//! - Nothing is written to stdout after the handshake line, and a full stderr blocks nothing.
//! - Ctrl-C does not end the process in the middle of an operation: the client tells by `StopProvider`.
//! - The process does not outlive its parent, except to let running mutations reach a safe point.
//!
//! # Caveats
//! Only unix: elsewhere go-plugin wants a TCP port, which every local user can reach.

#[cfg(not(unix))]
compile_error!("a plugin is served on a unix socket; TCP, for other systems, is not written yet");

mod connections;
mod debug;
mod handshake;
mod lifecycle;
mod process;
mod running;
mod services;
mod side_services;
mod socket;
mod tls;
mod usage;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, iter};

use tokio::runtime;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::connections::Connections;
use self::handshake::{Offer, Refusal};
pub use self::lifecycle::{Lifecycle, Mutation};
use self::process::CtrlC;
use self::running::Running;
use self::services::Services;
use self::socket::{Socket, SocketError};
use self::tls::TlsError;
use self::usage::Wanted;
use crate::proto::tfplugin6::provider_server::Provider;
use crate::tfplugin::log;

/// One call may compute while others are answered. Waiting needs no thread.
const WORKERS: usize = 2;
/// How long the last log lines may take. A client that still wants them reads without pause.
const LOG_FLUSH: Duration = Duration::from_millis(50);

/// Who the provider is.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The full source address with its host, as in `example.com/terraform-ha/ha`.
    pub address: &'static str,
    /// The name after `terraform-provider-`, as in `ha`. `TF_LOG_PROVIDER_HA` has it in upper case.
    pub name: &'static str,
    /// The version, without a `v`.
    pub version: &'static str,
}

/// Does what arguments and environment ask for, and answers with the exit code of the process.
///
/// `make` builds the provider. It runs before the client is told where to call, so it must be quick and must not
/// touch the network: Terraform starts a process several times per run.
///
/// # Errors
/// A failed start is told in the first line of stdout, which the client shows to the user, and on stderr.
pub fn run<P: Provider>(about: &About, make: impl FnOnce(Lifecycle) -> P) -> ExitCode {
    let arguments = env::args_os().skip(1).map(|it| it.to_string_lossy().into_owned());
    let mode = match usage::wanted(arguments) {
        Wanted::Serve => match handshake::offer(environment) {
            Ok(offer) => Mode::Plugin(offer),
            Err(Refusal::StartedByHand) => return failure(&[], &usage::help(about)),
            Err(refusal) => return cannot_start(&refusal),
        },
        Wanted::Debug => Mode::Debug,
        Wanted::Version => return success(&usage::version(about)),
        Wanted::Help => return success(&usage::help(about)),
        Wanted::Unknown(argument) => return failure(&[], &usage::unknown(about, &argument)),
    };
    log::catch_panics();
    let logs = log::start(about.name, environment);
    let ended = served(about, mode, make);
    logs.flush(LOG_FLUSH);
    ended.map_or_else(|error| cannot_start(&error), |()| ExitCode::SUCCESS)
}

/// Who calls.
enum Mode {
    Plugin(Offer),
    Debug,
}

/// Why serving did not begin.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("cannot start the threads of the provider")]
    Runtime(#[source] io::Error),
    #[error("cannot listen to signals")]
    Signals(#[source] io::Error),
    #[error("cannot watch the parent process")]
    Watch(#[source] io::Error),
    #[error("cannot secure the connection to the client")]
    Tls(#[from] TlsError),
    #[error("cannot make a place to be called at")]
    Socket(#[from] SocketError),
    #[error("cannot tell the client where to call")]
    Announce(#[source] io::Error),
}

fn served<P: Provider>(
    about: &About,
    mode: Mode,
    make: impl FnOnce(Lifecycle) -> P,
) -> Result<(), StartError> {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name(about.name)
        .enable_all()
        .build()
        .map_err(StartError::Runtime)?;
    let ended = runtime.block_on(serve(about, mode, make));
    // A task that blocks must not keep the process.
    runtime.shutdown_background();
    ended
}

async fn serve<P: Provider>(
    about: &About,
    mode: Mode,
    make: impl FnOnce(Lifecycle) -> P,
) -> Result<(), StartError> {
    let (endings, mut told) = process::endings();
    let ctrl_c = if matches!(mode, Mode::Debug) { CtrlC::Ends } else { CtrlC::Ignored };
    process::listen(ctrl_c, endings.clone()).map_err(StartError::Signals)?;

    let (socket, listener, tls, announcement) = match mode {
        Mode::Plugin(mut offer) => {
            process::watch_parent(endings.clone()).map_err(StartError::Watch)?;
            let (dir, group) = (offer.socket_dir.take(), offer.socket_group.as_deref());
            let (socket, listener) = Socket::bind(about.name, dir, group)?;
            let tls = offer.client_certificate.take().map(tls::only_for).transpose()?;
            let certificate = tls.as_ref().map(|it| &*it.certificate);
            let line = handshake::line(&offer, socket.path(), certificate);
            (socket, listener, tls.map(|it| it.acceptor), line)
        }
        Mode::Debug => {
            let (socket, listener) = Socket::bind(about.name, None, None)?;
            let text = debug::reattach(about, std::process::id(), socket.path());
            (socket, listener, None, text)
        }
    };

    let lifecycle = Lifecycle::default();
    let (open, draining) = (Running::default(), CancellationToken::new());
    let services = Services::new(make(lifecycle.clone()), endings, &draining);
    let (all_closed, drain) = (open.clone(), draining.clone());
    tokio::spawn(Connections { services, tls, open, draining }.accept(listener));
    announce(&announcement).map_err(StartError::Announce)?;

    let ending = told.next().await;
    tracing::debug!(?ending, "the provider ends");
    told.settle(ending, &lifecycle).await;
    drain.cancel();
    let _ = timeout(ending.patience_with_answers(), all_closed.none()).await;
    drop(socket);
    Ok(())
}

/// The first and last time that stdout is written to: a client may stop reading it, and then a write would block.
fn announce(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn environment(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn success(text: &str) -> ExitCode {
    announce(text).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// A client shows the first line of stdout to its user; stderr goes to its log.
fn cannot_start(error: &dyn Error) -> ExitCode {
    let causes = iter::successors(Some(error), |&it| it.source());
    let chain: Vec<_> = causes.map(ToString::to_string).collect();
    let text = format!("the provider cannot start: {}\n", chain.join(": "));
    failure(text.as_bytes(), &text)
}

fn failure(stdout: &[u8], stderr: &str) -> ExitCode {
    // Nobody is left to tell of errors.
    let _ = io::stdout().write_all(stdout).and_then(|()| io::stdout().flush());
    let _ = io::stderr().write_all(stderr.as_bytes());
    ExitCode::FAILURE
}
