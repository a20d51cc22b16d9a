//! An ephemeral resource without its types.

use std::sync::Arc;

use bytes::Bytes;

use super::{Doing, Erased, Leased, or_return, private, private_bytes};
use crate::tfplugin::api::{Client, Context, Ephemeral};
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::model::{Model, decode, encode_over};
use crate::tfplugin::schema::Schema;
use crate::tfplugin::value::Datum;

pub(crate) trait AnyEphemeral<C>: Send + Sync {
    fn schema(&self) -> &Schema;
    fn validate(&self, config: &Datum) -> Diagnostics;
    fn open<'a>(
        &'a self,
        client: &'a C,
        config: &'a Datum,
        context: &'a Context,
    ) -> Doing<'a, Leased>;
    fn renew<'a>(
        &'a self,
        client: &'a C,
        lease: &'a Bytes,
        context: &'a Context,
    ) -> Doing<'a, Leased>;
    fn close<'a>(
        &'a self,
        client: &'a C,
        lease: &'a Bytes,
        context: &'a Context,
    ) -> Doing<'a, Diagnostics>;
}

pub(crate) fn erase_ephemeral<E: Ephemeral>(
    inner: E,
) -> Arc<dyn AnyEphemeral<Client<E::Provider>>> {
    Arc::new(Erased { inner, schema: E::Model::schema(0), identity: None })
}

impl<E: Ephemeral> AnyEphemeral<Client<E::Provider>> for Erased<E> {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn validate(&self, config: &Datum) -> Diagnostics {
        decode(config).map_or_else(|faults| faults, |config| self.inner.validate(&config))
    }

    fn open<'a>(
        &'a self,
        client: &'a Client<E::Provider>,
        config: &'a Datum,
        context: &'a Context,
    ) -> Doing<'a, Leased> {
        Box::pin(async move {
            let none = |diags| Leased { diags, ..Leased::default() };
            let model = or_return!(decode(config), none);
            let opened = or_return!(self.inner.open(client, model, context).await, none);
            let value = encode_over(&opened.value, config);
            let mut diags = opened.diags;
            let lease = Some(private_bytes(&opened.lease, &Bytes::new(), &mut diags));
            Leased { value, lease, renew_at: opened.renew_at, diags }
        })
    }

    fn renew<'a>(
        &'a self,
        client: &'a Client<E::Provider>,
        lease: &'a Bytes,
        context: &'a Context,
    ) -> Doing<'a, Leased> {
        Box::pin(async move {
            // OpenTofu closes with what a renewal returns, also a failed one.
            let kept = |diags| Leased { lease: Some(lease.clone()), diags, ..Leased::default() };
            let held = or_return!(private(lease), kept);
            let renewed = or_return!(self.inner.renew(client, held, context).await, kept);
            let (renewed, mut diags) = (renewed.value, renewed.diags);
            let lease = Some(private_bytes(&renewed.lease, lease, &mut diags));
            Leased { value: Datum::Null, lease, renew_at: renewed.renew_at, diags }
        })
    }

    fn close<'a>(
        &'a self,
        client: &'a Client<E::Provider>,
        lease: &'a Bytes,
        context: &'a Context,
    ) -> Doing<'a, Diagnostics> {
        Box::pin(async move {
            let lease = or_return!(private(lease), |diags| diags);
            self.inner.close(client, lease, context).await
        })
    }
}
