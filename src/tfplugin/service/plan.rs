//! `PlanResourceChange`.

use std::sync::Arc;

use super::{Operation, Shared, exchange};
use crate::proto::tfplugin6::plan_resource_change;
use crate::tfplugin::api::{AnyResource, Client, Provider, Saved};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::Schema;
use crate::tfplugin::value::Datum;
use crate::tfplugin::{gate, plan};

type Request = plan_resource_change::Request;
type Response = plan_resource_change::Response;

/// What stays when nothing could be planned: the prior object, as it was sent.
pub(super) fn kept(request: &Request, diags: &Diagnostics) -> Response {
    Response {
        planned_state: request.prior_state.clone(),
        planned_private: request.prior_private.clone(),
        planned_identity: request.prior_identity.clone(),
        diagnostics: diags.to_proto(),
        ..Response::default()
    }
}

impl<P: Provider> Shared<P> {
    pub(super) async fn plan(self: Arc<Self>, request: Request) -> Response {
        match self.planned(&request).await {
            Ok(response) => response,
            Err(diags) => kept(&request, &diags),
        }
    }

    async fn planned(&self, request: &Request) -> Result<Response, Diagnostics> {
        let resource = self.resource(&request.type_name)?;
        let (schema, identity_schema) = (resource.schema(), resource.identity());
        let prior = exchange::read(request.prior_state.as_ref(), schema)?;
        let proposed = exchange::read(request.proposed_new_state.as_ref(), schema)?;
        let identity = exchange::read_identity(request.prior_identity.as_ref(), identity_schema);
        let prior = Saved { state: prior, private: request.prior_private.clone(), identity };
        if proposed.is_null() {
            return Ok(destroyed(request, &resource.protects(&prior)));
        }
        let config = exchange::read(request.config.as_ref(), schema)?;
        let is_new = prior.state.is_null();
        let mut change = self.change(&*resource, &request.type_name, &config, &prior).await?;
        let mut breaches =
            gate::plan_breaks(&schema.attributes, &config, &prior.state, &change.planned);
        breaches.extend(gate::paths_break(&change.replace, &prior.state, &change.planned));
        let planned_state = exchange::write(&change.planned, schema).unwrap_or_else(|breach| {
            breaches.push(breach);
            request.prior_state.clone().unwrap_or_else(exchange::null)
        });
        change.diags.extend(gate::explain(&breaches));
        Ok(Response {
            planned_state: Some(planned_state),
            requires_replace: change.replace.iter().map(Path::to_proto).collect(),
            planned_private: change.private,
            // In a replacement the identity sent is that of the object that goes away.
            planned_identity: request.prior_identity.clone().filter(|_| !is_new),
            diagnostics: change.diags.to_proto(),
            ..Response::default()
        })
    }

    /// The plan of a create (the prior state is null) or of an update.
    async fn change(
        &self,
        resource: &dyn AnyResource<Client<P>>,
        type_name: &str,
        config: &Datum,
        prior: &Saved,
    ) -> Result<Change, Diagnostics> {
        let schema = resource.schema();
        let attributes = &schema.attributes;
        let mut diags = plan::check(attributes, config);
        let proposed = plan::propose(attributes, config, &prior.state);
        let before = (!prior.state.is_null()).then_some(prior);
        if before.is_some() {
            diags.extend(plan::refusals(&plan::changes(attributes, &prior.state, &proposed)));
        }
        if diags.has_errors() {
            return Err(diags);
        }
        let client = self.client()?;
        let context = self.context(schema, &proposed, Operation::Read);
        let made = resource.plan(&client, config, before, &proposed, &context).await;
        diags.extend(made.diags);
        if diags.has_errors() {
            return Err(diags);
        }
        let mut change = Change {
            planned: made.saved.state,
            private: made.saved.private,
            replace: made.replace,
            diags,
        };
        let mut steps = made.steps;
        if before.is_none() {
            change.replace.clear();
        } else {
            let changes = plan::changes(attributes, &prior.state, &change.planned);
            // The resource may have planned what the schema refuses.
            change.diags.extend(plan::refusals(&changes));
            change.replace.extend(plan::replacements(&changes));
            change.replace.sort();
            change.replace.dedup();
            if change.replace.is_empty() {
                steps.splice(0..0, plan::restarts(&changes));
            } else {
                change.diags.extend(resource.protects(prior));
            }
        }
        change.diags.extend(announce(type_name, schema, &change.planned, &steps));
        Ok(change)
    }
}

struct Change {
    planned: Datum,
    private: bytes::Bytes,
    replace: Vec<Path>,
    diags: Diagnostics,
}

/// The one warning that tells the steps. Terraform merges warnings with equal summaries, so the
/// summary names the resource.
fn announce(
    type_name: &str,
    schema: &Schema,
    planned: &Datum,
    steps: &[String],
) -> Option<Diagnostic> {
    if steps.is_empty() {
        return None;
    }
    let is_shown = |key: &&&str| schema.attribute(key).is_some_and(|it| !it.rules.sensitive);
    let name = ["name", "id"].iter().filter(is_shown).find_map(|key| planned.get(key)?.as_str());
    let name = name.map(|it| format!(" {it:?}")).unwrap_or_default();
    let numbered = steps.iter().enumerate().map(|(at, step)| format!("{}. {step}", at + 1));
    let detail = numbered.collect::<Vec<_>>().join("\n");
    Some(Diagnostic::warning(
        format!("Applying this plan to {type_name}{name} takes steps"),
        detail,
    ))
}

/// The plan of a destroy: nothing, with the private data and identity that its apply will need.
fn destroyed(request: &Request, diags: &Diagnostics) -> Response {
    Response { planned_state: Some(exchange::null()), ..kept(request, diags) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model;
    use crate::tfplugin::model::Model;
    use crate::tfplugin::value::Value;
    use crate::tfplugin::wire::notation::datum;

    model! {
        /// An account.
        struct Account {
            /// Its name.
            name: Value<String> = required().sensitive(),
            /// Its number.
            id: Value<String> = computed(),
        }
    }

    #[test]
    fn a_sensitive_name_is_not_announced() {
        let schema = Account::schema(0);
        let planned = datum(&serde_json::json!({"name": "hunter2", "id": "7"}), schema.ty());
        let warning = announce("ha_account", &schema, &planned, &["restart it".to_owned()]);
        let summary = warning.as_ref().map(Diagnostic::summary);
        assert_eq!(summary, Some("Applying this plan to ha_account \"7\" takes steps"));
    }
}
