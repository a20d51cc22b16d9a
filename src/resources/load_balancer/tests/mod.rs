//! Plans as an engine makes them, from a configuration and a state, in tables. No host is asked.
#![allow(clippy::needless_pass_by_value, reason = "the rows of a table are values")]

mod refusals;

use serde_json::{Value as Json, json};

use super::model::complete;
use super::*;
use crate::resources::planned::{self, edited, expect, planned};
use crate::tfplugin::value::Datum;

/// Nodes by name, each on a machine of its own.
fn nodes_of(names: &str) -> Json {
    let node = |(at, name): (usize, &str)| {
        (name.to_owned(), json!({"host": {"address": format!("192.0.2.{}", 11 + at)}}))
    };
    Json::Object(names.split_whitespace().enumerate().map(node).collect())
}

/// A balancer of two with a virtual IP, with these attributes instead.
fn balancer(edit: &Json) -> Json {
    let balancer = json!({
        "name": "api", "port": 6443, "nodes": nodes_of("lb1 lb2"),
        "backends": {"cp1": "192.0.2.21:6443", "cp2": "192.0.2.22:6443"},
        "health_check": {"protocol": "tcp"},
        "virtual_ip": {"address": "192.0.2.100/24", "router_id": 71},
    });
    edited(balancer, edit)
}

/// The state once such a configuration was applied.
fn applied(edit: &Json) -> (LoadBalancerModel, Datum) {
    planned::applied(&balancer(edit), |model: &mut LoadBalancerModel| {
        model.id = "1".into();
        complete(model);
    })
}

/// As an engine validates and plans it.
async fn plan_of(prior: Option<&Json>, edit: &Json) -> Diagnostics {
    let prior = prior.map(applied);
    planned(&LoadBalancer, &balancer(edit), prior, Kept::default()).await.0
}
