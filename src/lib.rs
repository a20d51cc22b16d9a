//! Terraform and OpenTofu provider for highly available Kubernetes control planes.
//!
//! Reading order: [`tfplugin`] turns the bytes of the plugin protocol into typed calls;
//! [`resources`] lists the Terraform types and says what each means; [`engine`] brings hosts there step by step, as the
//! planners of [`domain`] decide; [`host`] is what it says to one of them.

pub mod domain;
pub mod engine;
pub mod host;
pub mod proto;
pub mod resources;
pub mod tfplugin;
