//! The Terraform types that the provider serves, one file each.
//!
//! The list is empty for now: the plugin layer comes first, the resources follow.

use crate::tfplugin::api::{Context, Provider, Registry};
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::model::Nothing;

/// The provider with everything it serves.
pub fn registry() -> Registry<Ha> {
    Registry::new(Ha)
}

/// The provider `ha`.
#[derive(Clone, Copy, Debug)]
pub struct Ha;

impl Provider for Ha {
    type Config = Nothing;
    type Client = ();

    async fn configure(&self, Nothing: Nothing, _: &Context) -> Result<(), Diagnostics> {
        Ok(())
    }
}
