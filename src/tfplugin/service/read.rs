//! `ReadResource`.

use std::sync::Arc;

use super::{Operation, Shared, exchange};
use crate::proto::tfplugin6::read_resource;
use crate::tfplugin::api::{Provider, Saved};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};

type Request = read_resource::Request;
type Response = read_resource::Response;

/// The object as it was sent: what stays when it could not be seen.
pub(super) fn kept(request: &Request, diags: &Diagnostics) -> Response {
    Response {
        new_state: request.current_state.clone(),
        private: request.private.clone(),
        new_identity: request.current_identity.clone(),
        diagnostics: diags.to_proto(),
        ..Response::default()
    }
}

impl<P: Provider> Shared<P> {
    pub(super) async fn read(self: Arc<Self>, request: Request) -> Response {
        match self.seen(&request).await {
            Ok(response) => response,
            Err(diags) => kept(&request, &diags),
        }
    }

    async fn seen(&self, request: &Request) -> Result<Response, Diagnostics> {
        let resource = self.resource(&request.type_name)?;
        let (schema, identity_schema) = (resource.schema(), resource.identity());
        let saved = Saved {
            state: exchange::read(request.current_state.as_ref(), schema)?,
            private: request.private.clone(),
            identity: exchange::read_identity(request.current_identity.as_ref(), identity_schema),
        };
        let client = self.client()?;
        let context = self.context(schema, &saved.state, Operation::Read);
        let limit = context.remaining();
        let reading = resource.read(&client, &saved, &context);
        let Ok(mut seen) = tokio::time::timeout(limit, reading).await else {
            let detail = format!("It took longer than {limit:?}; what is stored stays as it is.");
            return Err(Diagnostic::error("Reading did not end in time", detail)
                .hint("Raise `timeouts.read`, or look why the other side does not answer.")
                .into());
        };
        if seen.diags.has_errors() {
            // What could be seen in part is not worth more than what is stored as a whole.
            return Err(seen.diags);
        }
        let Some(object) = seen.saved else {
            let diagnostics = seen.diags.to_proto();
            let new_state = Some(exchange::null());
            return Ok(Response { new_state, diagnostics, ..Response::default() });
        };
        let diags = &mut seen.diags;
        let new_state =
            exchange::write_stored(&object.state, &saved.state, schema, diags, Vec::new());
        let sent = request.current_identity.as_ref();
        let new_identity =
            exchange::write_identity_or(sent, &object.identity, identity_schema, diags);
        Ok(Response {
            new_state: Some(new_state),
            private: object.private,
            new_identity,
            diagnostics: seen.diags.to_proto(),
            ..Response::default()
        })
    }
}
