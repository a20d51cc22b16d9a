//! Terraform and OpenTofu provider for highly available Kubernetes control planes.
//!
//! Reading order: [`tfplugin`] turns the bytes of the plugin protocol into typed calls;
//! [`resources`] lists the Terraform types and says what each means; [`engine`] brings hosts there step by step, as the
//! planners of [`domain`] decide, by what [`actions`] see and do; [`host`] is what it says to one of them. On the other end, `agent` is what runs there.
//!
//! Two programs are made of it, each with crates that the other does without: feature `provider` (the default) and
//! feature `agent`.

#[cfg(feature = "provider")]
pub mod actions;
#[cfg(feature = "agent")]
pub mod agent;
pub mod domain;
#[cfg(feature = "provider")]
pub mod engine;
#[cfg(feature = "provider")]
pub mod host;
pub mod proto;
#[cfg(any(feature = "provider", feature = "agent"))]
pub mod remote;
#[cfg(feature = "provider")]
pub mod resources;
#[cfg(feature = "provider")]
pub mod tfplugin;
