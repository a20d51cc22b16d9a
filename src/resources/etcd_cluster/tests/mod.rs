//! Plans as an engine makes them, from a configuration and a state, in tables. No host is asked.
#![allow(clippy::needless_pass_by_value, reason = "the rows of a table are values")]

mod foretold;
mod refusals;

use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use super::model::complete;
use super::*;
use crate::resources::provider::tests::{USUAL, client};
use crate::tfplugin::model::{Model, decode, encode_over};
use crate::tfplugin::plan;
use crate::tfplugin::value::Datum;
use crate::tfplugin::wire::notation::datum;

/// Members by letters, each on a machine of its own.
fn members(names: &str) -> Json {
    let member = |name: &str| {
        let number = name.as_bytes()[0] - b'a' + 1;
        (name.to_owned(), json!({"host": {"address": format!("192.0.2.{number}")}}))
    };
    Json::Object(names.split_whitespace().map(member).collect())
}

/// A cluster of three, with these attributes instead.
fn cluster(edit: &Json) -> Json {
    let mut cluster = json!({"name": "prod", "version": "3.6.16", "members": members("a b c")});
    for (key, value) in edit.as_object().unwrap() {
        cluster[key] = value.clone();
    }
    cluster
}

/// What was planned for such a configuration, and its state once that was applied.
fn applied(edit: &Json) -> (EtcdClusterModel, Datum) {
    let schema = EtcdClusterModel::schema(0);
    let config = datum(&cluster(edit), schema.ty());
    let planned = plan::propose(&schema.attributes, &config, &Datum::Null);
    let mut model: EtcdClusterModel = decode(&planned).unwrap();
    (model.id, model.cluster_id, model.ca_certificate) = ("1".into(), "c1".into(), "PEM".into());
    complete(&mut model);
    let state = encode_over(&model, &planned);
    (model, state)
}

fn context() -> Context {
    Context::new(CancellationToken::new(), Duration::from_secs(30))
}

/// What a plan tells.
#[derive(Debug, Default)]
struct Told {
    diags: Diagnostics,
    steps: Vec<String>,
    announced: Announced,
}

/// As an engine validates and plans it.
async fn plan_of(prior: Option<&Json>, edit: &Json) -> Diagnostics {
    told(prior, edit, Kept::default()).await.diags
}

/// The same, with this beside the state.
async fn told(prior: Option<&Json>, edit: &Json, private: Kept) -> Told {
    let schema = EtcdClusterModel::schema(0);
    let attributes = &schema.attributes;
    let config = datum(&cluster(edit), schema.ty());
    let mut found = plan::check(attributes, &config);
    let model: EtcdClusterModel = match decode(&config) {
        Ok(model) => model,
        Err(diags) => return Told { diags, ..Told::default() },
    };
    if !found.has_errors() {
        found.extend(EtcdCluster.validate(&model));
    }
    let prior = prior.map(applied);
    let before = prior.as_ref().map_or(&Datum::Null, |it| &it.1);
    let proposed = plan::propose(attributes, &config, before);
    if prior.is_some() {
        found.extend(plan::refusals(&plan::changes(attributes, before, &proposed)));
    }
    if found.has_errors() {
        return Told { diags: found, ..Told::default() };
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
    found.extend(EtcdCluster.plan(&client, &mut change, &context()).await);
    Told { diags: found, steps: change.steps, announced: change.private.announced }
}
