//! The generated messages and services of `proto/`.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code, documented in the .proto files"
)]

/// Terraform plugin protocol 6.
#[cfg(feature = "provider")]
pub mod tfplugin6 {
    tonic::include_proto!("tfplugin6");
}

/// The side services of go-plugin.
#[cfg(feature = "provider")]
pub mod plugin {
    tonic::include_proto!("plugin");
}

/// The standard gRPC health service.
#[cfg(feature = "provider")]
pub mod health {
    tonic::include_proto!("grpc.health.v1");
}

/// What is asked of etcd.
pub mod etcd {
    tonic::include_proto!("etcdserverpb");
}

/// The agent on a host.
pub mod agent {
    tonic::include_proto!("ha.agent.v1");
}
