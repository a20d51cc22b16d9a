//! Which service answers a request: the first segment of its path tells.

use std::future::Future;

use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;

use super::process::Endings;
use super::side_services::{Alive, Controller, Stdio};
use crate::proto::health::health_server::HealthServer;
use crate::proto::plugin::grpc_controller_server::GrpcControllerServer;
use crate::proto::plugin::grpc_stdio_server::GrpcStdioServer;
use crate::proto::tfplugin6::provider_server::{Provider, ProviderServer};

/// Largest message in either direction, as in Terraform's own library for Go. tonic's default would be 4 MiB.
const MESSAGE_LIMIT: usize = 256 << 20;

type Request = http::Request<Incoming>;
type Response = http::Response<Body>;

/// All services of the socket. A clone shares them.
pub(super) struct Services<P> {
    provider: ProviderServer<P>,
    controller: GrpcControllerServer<Controller>,
    stdio: GrpcStdioServer<Stdio>,
    health: HealthServer<Alive>,
}

impl<P: Provider> Services<P> {
    /// The open streams of the side services end once `draining` is cancelled.
    pub(super) fn new(provider: P, endings: Endings, draining: &CancellationToken) -> Self {
        Self {
            provider: ProviderServer::new(provider)
                .max_decoding_message_size(MESSAGE_LIMIT)
                .max_encoding_message_size(MESSAGE_LIMIT),
            controller: GrpcControllerServer::new(Controller(endings)),
            stdio: GrpcStdioServer::new(Stdio(draining.clone())),
            health: HealthServer::new(Alive(draining.clone())),
        }
    }

    /// Hands the request to its service. What is not served is "unimplemented", as every gRPC server says it.
    pub(super) async fn answer(self, request: Request) -> Response {
        match request.uri().path().split('/').nth(1).unwrap_or_default() {
            ProviderServer::<P>::NAME => call(self.provider, request).await,
            GrpcControllerServer::<Controller>::NAME => call(self.controller, request).await,
            GrpcStdioServer::<Stdio>::NAME => call(self.stdio, request).await,
            HealthServer::<Alive>::NAME => call(self.health, request).await,
            service => Status::unimplemented(format!("unknown service {service}")).into_http(),
        }
    }
}

impl<P> Clone for Services<P> {
    fn clone(&self) -> Self {
        Self {
            provider: self.provider.clone(),
            controller: self.controller.clone(),
            stdio: self.stdio.clone(),
            health: self.health.clone(),
        }
    }
}

/// A generated service is always ready and its error type is empty.
fn call<S>(mut service: S, request: Request) -> impl Future<Output = Response> + Send
where
    S: Service<Request, Response = Response, Error = std::convert::Infallible>,
    S::Future: Send,
{
    let answer = service.call(request);
    async move {
        let Ok(response) = answer.await;
        response
    }
}
