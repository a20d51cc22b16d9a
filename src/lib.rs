//! Terraform and OpenTofu provider for highly available Kubernetes control planes.
//!
//! Reading order: [`tfplugin`] turns the bytes of the plugin protocol into typed calls;
//! [`resources`] lists the Terraform types and says what each means;
//! [`host`] is what the provider says to a machine.

pub mod host;
pub mod proto;
pub mod resources;
pub mod tfplugin;
