//! Values that are known only after something else was applied.

use serde_json::json;

use crate::engine::for_each_engine;
use crate::workspace::{Workspace, thing};

for_each_engine![
    a_chain_of_things_is_planned_at_once,
    elements_of_collections_may_be_unknown,
    whole_objects_and_maps_may_be_unknown,
    the_whole_provider_configuration_may_be_unknown,
    what_cannot_be_looked_at_in_a_plan_stays_as_it_is_stored,
];

fn a_chain_of_things_is_planned_at_once(at: &Workspace) {
    let chain = |note: &str| {
        at.config(
            &(thing("a", &format!("note = \"{note}\""))
                + &thing("b", "note = probe_thing.a.fingerprint")
                + &thing("c", "note = probe_thing.b.fingerprint\nsize = probe_thing.a.serial + 1")),
        );
    };
    chain("x");
    let plan = at.plan();
    assert_eq!(plan.change("c")["after_unknown"]["note"], true);
    at.settle();
    assert_eq!(at.stored("c").unwrap()["attributes"]["note"], "b:5:1");

    // What was known becomes unknown and known again.
    chain("longer");
    let plan = at.plan();
    assert_eq!([plan.actions("a"), plan.actions("b"), plan.actions("c")], ["update"; 3]);
    at.settle();
    assert_eq!(at.stored("c").unwrap()["attributes"]["size"], 3);
}

fn elements_of_collections_may_be_unknown(at: &Workspace) {
    at.config(
        &(thing("a", "")
            + &thing(
                "b",
                r#"
                tags    = { known = "x", unknown = probe_thing.a.id }
                labels  = ["x", probe_thing.a.id]
                parts   = ["x", probe_thing.a.id]
                rules   = [{ match = "x" }, { match = probe_thing.a.id, weight = probe_thing.a.serial }]
                groups  = [{ title = "x" }, { title = probe_thing.a.id, roles = [probe_thing.a.id] }]
                members = { x = { address = probe_thing.a.id, host = { user = probe_thing.a.id } } }
                anything = { list = [probe_thing.a.id, 1] }
                "#,
            )),
    );
    let planned = at.plan().change("b");
    assert_eq!(planned["after"]["parts"], json!(["x", null]));
    assert_eq!(planned["after_unknown"]["parts"], json!([false, true]));
    at.settle();
    let stored = at.stored("b").unwrap()["attributes"].clone();
    assert_eq!(stored["tags"]["unknown"], "thing-a");
    assert_eq!(stored["labels"], json!(["thing-a", "x"]));
    assert_eq!(stored["rules"][1], json!({ "match": "thing-a", "weight": 1 }));
    assert_eq!(stored["members"]["x"]["endpoint"], "thing-a:2380");
    assert_eq!(stored["members"]["x"]["host"]["user"], "thing-a");
}

fn whole_objects_and_maps_may_be_unknown(at: &Workspace) {
    at.config(
        &(thing("a", "")
            + r#"
            locals {
              is_first = probe_thing.a.serial == 1
              settings = local.is_first ? { mode = "fast", depth = 2 } : { mode = "slow", depth = 1 }
              members  = local.is_first ? tomap({ x = { address = "10.0.0.1" } }) : tomap({})
              rules    = local.is_first ? tolist([{ match = "x" }]) : tolist([])
              groups   = local.is_first ? toset([{ title = "x" }]) : toset([])
              tags     = local.is_first ? tomap({ x = "y" }) : tomap({})
              anything = local.is_first ? { deep = ["x"] } : { deep = ["y"] }
            }
            "#
            + &thing(
                "b",
                r"
                settings = local.settings
                members  = local.members
                rules    = local.rules
                groups   = local.groups
                tags     = local.tags
                anything = local.anything
                ",
            )),
    );
    let unknown = at.plan().change("b")["after_unknown"].clone();
    for name in ["settings", "members", "rules", "groups", "tags"] {
        assert_eq!(unknown[name], true, "{name}: {unknown}");
    }
    at.settle();
    let stored = at.stored("b").unwrap()["attributes"].clone();
    let settings = json!({ "mode": "fast", "depth": 2, "effective": "fast/2" });
    assert_eq!(stored["settings"], settings);
    assert_eq!(stored["members"]["x"]["endpoint"], "10.0.0.1:2380");
    assert_eq!(stored["groups"][0]["title"], "x");
}

/// A thing `a`, and a thing `b` in a directory that is named after it.
fn a_directory_named_after_a_thing(at: &Workspace, name: &str) {
    at.config(&format!(
        r#"
            resource "probe_thing" "a" {{
              name = "{name}"
            }}
            provider "probe" {{
              alias     = "second"
              directory = "${{path.module}}/${{probe_thing.a.id}}"
            }}
            resource "probe_thing" "b" {{
              provider = probe.second
              name     = "b"
            }}
            "#
    ));
}

fn the_whole_provider_configuration_may_be_unknown(at: &Workspace) {
    a_directory_named_after_a_thing(at, "a");
    at.settle();
    assert!(at.path("thing-a/b.json").exists());
}

fn what_cannot_be_looked_at_in_a_plan_stays_as_it_is_stored(at: &Workspace) {
    a_directory_named_after_a_thing(at, "a");
    at.apply();
    // The first thing is replaced, so the directory of the second one is unknown until then.
    a_directory_named_after_a_thing(at, "c");
    let plan = at.plan();
    assert_eq!([plan.actions("a"), plan.actions("b")], ["delete, create", "no-op"]);
    plan.run.says("Warning: The thing was not looked at").says("with probe_thing.b,");
    // The apply follows that plan. The next one looks into the new directory, and nothing is there.
    at.apply();
    assert_eq!(at.plan().actions("b"), "create");
    at.settle();
    assert!(at.path("thing-c/b.json").exists());
}
