//! A Terraform and OpenTofu plugin library: protocol 6, served over gRPC.
//!
//! It knows nothing of clusters and imports nothing from the rest of the crate.

pub mod api;
pub mod diagnostics;
pub mod docs;
pub(crate) mod gate;
pub mod isolate;
mod log;
pub mod model;
pub mod path;
pub(crate) mod plan;
pub mod schema;
pub mod serve;
pub mod service;
pub mod types;
pub mod value;
pub mod wire;
