//! An ephemeral resource: opened for one run, perhaps renewed, closed, and never stored.

use std::future::Future;
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Answer, Client, Context, Provider};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::model::Model;

/// An ephemeral resource.
pub trait Ephemeral: Send + Sync + Sized + 'static {
    /// The full type name: `ha_kubeconfig`.
    const NAME: &'static str;
    /// The provider that serves it.
    type Provider: Provider;
    /// Arguments and results.
    type Model: Model;
    /// What renewing and closing need; it stays in the memory of Terraform.
    type Lease: Serialize + DeserializeOwned + Send + Sync;

    /// Checks the arguments beyond their schema; values may be unknown.
    fn validate(&self, _config: &Self::Model) -> Diagnostics {
        Diagnostics::new()
    }

    /// Opens it; all arguments are known. Called in plan, and again in apply.
    ///
    /// # Errors
    /// It cannot be opened.
    fn open(
        &self,
        client: &Client<Self::Provider>,
        config: Self::Model,
        context: &Context,
    ) -> impl Future<Output = Result<Opened<Self>, Diagnostics>> + Send;

    /// Renews it. OpenTofu closes with the lease of the last renewal, Terraform with that of the
    /// opening: both must be enough to close.
    ///
    /// # Errors
    /// It cannot be renewed. Terraform up to 1.16 shows no diagnostics of renewals.
    fn renew(
        &self,
        _client: &Client<Self::Provider>,
        _lease: Self::Lease,
        _context: &Context,
    ) -> impl Future<Output = Result<Answer<Renewed<Self::Lease>>, Diagnostics>> + Send {
        async {
            let detail = format!("{} has no renewal.", Self::NAME);
            Err(Diagnostic::error("This ephemeral resource cannot be renewed", detail).into())
        }
    }

    /// Closes it.
    fn close(
        &self,
        _client: &Client<Self::Provider>,
        _lease: Self::Lease,
        _context: &Context,
    ) -> impl Future<Output = Diagnostics> + Send {
        async { Diagnostics::new() }
    }
}

/// An opened ephemeral resource.
pub struct Opened<E: Ephemeral> {
    /// Arguments and results.
    pub value: E::Model,
    /// What renewing and closing need.
    pub lease: E::Lease,
    /// When it must be renewed; `None`: never.
    pub renew_at: Option<SystemTime>,
    /// Warnings.
    pub diags: Diagnostics,
}

/// A renewal.
#[derive(Clone, Debug)]
pub struct Renewed<L> {
    /// What further renewals and closing need: the whole of it.
    pub lease: L,
    /// When it must be renewed again; `None`: never.
    pub renew_at: Option<SystemTime>,
}
