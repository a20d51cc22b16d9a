//! Terraform and OpenTofu provider for highly available Kubernetes control planes.

pub mod proto;
pub mod tfplugin;
