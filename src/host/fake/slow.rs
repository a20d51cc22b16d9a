//! A way to count round trips: each call takes a while before it begins, so calls at the same time take as long as one.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tonic::codegen::Service;

use super::FakeHost;

/// What serves the calls of a connection, after the delay of its host.
#[derive(Clone)]
pub(super) struct Slow<S> {
    pub(super) inner: S,
    pub(super) host: FakeHost,
}

impl<S, R> Service<R> for Slow<S>
where
    S: Service<R> + Clone + Send + 'static,
    S::Future: Send,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let (mut inner, delay) = (self.inner.clone(), self.host.state().delay);
        Box::pin(async move {
            tokio::time::sleep(delay).await;
            inner.call(request).await
        })
    }
}
