//! `UpgradeResourceState` and `UpgradeResourceIdentity`: stored objects of older versions. Called
//! for every object in each run, also when the versions are equal.

use super::{Shared, exchange};
use crate::proto::tfplugin6::{
    RawState, ResourceIdentityData, upgrade_resource_identity, upgrade_resource_state,
};
use crate::tfplugin::api::Provider;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::gate;
use crate::tfplugin::schema::Schema;
use crate::tfplugin::value::Datum;
use crate::tfplugin::wire::decode_state;

impl<P: Provider> Shared<P> {
    pub(super) fn upgrade_state(
        &self,
        request: &upgrade_resource_state::Request,
    ) -> upgrade_resource_state::Response {
        let upgraded = self.resource(&request.type_name).and_then(|resource| {
            let json = stored_json(request.raw_state.as_ref())?;
            let is_current = request.version == resource.schema().version;
            let json = if is_current { json } else { resource.upgrade(request.version, json)? };
            let state = fitting(&json, resource.schema())?;
            if state.is_null() {
                let detail = "It would be lost. This is a bug in the provider; please report it.";
                return Err(Diagnostic::error("The stored object became nothing", detail));
            }
            // A write-only value cannot be stored, whatever an older version did.
            let state = gate::mend(&resource.schema().attributes, &state, &Datum::Null);
            exchange::write(&state, resource.schema()).map_err(|breach| misfit(&breach))
        });
        match upgraded {
            Ok(state) => upgrade_resource_state::Response {
                upgraded_state: Some(state),
                diagnostics: Vec::new(),
            },
            Err(diag) => upgrade_resource_state::Response {
                upgraded_state: None,
                diagnostics: Diagnostics::from(diag).to_proto(),
            },
        }
    }

    pub(super) fn upgrade_identity(
        &self,
        request: &upgrade_resource_identity::Request,
    ) -> upgrade_resource_identity::Response {
        let upgraded = self.resource(&request.type_name).and_then(|resource| {
            let Some(schema) = resource.identity() else {
                let detail = format!("{} has none in this version.", request.type_name);
                return Err(Diagnostic::error("There is no identity to upgrade", detail));
            };
            let identity = fitting(&stored_json(request.raw_identity.as_ref())?, schema)?;
            exchange::write(&identity, schema).map_err(|breach| misfit(&breach))
        });
        let mut response = upgrade_resource_identity::Response::default();
        match upgraded {
            Ok(data) => {
                let identity_data = Some(data);
                response.upgraded_identity = Some(ResourceIdentityData { identity_data });
            }
            Err(diag) => response.diagnostics = Diagnostics::from(diag).to_proto(),
        }
        response
    }
}

fn stored_json(raw: Option<&RawState>) -> Result<serde_json::Value, Diagnostic> {
    let raw = raw.filter(|it| !it.json.is_empty()).ok_or_else(|| {
        let detail = "It was written by Terraform 0.11 or older, or is empty.";
        Diagnostic::error("The stored object has no form that can be read", detail)
    })?;
    serde_json::from_slice(&raw.json)
        .map_err(|err| Diagnostic::error("The stored object is not valid JSON", &err))
}

fn fitting(json: &serde_json::Value, schema: &Schema) -> Result<Datum, Diagnostic> {
    decode_state(json, schema.ty()).map_err(|err| {
        Diagnostic::error("The stored object does not fit the schema", &err)
            .at(err.path().clone())
            .hint("Somebody edited the state, or another provider wrote it. Restore it from a backup.")
    })
}

fn misfit(breach: &gate::Breach) -> Diagnostic {
    let detail = format!("`{}` {}. This is a bug in the provider.", breach.path, breach.rule);
    Diagnostic::error("The stored object cannot be upgraded", detail)
}
