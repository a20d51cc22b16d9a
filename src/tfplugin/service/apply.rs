//! `ApplyResourceChange`: create, update and delete.

use std::future::Future;
use std::sync::Arc;

use tracing::info;

use super::{Operation, Shared, exchange};
use crate::proto::tfplugin6::apply_resource_change;
use crate::tfplugin::api::{AnyResource, Client, Provider, Saved, Written};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::value::Datum;
use crate::tfplugin::{gate, plan};

type Request = apply_resource_change::Request;
type Response = apply_resource_change::Response;

/// What stays when nothing could be done: the prior object, as it was sent.
pub(super) fn kept(request: &Request, diags: &Diagnostics) -> Response {
    Response {
        new_state: request.prior_state.clone(),
        private: request.planned_private.clone(),
        new_identity: request.planned_identity.clone(),
        diagnostics: diags.to_proto(),
        ..Response::default()
    }
}

/// An apply with everything decoded.
struct Apply {
    config: Datum,
    prior: Datum,
    planned: Saved,
}

impl<P: Provider> Shared<P> {
    pub(super) fn apply(self: Arc<Self>, request: Request) -> impl Future<Output = Response> {
        // The guard lives in the task that does the work: the process waits for it. It is taken
        // before that task runs, for the end may come in between.
        let mutation = self.lifecycle.begin_mutation();
        async move {
            let _mutation = mutation;
            match self.applied(&request).await {
                Ok(response) => response,
                Err(diags) => kept(&request, &diags),
            }
        }
    }

    async fn applied(&self, request: &Request) -> Result<Response, Diagnostics> {
        let resource = self.resource(&request.type_name)?;
        let (schema, identity_schema) = (resource.schema(), resource.identity());
        let apply = Apply {
            config: exchange::read(request.config.as_ref(), schema)?,
            prior: exchange::read(request.prior_state.as_ref(), schema)?,
            planned: Saved {
                state: exchange::read(request.planned_state.as_ref(), schema)?,
                private: request.planned_private.clone(),
                identity: exchange::read_identity(
                    request.planned_identity.as_ref(),
                    identity_schema,
                ),
            },
        };
        let client = self.client()?;
        let Written { saved, mut diags } = self.perform(&*resource, &client, &apply).await?;
        let Some(saved) = saved else {
            return Ok(nothing(&apply, request, diags));
        };
        if apply.planned.state.is_null() && !diags.has_errors() {
            let detail = "This is a bug in the provider; please report it.";
            let summary = "The provider did not destroy the object and gave no reason";
            diags.push(Diagnostic::error(summary, detail));
        }
        let breaches = if apply.planned.state.is_null() || diags.has_errors() {
            // What is left after an error is saved as it is; Terraform does not compare it either.
            Vec::new()
        } else {
            gate::outcome_breaks(&apply.planned.state, &saved.state)
        };
        let new_state =
            exchange::write_stored(&saved.state, &apply.prior, schema, &mut diags, breaches);
        let sent = request.planned_identity.as_ref();
        let new_identity =
            exchange::write_identity_or(sent, &saved.identity, identity_schema, &mut diags);
        Ok(Response {
            new_state: Some(new_state),
            private: saved.private,
            new_identity,
            diagnostics: diags.to_proto(),
            ..Response::default()
        })
    }

    /// The operation itself. What the plan could not check, because it was unknown, is checked now.
    async fn perform(
        &self,
        resource: &dyn AnyResource<Client<P>>,
        client: &Client<P>,
        Apply { config, prior, planned }: &Apply,
    ) -> Result<Written, Diagnostics> {
        let schema = resource.schema();
        if planned.state.is_null() {
            let context = self.context(schema, prior, Operation::Delete);
            let object = Saved { state: prior.clone(), ..planned.clone() };
            info!("deleting");
            return Ok(resource.delete(client, &object, &context).await);
        }
        let mut faults = plan::check(&schema.attributes, &planned.state);
        // Most values are in both; each fault is told once.
        for fault in plan::check(&schema.attributes, config) {
            if !faults.iter().any(|it| *it == fault) {
                faults.push(fault);
            }
        }
        if !prior.is_null() {
            let changes = plan::changes(&schema.attributes, prior, &planned.state);
            faults.extend(plan::refusals(&changes));
        }
        if faults.has_errors() {
            return Err(faults);
        }
        if prior.is_null() {
            let context = self.context(schema, &planned.state, Operation::Create);
            info!("creating");
            return Ok(resource.create(client, config, planned, &context).await);
        }
        let context = self.context(schema, &planned.state, Operation::Update);
        info!("updating");
        Ok(resource.update(client, config, prior, planned, &context).await)
    }
}

/// Nothing exists: the end of a delete, or of a create that leaves no state.
fn nothing(apply: &Apply, request: &Request, mut diags: Diagnostics) -> Response {
    let is_delete = apply.planned.state.is_null();
    if !is_delete && !diags.has_errors() {
        let detail = "This is a bug in the provider; please report it.";
        diags.push(Diagnostic::error("The provider created nothing and gave no reason", detail));
    }
    Response {
        new_state: Some(exchange::null()),
        // A failed create has no object to keep it with; a delete has ended it.
        private: if is_delete { bytes::Bytes::new() } else { request.planned_private.clone() },
        diagnostics: diags.to_proto(),
        ..Response::default()
    }
}
