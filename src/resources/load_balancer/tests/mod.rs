//! Plans as an engine makes them, from a configuration and a state, in tables. No host is asked.
#![allow(clippy::needless_pass_by_value, reason = "the rows of a table are values")]

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

/// Nodes by name, each on a machine of its own.
fn nodes_of(names: &str) -> Json {
    let node = |(at, name): (usize, &str)| {
        (name.to_owned(), json!({"host": {"address": format!("192.0.2.{}", 11 + at)}}))
    };
    Json::Object(names.split_whitespace().enumerate().map(node).collect())
}

/// A balancer of two with a virtual IP, with these attributes instead.
fn balancer(edit: &Json) -> Json {
    let mut balancer = json!({
        "name": "api", "port": 6443, "nodes": nodes_of("lb1 lb2"),
        "backends": {"cp1": "192.0.2.21:6443", "cp2": "192.0.2.22:6443"},
        "health_check": {"protocol": "tcp"},
        "virtual_ip": {"address": "192.0.2.100/24", "router_id": 71},
    });
    for (key, value) in edit.as_object().unwrap() {
        balancer[key] = value.clone();
    }
    balancer
}

/// The state once such a configuration was applied.
fn applied(edit: &Json) -> (LoadBalancerModel, Datum) {
    let schema = LoadBalancerModel::schema(0);
    let config = datum(&balancer(edit), schema.ty());
    let planned = plan::propose(&schema.attributes, &config, &Datum::Null);
    let mut model: LoadBalancerModel = decode(&planned).unwrap();
    model.id = "1".into();
    complete(&mut model);
    let state = encode_over(&model, &planned);
    (model, state)
}

/// As an engine validates and plans it.
async fn plan_of(prior: Option<&Json>, edit: &Json) -> Diagnostics {
    let schema = LoadBalancerModel::schema(0);
    let attributes = &schema.attributes;
    let config = datum(&balancer(edit), schema.ty());
    let mut found = plan::check(attributes, &config);
    let model: LoadBalancerModel = match decode(&config) {
        Ok(model) => model,
        Err(diags) => return diags,
    };
    if !found.has_errors() {
        found.extend(LoadBalancer.validate(&model));
    }
    let prior = prior.map(applied);
    let before = prior.as_ref().map_or(&Datum::Null, |it| &it.1);
    let proposed = plan::propose(attributes, &config, before);
    if prior.is_some() {
        found.extend(plan::refusals(&plan::changes(attributes, before, &proposed)));
    }
    if found.has_errors() {
        return found;
    }
    let object = |state| Object { state, private: Kept::default(), identity: None };
    let mut change = Planning {
        config: model,
        prior: prior.map(|it| object(it.0)),
        planned: decode(&proposed).unwrap(),
        private: Kept::default(),
        replace: Vec::new(),
        steps: Vec::new(),
    };
    let client = client(json!({}), USUAL);
    let context = Context::new(CancellationToken::new(), Duration::from_secs(30));
    found.extend(LoadBalancer.plan(&client, &mut change, &context).await);
    found
}
