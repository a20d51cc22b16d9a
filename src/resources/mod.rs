//! The Terraform types that the provider serves, one file each.
//!
//! The list is empty for now: the plugin layer comes first, the resources follow.

mod explain;

pub use self::explain::{explain, run};
use crate::model;
use crate::tfplugin::api::{Context, Provider, Registry};
use crate::tfplugin::diagnostics::Diagnostics;

/// The provider with everything it serves.
pub fn registry() -> Registry<Ha> {
    Registry::new(Ha)
}

model! {
    /// Highly available Kubernetes control planes on hosts that exist already.
    ///
    /// This version is the plugin layer alone: it can be installed, configured and called by
    /// Terraform and OpenTofu, and manages nothing yet.
    pub struct Settings {}
}

/// The provider `ha`.
#[derive(Clone, Copy, Debug)]
pub struct Ha;

impl Provider for Ha {
    type Config = Settings;
    type Client = ();

    async fn configure(&self, _: Settings, _: &Context) -> Result<(), Diagnostics> {
        Ok(())
    }
}
