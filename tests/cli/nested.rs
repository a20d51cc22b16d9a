//! Nested objects change in place, element by element.

use serde_json::{Value, json};

use crate::engine::for_each_engine;
use crate::workspace::Workspace;

for_each_engine![
    members_of_a_map_join_change_and_leave_in_place,
    lists_sets_and_single_objects_change_in_place,
];

fn members_of_a_map_join_change_and_leave_in_place(at: &Workspace) {
    at.thing(
        r#"
        members = {
          m1 = { address = "10.0.0.1" }
          m2 = { address = "10.0.0.2", host = { key = "k" } }
        }
        "#,
    );
    at.settle().never_says("takes steps");
    at.thing(
        r#"
        size    = 2
        members = {
          m2 = { address = "10.0.0.2", port = 99, host = { user = "admin", key = "k" } }
          m3 = { address = "10.0.0.3" }
        }
        "#,
    );
    let plan = at.plan();
    assert_eq!(plan.actions("a"), "update");
    let unknown = plan.change("a")["after_unknown"]["members"].clone();
    assert_eq!(
        unknown,
        json!({ "m2": { "endpoint": true, "host": {} }, "m3": { "endpoint": true } })
    );
    plan.run
        .says("Warning: Applying this plan to probe_thing \"a\" takes steps")
        .says(
            "1. restart the thing, one host at a time, for `size` 2. member m3 joins 3. member m1 leaves",
        );
    at.settle();
    let members = at.attributes()["members"].clone();
    assert_eq!(members["m1"], Value::Null);
    assert_eq!(members["m2"]["endpoint"], "10.0.0.2:99");
    assert_eq!(members["m3"]["endpoint"], "10.0.0.3:2380");
    assert_eq!(at.events(), ["create a", "update a"]);
}

fn lists_sets_and_single_objects_change_in_place(at: &Workspace) {
    at.thing(
        r#"
        settings = { depth = 1 }
        rules    = [{ match = "x", weight = 1 }, { match = "y" }]
        groups   = [{ title = "t", roles = ["r1"] }, { title = "u" }]
        tags     = { a = "1", b = "2" }
        labels   = ["a", "b"]
        parts    = ["a", "b"]
        "#,
    );
    at.settle();
    at.thing(
        r#"
        settings = { mode = "fast", depth = 1 }
        rules    = [{ match = "new" }, { match = "x", weight = 1.5 }, { match = "y" }]
        groups   = [{ title = "t", roles = ["r1", "r2"] }, { title = "v" }]
        tags     = { b = "3", c = "4" }
        labels   = ["b", "c"]
        parts    = ["b"]
        "#,
    );
    let plan = at.plan();
    assert_eq!(plan.actions("a"), "update");
    let change = plan.change("a");
    assert_eq!(change["after_unknown"]["settings"], json!({ "effective": true }));
    assert_eq!(change["after_unknown"].get("fingerprint"), None, "nothing it follows changes");
    at.settle();
    let stored = at.attributes();
    assert_eq!(stored["settings"]["effective"], "fast/1");
    assert_eq!(stored["rules"][0], json!({ "match": "new", "weight": null }));
    assert_eq!(stored["tags"], json!({ "b": "3", "c": "4" }));

    // And away again, to nothing and to what is empty.
    at.thing("rules = []\ngroups = []\ntags = {}\nlabels = []\nmembers = {}");
    at.settle();
    let stored = at.attributes();
    assert_eq!(stored["settings"], Value::Null);
    assert_eq!(stored["parts"], Value::Null);
    assert_eq!(stored["rules"], json!([]));
    assert_eq!(stored["members"], json!({}));
    assert_eq!(at.events(), ["create a", "update a", "update a"]);
}
