//! A data source without its types.

use std::sync::Arc;

use super::{Doing, Erased, or_return};
use crate::tfplugin::api::{Client, Context, DataSource};
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::model::{Model, decode, encode_over};
use crate::tfplugin::schema::Schema;
use crate::tfplugin::value::Datum;

pub(crate) trait AnyDataSource<C>: Send + Sync {
    fn schema(&self) -> &Schema;
    fn validate(&self, config: &Datum) -> Diagnostics;
    fn read<'a>(
        &'a self,
        client: &'a C,
        config: &'a Datum,
        context: &'a Context,
    ) -> Doing<'a, (Datum, Diagnostics)>;
}

pub(crate) fn erase_data_source<D: DataSource>(
    inner: D,
) -> Arc<dyn AnyDataSource<Client<D::Provider>>> {
    Arc::new(Erased { inner, schema: D::Model::schema(0), identity: None })
}

impl<D: DataSource> AnyDataSource<Client<D::Provider>> for Erased<D> {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Datum) -> Diagnostics {
        decode(config).map_or_else(|faults| faults, |config| self.inner.validate(&config))
    }

    fn read<'a>(
        &'a self,
        client: &'a Client<D::Provider>,
        config: &'a Datum,
        context: &'a Context,
    ) -> Doing<'a, (Datum, Diagnostics)> {
        Box::pin(async move {
            let none = |diags| (Datum::Null, diags);
            let model = or_return!(decode(config), none);
            let answer = or_return!(self.inner.read(client, model, context).await, none);
            (encode_over(&answer.value, config), answer.diags)
        })
    }
}
