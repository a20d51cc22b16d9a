//! Plans as an engine makes them, from a configuration and a state, in tables. No host is asked.
#![allow(clippy::needless_pass_by_value, reason = "the rows of a table are values")]

mod foretold;
mod refusals;
mod restores;

use serde_json::{Value as Json, json};

use super::model::complete;
use super::*;
use crate::resources::planned::{self, edited, expect, planned};
use crate::tfplugin::value::Datum;

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
    let cluster = json!({"name": "prod", "version": "3.6.16", "members": members("a b c")});
    edited(cluster, edit)
}

/// What was planned for such a configuration, and its state once that was applied.
fn applied(edit: &Json) -> (EtcdClusterModel, Datum) {
    planned::applied(&cluster(edit), |model: &mut EtcdClusterModel| {
        (model.id, model.cluster_id) = ("1".into(), "c1".into());
        model.ca_certificate = "PEM".into();
        complete(model);
    })
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
    let (config, prior) = (cluster(edit), prior.map(applied));
    let (diags, change) = planned(&EtcdCluster, &config, prior, private).await;
    let Some(change) = change else { return Told { diags, ..Told::default() } };
    Told { diags, steps: change.steps, announced: change.private.announced }
}
