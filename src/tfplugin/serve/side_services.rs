//! The services that a client of go-plugin may call beside the provider: shutdown, output, health.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::codegen::tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::process::{Ending, Endings};
use crate::proto::health::HealthCheckRequest;
use crate::proto::health::HealthCheckResponse;
use crate::proto::health::health_check_response::ServingStatus;
use crate::proto::health::health_server::Health;
use crate::proto::plugin::grpc_controller_server::GrpcController;
use crate::proto::plugin::grpc_stdio_server::GrpcStdio;
use crate::proto::plugin::{Empty, StdioData};

/// Ends the process when the client asks for it. Without it, a client waits two seconds and kills.
pub(super) struct Controller(pub(super) Endings);

#[tonic::async_trait]
impl GrpcController for Controller {
    /// Answers at once: the client has no deadline for this call, so a wait here would hang it.
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.0.tell(Ending::Shutdown);
        Ok(Response::new(Empty {}))
    }
}

/// Has no output to forward: logs go to stderr, and Terraform warns of whatever comes here.
pub(super) struct Stdio(pub(super) CancellationToken);

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    type StreamStdioStream = Open<StdioData>;

    async fn stream_stdio(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(Open::new(None, &self.0)))
    }
}

/// Whoever reaches the process finds it serving: `plugin` is the name that go-plugin asks for, empty means the whole.
pub(super) struct Alive(pub(super) CancellationToken);

#[tonic::async_trait]
impl Health for Alive {
    type WatchStream = Open<HealthCheckResponse>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let status = status(&request.get_ref().service);
        if status == ServingStatus::ServiceUnknown {
            return Err(Status::not_found("no such service"));
        }
        Ok(Response::new(HealthCheckResponse { status: status.into() }))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let status = status(&request.get_ref().service);
        let first = HealthCheckResponse { status: status.into() };
        Ok(Response::new(Open::new(Some(first), &self.0)))
    }
}

fn status(service: &str) -> ServingStatus {
    match service {
        "" | "plugin" => ServingStatus::Serving,
        _ => ServingStatus::ServiceUnknown,
    }
}

/// A stream that says at most one thing, and then stays open until the server drains its connections.
pub(super) struct Open<T> {
    first: Option<T>,
    end: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<T> Open<T> {
    fn new(first: Option<T>, draining: &CancellationToken) -> Self {
        Self { first, end: Box::pin(draining.clone().cancelled_owned()) }
    }
}

impl<T: Unpin> Stream for Open<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        self.end.as_mut().poll(context).map(|()| None)
    }
}
