//! A data source: looks at something, changes nothing.

use std::future::Future;

use super::{Client, Context, Provider};
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::model::Model;

/// A data source.
pub trait DataSource: Send + Sync + Sized + 'static {
    /// The full type name: `ha_etcd_status`.
    const NAME: &'static str;
    /// The provider that serves it.
    type Provider: Provider;
    /// Arguments and results.
    type Model: Model;

    /// Checks the arguments beyond their schema; values may be unknown.
    fn validate(&self, _config: &Self::Model) -> Diagnostics {
        Diagnostics::new()
    }

    /// Looks. Arguments are returned as they came, results are filled in.
    ///
    /// # Errors
    /// There is no answer.
    fn read(
        &self,
        client: &Client<Self::Provider>,
        config: Self::Model,
        context: &Context,
    ) -> impl Future<Output = Result<Answer<Self::Model>, Diagnostics>> + Send;
}

/// A result, perhaps with warnings.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// The result.
    pub value: T,
    /// Warnings.
    pub diags: Diagnostics,
}

impl<T> From<T> for Answer<T> {
    fn from(value: T) -> Self {
        Self { value, diags: Diagnostics::new() }
    }
}
