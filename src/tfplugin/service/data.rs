//! `ReadDataSource`.

use std::sync::Arc;

use super::{Shared, exchange};
use crate::proto::tfplugin6::read_data_source::{Request, Response};
use crate::tfplugin::api::Provider;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::{gate, plan};

impl<P: Provider> Shared<P> {
    pub(super) async fn read_data(self: Arc<Self>, request: Request) -> Response {
        self.looked_up(&request).await.unwrap_or_else(|diags| Response {
            diagnostics: diags.to_proto(),
            ..Response::default()
        })
    }

    async fn looked_up(&self, request: &Request) -> Result<Response, Diagnostics> {
        let source = self.data_source(&request.type_name)?;
        let schema = source.schema();
        let config = exchange::read(request.config.as_ref(), schema)?;
        let faults = plan::check(&schema.attributes, &config);
        if faults.has_errors() {
            return Err(faults);
        }
        let client = self.client()?;
        let context = self.look();
        let limit = context.remaining();
        let reading = source.read(&client, &config, &context);
        let Ok((state, mut diags)) = tokio::time::timeout(limit, reading).await else {
            let detail = format!("It took longer than {limit:?}.");
            return Err(Diagnostic::error("Reading did not end in time", detail).into());
        };
        if diags.has_errors() {
            return Err(diags);
        }
        let mut breaches = gate::stored_breaks(&schema.attributes, &state);
        let state = exchange::write(&state, schema).map_err(|breach| breaches.push(breach)).ok();
        diags.extend(gate::explain(&breaches));
        let state = state.filter(|_| breaches.is_empty());
        Ok(Response { state, diagnostics: diags.to_proto(), ..Response::default() })
    }
}
