//! Plans as an engine makes them, from a configuration and a state, for tables. No host is asked.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use super::provider::Ha;
use super::provider::tests::{USUAL, client};
use crate::tfplugin::api::{Context, Object, Planning, Resource};
use crate::tfplugin::diagnostics::{Diagnostics, Severity};
use crate::tfplugin::model::{Model, decode, encode_over};
use crate::tfplugin::plan;
use crate::tfplugin::value::Datum;
use crate::tfplugin::wire::notation::datum;

/// An object with these attributes instead.
pub(super) fn edited(mut object: Json, edit: &Json) -> Json {
    for (key, value) in edit.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

/// What was planned for a configuration, and its state once that was applied. `told` is what only hosts know.
pub(super) fn applied<M: Model>(config: &Json, told: impl FnOnce(&mut M)) -> (M, Datum) {
    let schema = M::schema(0);
    let config = datum(config, schema.ty());
    let planned = plan::propose(&schema.attributes, &config, &Datum::Null);
    let mut model = decode(&planned).unwrap();
    told(&mut model);
    let state = encode_over(&model, &planned);
    (model, state)
}

/// As an engine validates and plans it. No plan: there was an error before.
pub(super) async fn planned<R: Resource<Provider = Ha>>(
    resource: &R,
    config: &Json,
    prior: Option<(R::Model, Datum)>,
    private: R::Private,
) -> (Diagnostics, Option<Planning<R>>) {
    let schema = R::Model::schema(0);
    let attributes = &schema.attributes;
    let config = datum(config, schema.ty());
    let mut found = plan::check(attributes, &config);
    let model: R::Model = match decode(&config) {
        Ok(model) => model,
        Err(diags) => return (diags, None),
    };
    if !found.has_errors() {
        found.extend(resource.validate(&model));
    }
    let before = prior.as_ref().map_or(&Datum::Null, |it| &it.1);
    let proposed = plan::propose(attributes, &config, before);
    if prior.is_some() {
        found.extend(plan::refusals(&plan::changes(attributes, before, &proposed)));
    }
    if found.has_errors() {
        return (found, None);
    }
    let object = |state| Object { state, private: private.clone(), identity: None };
    let mut change = Planning {
        config: model,
        prior: prior.map(|it| object(it.0)),
        planned: decode(&proposed).unwrap(),
        private: private.clone(),
        replace: Vec::new(),
        steps: Vec::new(),
    };
    let client = client(json!({}), USUAL);
    let context = Context::new(CancellationToken::new(), Duration::from_secs(30));
    found.extend(resource.plan(&client, &mut change, &context).await);
    (found, Some(change))
}

/// One error, at this path, with these words.
#[track_caller]
pub(super) fn expect(found: &Diagnostics, edit: &Json, path: &str, words: &str) {
    let errors: Vec<_> = found.iter().filter(|it| it.severity() == Severity::Error).collect();
    let [error] = errors.as_slice() else { panic!("{edit}: {errors:?}") };
    assert_eq!(error.path().to_string(), path, "{edit}: {error:?}");
    let text = format!("{}: {}", error.summary(), error.detail());
    assert!(text.contains(words), "{edit}: {text}");
}
