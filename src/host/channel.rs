//! HTTP/2 over one stream, which is never opened a second time: that is what makes a loss visible.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tonic::body::Body;
use tonic::codegen::Service;

use super::connect::Stream;

/// With the patience below, a peer that stalls is noticed within 13 s. SSH keepalive alone would not notice an agent
/// that is stopped.
const PING: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(8);
/// The defaults of HTTP/2 make a slow upload over a long way. The agent has the same.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 2 << 20;

/// Carries calls to one agent.
#[derive(Clone, Debug)]
pub(super) struct Channel(http2::SendRequest<Body>);

/// Why a call has no answer, which decides what may be done next.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The request never left.
    #[error("the connection had ended before")]
    Before(#[source] hyper::Error),
    /// It left, or part of it.
    #[error("the connection broke")]
    Midway(#[source] hyper::Error),
}

impl Channel {
    /// Speaks first. The second part of the result ends with the connection.
    pub(super) async fn open(
        stream: impl Stream,
    ) -> Result<(Self, impl Future<Output = Result<(), hyper::Error>>), hyper::Error> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PATIENCE)
            .keep_alive_while_idle(true);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        Ok((Self(sender), connection))
    }

    pub(super) fn is_open(&self) -> bool {
        !self.0.is_closed()
    }
}

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<Incoming>;
    type Error = Broken;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Broken>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.0.poll_ready(context).map_err(Broken::Before)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = self.0.try_send_request(request);
        Box::pin(async move {
            answer.await.map_err(|mut failed| {
                // The request is handed back only if none of it was sent.
                let is_whole = failed.take_message().is_some();
                let error = failed.into_error();
                if is_whole { Broken::Before(error) } else { Broken::Midway(error) }
            })
        })
    }
}

/// Finds it among the sources of an error.
pub(super) fn broken<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Broken> {
    let mut sources = std::iter::successors(Some(error), |it| (*it).source());
    sources.find_map(|it| it.downcast_ref())
}
