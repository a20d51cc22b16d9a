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

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n";

/// Nodes by letters, each on a machine of its own.
fn nodes(names: &str) -> Json {
    let node = |name: &str| {
        let number = name.as_bytes()[0] - b'a' + 1;
        (name.to_owned(), json!({"host": {"address": format!("192.0.2.{number}")}}))
    };
    Json::Object(names.split_whitespace().map(node).collect())
}

/// The cluster of etcd, with these attributes instead.
fn etcd(edit: Json) -> Json {
    let host = |address: &str| json!({"host": {"address": address}, "address": address});
    let mut etcd = json!({
        "id": "7", "name": "prod", "ca_certificate": PEM, "generation": 0,
        "endpoints": ["https://198.51.100.1:2379", "https://198.51.100.2:2379"],
        "hosts": {"x": host("198.51.100.1"), "y": host("198.51.100.2")},
    });
    for (key, value) in edit.as_object().unwrap() {
        etcd[key] = value.clone();
    }
    etcd
}

/// A control plane of three, with these attributes instead.
fn control_plane(edit: &Json) -> Json {
    let mut it = json!({
        "name": "prod", "version": "1.34.4", "endpoint": "api.example.test:6443",
        "etcd": etcd(json!({})), "nodes": nodes("a b c"),
    });
    for (key, value) in edit.as_object().unwrap() {
        it[key] = value.clone();
    }
    it
}

/// What was planned for such a configuration, and its state once that was applied.
fn applied(edit: &Json) -> (ControlPlaneModel, Datum) {
    let schema = ControlPlaneModel::schema(0);
    let config = datum(&control_plane(edit), schema.ty());
    let planned = plan::propose(&schema.attributes, &config, &Datum::Null);
    let mut model: ControlPlaneModel = decode(&planned).unwrap();
    (model.id, model.ca_certificate) = ("1".into(), PEM.into());
    complete(&mut model);
    let state = encode_over(&model, &planned);
    (model, state)
}

/// What a plan tells.
#[derive(Debug, Default)]
struct Told {
    diags: Diagnostics,
    steps: Vec<String>,
    announced: Announced,
    planned: ControlPlaneModel,
}

/// As an engine validates and plans it.
async fn plan_of(prior: Option<&Json>, edit: &Json) -> Diagnostics {
    told(prior, edit).await.diags
}

async fn told(prior: Option<&Json>, edit: &Json) -> Told {
    let schema = ControlPlaneModel::schema(0);
    let attributes = &schema.attributes;
    let config = datum(&control_plane(edit), schema.ty());
    let mut found = plan::check(attributes, &config);
    let model: ControlPlaneModel = match decode(&config) {
        Ok(model) => model,
        Err(diags) => return Told { diags, ..Told::default() },
    };
    if !found.has_errors() {
        found.extend(ControlPlane.validate(&model));
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
    let object = |state| Object { state, private: Kept::default(), identity: None };
    let mut change = Planning {
        config: model,
        prior: prior.map(|it| object(it.0)),
        planned: decode(&proposed).unwrap(),
        private: Kept::default(),
        replace: Vec::new(),
        steps: Vec::new(),
    };
    let context = Context::new(CancellationToken::new(), Duration::from_secs(30));
    let client = client(json!({}), USUAL);
    found.extend(ControlPlane.plan(&client, &mut change, &context).await);
    Told {
        diags: found,
        steps: change.steps,
        announced: change.private.announced,
        planned: change.planned,
    }
}
