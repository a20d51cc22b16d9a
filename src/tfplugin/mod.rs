//! A Terraform and OpenTofu plugin library: protocol 6, served over gRPC.
//!
//! It knows nothing of clusters and imports nothing from the rest of the crate.

pub mod diagnostics;
pub mod isolate;
mod log;
pub mod path;
pub mod serve;
pub mod types;
pub mod value;
