//! Accepts connections and speaks HTTP/2 on them.
//!
//! hyper does it directly: tonic's own transport can neither pin a client certificate nor drain with a bound.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::running::{Entered, Running};
use super::services::Services;
use crate::proto::tfplugin6::provider_server::Provider;

/// A client on the same machine needs milliseconds.
const TLS_HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// So that a lack of file descriptors does not become a busy loop.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(50);
/// What a client may send before it hears that we have read it. A state of 16 MiB then takes a few round trips; the
/// default of HTTP/2, 64 KiB, would take hundreds.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Terraform runs 10 calls at a time unless told otherwise, and Go servers know no limit.
const CALLS_AT_A_TIME: u32 = 10_000;

/// How many calls the client may give up before we have looked at them. With more the connection ends, and with it
/// the answers of all applies; the default of 20 is meant against attackers, and there is but one trusted client.
const GIVEN_UP_AT_A_TIME: usize = 10_000;

/// What all connections share.
pub(super) struct Connections<P> {
    pub(super) services: Services<P>,
    /// Absent: plaintext, as the client or the human in debug mode wants it.
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) open: Running,
    pub(super) draining: CancellationToken,
}

impl<P> Clone for Connections<P> {
    fn clone(&self) -> Self {
        Self {
            services: self.services.clone(),
            tls: self.tls.clone(),
            open: self.open.clone(),
            draining: self.draining.clone(),
        }
    }
}

impl<P: Provider> Connections<P> {
    /// Accepts for ever. Each connection has a task of its own, so none holds up the next.
    pub(super) async fn accept(self, listener: UnixListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(self.clone().serve(stream, self.open.enter()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    async fn serve(self, stream: UnixStream, _open: Entered) {
        let Some(tls) = &self.tls else { return self.speak(stream).await };
        match timeout(TLS_HANDSHAKE_LIMIT, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.speak(stream).await,
            Ok(Err(error)) => tracing::warn!(%error, "refused a connection"),
            Err(_) => tracing::warn!("refused a connection that did not finish its TLS handshake"),
        }
    }

    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let Self { services, draining, .. } = self;
        let answer = service_fn(move |request| {
            let answer = services.clone().answer(request);
            async { Ok::<_, Infallible>(answer.await) }
        });
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(CALLS_AT_A_TIME)
            .max_pending_accept_reset_streams(GIVEN_UP_AT_A_TIME);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), answer));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = draining.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke");
        }
    }
}
