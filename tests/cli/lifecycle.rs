//! From nothing to nothing, when all goes well.

use std::fs;

use serde_json::json;

use crate::engine::for_each_engine;
use crate::workspace::Workspace;

for_each_engine![
    a_thing_is_created_changed_in_place_and_destroyed,
    defaults_are_in_the_plan,
    another_name_is_a_replacement,
    a_replacement_may_be_created_before_the_old_one_is_destroyed,
    taint_and_the_replace_flag_replace,
    an_object_that_was_deleted_by_hand_is_created_again,
    a_data_source_reads_what_exists,
];

fn a_thing_is_created_changed_in_place_and_destroyed(at: &Workspace) {
    at.thing("note = \"hello\"");
    at.settle().says("1 added, 0 changed, 0 destroyed");
    let object = at.object("a").unwrap();
    assert_eq!((&object["note"], &object["size"]), (&json!("hello"), &json!(1)));

    at.thing("note = \"hello again\"\nsize = 3");
    at.settle()
        .says("0 added, 1 changed, 0 destroyed")
        .says("Applying this plan to probe_thing \"a\" takes steps")
        .says("1. restart the thing, one host at a time, for `size`");
    let object = at.object("a").unwrap();
    assert_eq!((&object["note"], &object["size"]), (&json!("hello again"), &json!(3)));
    let stored = at.attributes();
    assert_eq!(stored["id"], "thing-a");
    assert_eq!(stored["serial"], 2);
    assert_eq!(stored["fingerprint"], "a:11:3");

    at.destroy().says("1 destroyed");
    assert_eq!(at.object("a"), None);
    assert_eq!(at.state()["resources"], json!([]));
    assert_eq!(at.events(), ["create a", "update a", "delete a"]);
}

fn defaults_are_in_the_plan(at: &Workspace) {
    at.thing(
        r#"
        settings = {}
        members  = { x = { address = "10.0.0.1", host = {} } }
        "#,
    );
    let plan = at.plan();
    let plan_text = &plan.run;
    for line in ["+ kind = \"small\"", "+ size = 1", "+ protected = false", "+ drift = []"] {
        assert!(plan_text.has(line), "{line} is not shown:\n{}", plan_text.text);
    }
    let after = &plan.change("a")["after"];
    assert_eq!(after["settings"], json!({ "mode": "slow", "depth": null }));
    let member =
        json!({ "address": "10.0.0.1", "port": 2380, "host": { "user": "root", "key": null } });
    assert_eq!(after["members"]["x"], member);
    let unknown = &plan.change("a")["after_unknown"];
    for path in ["/id", "/fingerprint", "/serial", "/settings/effective", "/members/x/endpoint"] {
        assert_eq!(unknown.pointer(path), Some(&json!(true)), "{path}");
    }
}

fn another_name_is_a_replacement(at: &Workspace) {
    at.thing("");
    at.apply();
    at.config("resource \"probe_thing\" \"a\" {\n  name = \"b\"\n}");
    let plan = at.plan();
    assert_eq!(plan.actions("a"), "delete, create");
    assert_eq!(plan.change("a")["replace_paths"], json!([["name"]]));
    plan.run.says("name = \"a\" -> \"b\" # forces replacement");
    at.settle();
    assert_eq!(at.events(), ["create a", "delete a", "create b"]);
    assert_eq!(at.attributes()["id"], "thing-b");
}

fn a_replacement_may_be_created_before_the_old_one_is_destroyed(at: &Workspace) {
    let with = |name: &str| {
        at.config(&format!(
            r#"
            resource "probe_thing" "a" {{
              name = "{name}"
              lifecycle {{ create_before_destroy = true }}
            }}
            "#
        ));
    };
    with("a");
    at.apply();
    with("b");
    at.settle();
    assert_eq!(at.events(), ["create a", "create b", "delete a"]);
}

fn taint_and_the_replace_flag_replace(at: &Workspace) {
    at.thing("");
    at.apply();
    at.run(&["taint", "probe_thing.a"]).succeeds();
    at.apply().says("1 added, 0 changed, 1 destroyed");
    at.run(&["apply", "-auto-approve", "-replace=probe_thing.a"])
        .succeeds()
        .says("1 added, 0 changed, 1 destroyed");
    assert_eq!(at.events(), ["create a", "delete a", "create a", "delete a", "create a"]);
    at.plan_is_empty();
}

fn an_object_that_was_deleted_by_hand_is_created_again(at: &Workspace) {
    at.thing("");
    at.apply();
    fs::remove_file(at.object_path("a")).unwrap();
    assert_eq!(at.plan().actions("a"), "create");
    at.settle();
    assert!(at.object("a").is_some());
}

fn a_data_source_reads_what_exists(at: &Workspace) {
    at.put_object(&json!({ "name": "web-1", "size": 1, "serial": 1 }));
    at.put_object(&json!({ "name": "web-2", "size": 1, "serial": 1 }));
    at.put_object(&json!({ "name": "db-1", "size": 1, "serial": 1 }));
    at.config(
        r#"
        data "probe_things" "all" {}
        data "probe_things" "web" { prefix = "web-" }
        output "all" { value = data.probe_things.all.names }
        output "web" { value = data.probe_things.web.names }
        "#,
    );
    at.settle();
    let outputs = &at.state()["outputs"];
    assert_eq!(outputs["all"]["value"], json!(["db-1", "web-1", "web-2"]));
    assert_eq!(outputs["web"]["value"], json!(["web-1", "web-2"]));
}
