//! `OpenEphemeralResource`, `RenewEphemeralResource`, `CloseEphemeralResource`.

use std::future::Future;
use std::sync::Arc;

use super::{Shared, exchange};
use crate::proto::tfplugin6::{
    close_ephemeral_resource as close, open_ephemeral_resource as open,
    renew_ephemeral_resource as renew,
};
use crate::tfplugin::api::Provider;
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::value::Datum;
use crate::tfplugin::{gate, plan};

impl<P: Provider> Shared<P> {
    pub(super) async fn open(self: Arc<Self>, request: open::Request) -> open::Response {
        self.opened(&request).await.unwrap_or_else(|diags| open::Response {
            diagnostics: diags.to_proto(),
            ..open::Response::default()
        })
    }

    async fn opened(&self, request: &open::Request) -> Result<open::Response, Diagnostics> {
        let ephemeral = self.ephemeral(&request.type_name)?;
        let schema = ephemeral.schema();
        let config = exchange::read(request.config.as_ref(), schema)?;
        let faults = plan::check(&schema.attributes, &config);
        if faults.has_errors() {
            return Err(faults);
        }
        let client = self.client()?;
        let mut leased = ephemeral.open(&client, &config, &self.look()).await;
        let mut breaches = Vec::new();
        let mut result = None;
        if !leased.diags.has_errors() {
            let attributes = &schema.attributes;
            breaches = gate::plan_breaks(attributes, &config, &Datum::Null, &leased.value);
            breaches.extend(gate::stored_breaks(attributes, &leased.value));
            result = exchange::write(&leased.value, schema).map_err(|it| breaches.push(it)).ok();
        }
        leased.diags.extend(gate::explain(&breaches));
        if leased.diags.has_errors() {
            result = None;
            // No client closes what it was told of with an error, so that it is closed here.
            if let Some(lease) = leased.lease.clone() {
                let closed = ephemeral.close(&client, &lease, &self.look()).await;
                leased.lease = leased.lease.filter(|_| closed.has_errors());
                leased.diags.extend(closed);
            }
        }
        Ok(open::Response {
            result,
            private: leased.lease,
            renew_at: leased.renew_at.map(Into::into),
            diagnostics: leased.diags.to_proto(),
            ..open::Response::default()
        })
    }

    pub(super) async fn renew(self: Arc<Self>, request: renew::Request) -> renew::Response {
        let lease = request.private.clone().unwrap_or_default();
        match self.ephemeral(&request.type_name).and_then(|it| Ok((it, self.client()?))) {
            Ok((ephemeral, client)) => {
                let leased = ephemeral.renew(&client, &lease, &self.look()).await;
                renew::Response {
                    diagnostics: leased.diags.to_proto(),
                    renew_at: leased.renew_at.map(Into::into),
                    private: leased.lease,
                }
            }
            Err(diag) => renew::Response {
                diagnostics: Diagnostics::from(diag).to_proto(),
                renew_at: None,
                private: request.private,
            },
        }
    }

    pub(super) fn close(
        self: Arc<Self>,
        request: close::Request,
    ) -> impl Future<Output = close::Response> {
        // A lease is returned to the other side: the process waits for it.
        let mutation = self.lifecycle.begin_mutation();
        async move {
            let _mutation = mutation;
            let lease = request.private.unwrap_or_default();
            let found = self.ephemeral(&request.type_name).and_then(|it| Ok((it, self.client()?)));
            let diags = match found {
                Ok((ephemeral, client)) => ephemeral.close(&client, &lease, &self.look()).await,
                Err(diag) => diag.into(),
            };
            close::Response { diagnostics: diags.to_proto() }
        }
    }
}
