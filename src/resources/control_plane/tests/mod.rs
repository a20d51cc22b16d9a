//! Plans as an engine makes them, from a configuration and a state, in tables. No host is asked.
#![allow(clippy::needless_pass_by_value, reason = "the rows of a table are values")]

mod foretold;
mod refusals;

use serde_json::{Value as Json, json};

use super::model::complete;
use super::*;
use crate::resources::planned::{self, edited, expect, planned};
use crate::tfplugin::value::Datum;

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n";

/// Somebody who can open a recovery bundle.
const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
/// One of them.
const OTHER_RECIPIENT: &str = "age1d38cm6gvu37dqpfgahsq82m5fzprrffrdprjlyt50nwr0dl6yyfsj6pcfg";
const BUNDLE: &str = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n";

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
    let etcd = json!({
        "id": "7", "name": "prod", "ca_certificate": PEM, "generation": 0,
        "endpoints": ["https://198.51.100.1:2379", "https://198.51.100.2:2379"],
        "hosts": {"x": host("198.51.100.1"), "y": host("198.51.100.2")},
    });
    edited(etcd, &edit)
}

/// A control plane of three, with these attributes instead.
fn control_plane(edit: &Json) -> Json {
    let it = json!({
        "name": "prod", "version": "1.34.4", "endpoint": "api.example.test:6443",
        "etcd": etcd(json!({})), "nodes": nodes("a b c"), "recovery_recipients": [RECIPIENT],
    });
    edited(it, edit)
}

/// What was planned for such a configuration, and its state once that was applied.
fn applied(edit: &Json) -> (ControlPlaneModel, Datum) {
    planned::applied(&control_plane(edit), |model: &mut ControlPlaneModel| {
        (model.id, model.ca_certificate) = ("1".into(), PEM.into());
        let has_any = model.recovery_recipients.known().is_some_and(|it| !it.is_empty());
        model.recovery_bundle = if has_any { BUNDLE.into() } else { Value::Null };
        complete(model);
    })
}

/// What was planned for such a configuration.
pub(super) fn planned_model(edit: &Json) -> ControlPlaneModel {
    planned::applied(&control_plane(edit), |_| ()).0
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
    told_with(prior, edit, Kept::default()).await
}

async fn told_with(prior: Option<&Json>, edit: &Json, private: Kept) -> Told {
    let (config, prior) = (control_plane(edit), prior.map(applied));
    let (diags, change) = planned(&ControlPlane, &config, prior, private).await;
    let Some(change) = change else { return Told { diags, ..Told::default() } };
    let announced = change.private.announced;
    Told { diags, steps: change.steps, announced, planned: change.planned }
}
