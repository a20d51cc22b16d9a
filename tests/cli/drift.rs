//! Somebody else changed an object.

use serde_json::json;

use crate::engine::for_each_engine;
use crate::workspace::Workspace;

for_each_engine![drift_is_told_and_mended];

fn drift_is_told_and_mended(at: &Workspace) {
    at.thing("note = \"hello\"");
    at.apply();
    let mut object = at.object("a").unwrap();
    object["edited"] = true.into();
    at.put_object(&object);

    let seen = at.run(&["plan", "-refresh-only"]).succeeds();
    seen.says("probe_thing.a has changed").says("drift = [ + \"a.json was edited\", ]");

    let plan = at.plan();
    assert_eq!(plan.actions("a"), "update");
    let change = plan.change("a");
    assert_eq!(change["before"]["drift"], json!(["a.json was edited"]));
    assert_eq!(change["after"]["drift"], json!([]));
    plan.run.says("drift = [ - \"a.json was edited\", ]");

    at.settle();
    assert_eq!(at.object("a").unwrap()["edited"], false);
    assert_eq!(at.attributes()["drift"], json!([]));
}
