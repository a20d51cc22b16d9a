//! `ImportResourceState`, and the answer to `MoveResourceState`.

use std::sync::Arc;

use super::{Shared, exchange};
use crate::proto::tfplugin6::{import_resource_state, move_resource_state};
use crate::tfplugin::api::{ImportKey, Provider};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::gate;
use crate::tfplugin::value::Datum;

type Request = import_resource_state::Request;
type Response = import_resource_state::Response;

impl<P: Provider> Shared<P> {
    pub(super) async fn import(self: Arc<Self>, request: Request) -> Response {
        self.imported(&request).await.unwrap_or_else(|diags| Response {
            diagnostics: diags.to_proto(),
            ..Response::default()
        })
    }

    async fn imported(&self, request: &Request) -> Result<Response, Diagnostics> {
        let resource = self.resource(&request.type_name)?;
        let (schema, identity_schema) = (resource.schema(), resource.identity());
        let identity = exchange::read_identity(request.identity.as_ref(), identity_schema);
        let key = match identity {
            Datum::Null if request.id.is_empty() => {
                let detail = "An import needs the id of an existing object, or its identity.";
                return Err(Diagnostic::error("Nothing to import was named", detail).into());
            }
            Datum::Null => ImportKey::Id(request.id.clone()),
            identity => ImportKey::Identity(identity),
        };
        let client = self.client()?;
        let found = resource.import(&client, key, &self.look()).await;
        let mut diags = found.diags;
        let Some(object) = found.saved.filter(|_| !diags.has_errors()) else { return Err(diags) };
        let state =
            exchange::write_stored(&object.state, &Datum::Null, schema, &mut diags, Vec::new());
        let identity = exchange::write_identity(&object.identity, identity_schema)
            .map_err(|breach| gate::explain(&[breach]))?;
        let imported = import_resource_state::ImportedResource {
            type_name: request.type_name.clone(),
            state: Some(state),
            private: object.private,
            identity,
        };
        Ok(Response {
            imported_resources: vec![imported],
            diagnostics: diags.to_proto(),
            ..Response::default()
        })
    }
}

/// OpenTofu asks without looking at the capability, so that there must be an answer.
pub(super) fn moved(request: &move_resource_state::Request) -> move_resource_state::Response {
    let (from, to) = (&request.source_type_name, &request.target_type_name);
    let detail = format!("An object of {from} cannot become one of {to}.");
    let diags = Diagnostic::error("Moving between resource types is not supported", detail)
        .hint("Remove the `moved` block; import the object under its new type instead.");
    move_resource_state::Response {
        diagnostics: Diagnostics::from(diags).to_proto(),
        ..move_resource_state::Response::default()
    }
}
