//! States that were written by other versions: each version leaves a fixture, and all must be read.

use std::fs;

use serde_json::{Value, json};

use crate::engine::for_each_engine;
use crate::workspace::Workspace;

for_each_engine![
    the_states_of_all_versions_are_read,
    a_stored_key_that_is_not_in_the_schema_is_ignored,
    a_state_from_the_future_is_refused,
];

/// A configuration, and the states of all versions that were stored for it.
const CONFIG: &str = include_str!("../fixtures/state/probe_thing.tf");
const STATES: [&str; 2] = [
    include_str!("../fixtures/state/probe_thing_v0.json"),
    include_str!("../fixtures/state/probe_thing_v1.json"),
];

/// Puts a stored state in place, with the object that it is about.
fn restore(at: &Workspace, state: &str) {
    let state = state.replace("registry.terraform.io", at.engine.registry());
    fs::write(at.path("terraform.tfstate"), state).unwrap();
    at.put_object(&json!({ "name": "a", "note": "hello", "size": 3, "serial": 2 }));
    at.config(CONFIG);
}

/// The state of the present version, changed.
fn restore_with(at: &Workspace, change: impl FnOnce(&mut Value)) {
    let mut state = serde_json::from_str(STATES[1]).unwrap();
    change(&mut state);
    restore(at, &state.to_string());
}

fn the_states_of_all_versions_are_read(at: &Workspace) {
    for state in STATES {
        restore(at, state);
        at.plan_is_empty();
    }
    // What is read is stored in the present form.
    restore(at, STATES[0]);
    at.run(&["apply", "-auto-approve", "-refresh-only"]).succeeds();
    let stored = at.stored("a").unwrap();
    assert_eq!(stored["schema_version"], 1);
    assert_eq!(stored["attributes"]["name"], "a");
    assert_eq!(stored["attributes"]["size"], 3);
    assert_eq!(stored["attributes"].get("title"), None);
}

fn a_stored_key_that_is_not_in_the_schema_is_ignored(at: &Workspace) {
    restore_with(at, |state| {
        let attributes = &mut state["resources"][0]["instances"][0]["attributes"];
        attributes["gone"] = "x".into();
        attributes["settings"]["gone"] = json!({ "deep": 1 });
        attributes["members"]["x"]["gone"] = true.into();
        attributes.as_object_mut().unwrap().remove("ratio");
    });
    at.config(&CONFIG.replace("ratio", "# ratio"));
    at.plan_is_empty();
}

fn a_state_from_the_future_is_refused(at: &Workspace) {
    restore_with(at, |state| state["resources"][0]["instances"][0]["schema_version"] = 2.into());
    at.plan_fails().says("newer");
}
