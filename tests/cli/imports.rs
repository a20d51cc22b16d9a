//! An object that exists comes under control.

use std::fs;

use serde_json::{Value, json};

use crate::engine::for_each_engine;
use crate::workspace::{Workspace, thing};

for_each_engine![
    an_object_is_imported_by_the_command,
    an_object_is_imported_by_a_block,
    an_object_is_imported_by_its_identity,
    a_configuration_that_is_generated_describes_the_object,
    what_does_not_exist_cannot_be_imported,
];

/// An object of which nothing is stored any more, and a configuration that describes it.
fn existing(at: &Workspace) -> String {
    let config = thing(
        "a",
        r#"
        note     = "hello"
        size     = 3
        ratio    = 0.1
        tags     = { x = "y" }
        settings = { depth = 1 }
        members  = { x = { address = "10.0.0.1", host = {} } }
        rules    = [{ match = "x" }]
        groups   = [{ title = "t", roles = ["r"] }]
        anything = { a = [1, "two"] }
        "#,
    );
    at.config(&config);
    at.apply();
    fs::remove_file(at.path("terraform.tfstate")).unwrap();
    config
}

/// The import changed nothing, and nothing is to be changed.
fn is_imported(at: &Workspace) {
    at.plan_is_empty();
    assert_eq!(at.events(), ["create a"]);
    let stored = at.stored("a").unwrap();
    assert_eq!(stored["attributes"]["id"], "thing-a");
    assert_eq!(stored["attributes"]["members"]["x"]["endpoint"], "10.0.0.1:2380");
    let identity = if at.engine.knows_identity() { json!("a") } else { Value::Null };
    assert_eq!(stored["identity"]["name"], identity);
}

fn an_object_is_imported_by_the_command(at: &Workspace) {
    existing(at);
    at.run(&["import", "probe_thing.a", "a"]).succeeds().says("Import successful!");
    is_imported(at);
}

fn an_object_is_imported_by_a_block(at: &Workspace) {
    let config = existing(at);
    at.config(&format!("import {{\n  to = probe_thing.a\n  id = \"a\"\n}}\n{config}"));
    at.apply().says("1 imported, 0 added, 0 changed, 0 destroyed");
    is_imported(at);
}

fn an_object_is_imported_by_its_identity(at: &Workspace) {
    if !at.engine.knows_identity() {
        eprintln!("left out: this {:?} is older than 1.12 and knows no identity", at.engine);
        return;
    }
    let config = existing(at);
    at.config(&format!(
        "import {{\n  to = probe_thing.a\n  identity = {{ name = \"a\" }}\n}}\n{config}"
    ));
    at.apply().says("1 imported, 0 added, 0 changed, 0 destroyed");
    is_imported(at);
}

fn a_configuration_that_is_generated_describes_the_object(at: &Workspace) {
    existing(at);
    at.config("import {\n  to = probe_thing.a\n  id = \"a\"\n}\n");
    at.run(&["plan", "-generate-config-out=generated.tf"])
        .succeeds()
        .says("1 to import, 0 to add, 0 to change, 0 to destroy");
    at.apply().says("1 imported, 0 added, 0 changed, 0 destroyed");
    is_imported(at);
}

fn what_does_not_exist_cannot_be_imported(at: &Workspace) {
    at.thing("");
    at.run(&["import", "probe_thing.a", "a"])
        .fails()
        .says("Error: There is no such thing")
        .says("There is no a.json in");
    assert!(!at.path("terraform.tfstate").exists() || at.stored("a").is_none());
}
