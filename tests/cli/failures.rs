//! What is saved when an operation fails, and how the next apply goes on.

use serde_json::json;

use crate::engine::for_each_engine;
use crate::workspace::{Workspace, thing};

for_each_engine![
    a_failed_create_leaves_nothing_recorded,
    a_create_that_fails_midway_is_tainted_and_replaced,
    a_failed_update_saves_what_was_reached,
    a_failed_destroy_keeps_the_object_and_what_belongs_to_it,
    a_failed_read_keeps_what_is_stored,
    an_operation_that_takes_too_long_stops_at_a_step,
    a_panic_in_create_is_an_error_and_the_process_lives,
    a_panic_in_update_keeps_the_prior_state,
];

fn a_failed_create_leaves_nothing_recorded(at: &Workspace) {
    at.thing("fail = \"create\"");
    at.apply_fails()
        .says("Error: The thing was not created")
        .says("Nothing was written. Take `fail` away and apply again.");
    assert!(at.stored("a").is_none(), "nothing is recorded");
    at.thing("");
    assert_eq!(at.plan().actions("a"), "create");
    at.settle();
    assert_eq!(at.events(), ["create a"]);
}

fn a_create_that_fails_midway_is_tainted_and_replaced(at: &Workspace) {
    at.thing("fail = \"create-partial\"");
    at.apply_fails().says("Error: The thing is created in part");
    let stored = at.stored("a").unwrap();
    assert_eq!(stored["status"], "tainted");
    assert_eq!(stored["attributes"]["id"], "thing-a");
    at.thing("");
    let plan = at.plan();
    assert_eq!(plan.actions("a"), "delete, create");
    plan.run.says("probe_thing.a is tainted, so");
    at.settle();
    assert_eq!(at.events(), ["create a", "delete a", "create a"]);
    assert!(at.stored("a").unwrap().get("status").is_none(), "it is no longer tainted");
}

fn a_failed_update_saves_what_was_reached(at: &Workspace) {
    at.thing("note = \"old\"");
    at.apply();
    at.thing("note = \"new\"\nsize = 5\nfail = \"update\"");
    at.apply_fails()
        .says("Error: The thing is not as planned")
        .says("note = \"new\"") // the line of the attribute that is at fault
        .says("The size is reached, the note is not.");
    let stored = at.stored("a").unwrap();
    assert!(stored.get("status").is_none(), "a failed update taints nothing");
    assert_eq!(stored["attributes"]["size"], 5);
    assert_eq!(stored["attributes"]["note"], "old");
    at.thing("note = \"new\"\nsize = 5");
    let plan = at.plan();
    assert_eq!(plan.actions("a"), "update");
    // The size is reached: it restarts nothing any more.
    plan.run.says("note = \"old\" -> \"new\"").never_says("takes steps");
    at.settle();
    assert_eq!(at.object("a").unwrap()["note"], "new");
}

fn a_failed_destroy_keeps_the_object_and_what_belongs_to_it(at: &Workspace) {
    at.thing("fail = \"delete\"");
    at.settle();
    let before = at.stored("a").unwrap();
    at.run(&["destroy", "-auto-approve"])
        .fails()
        .says("Error: The thing was not destroyed")
        .says("The file is still there.");
    let after = at.stored("a").unwrap();
    assert!(at.object("a").is_some());
    assert_eq!(after["attributes"], before["attributes"]);
    assert!(after["private"].as_str().is_some_and(|it| !it.is_empty()), "{after}");
    assert_eq!(after.get("identity"), before.get("identity"));
    assert_eq!(after.get("identity").is_some(), at.engine.knows_identity());
    at.thing("");
    at.settle();
    at.destroy();
    assert_eq!(at.object("a"), None);
}

fn a_failed_read_keeps_what_is_stored(at: &Workspace) {
    at.thing("fail = \"read\"");
    at.apply();
    let before = at.stored("a").unwrap();
    at.plan_fails().says("Error: The thing cannot be read").says("What is stored stays.");
    at.apply_fails();
    assert_eq!(at.stored("a").unwrap(), before);
    at.thing("");
    at.run(&["apply", "-auto-approve", "-refresh=false"]).succeeds();
    at.plan_is_empty();
}

fn an_operation_that_takes_too_long_stops_at_a_step(at: &Workspace) {
    at.thing("note = \"old\"");
    at.apply();
    at.thing("note = \"new\"\ndelay = \"20s\"\ntimeouts = { update = \"200ms\" }");
    at.apply_fails()
        .says("Error: The time is over")
        .says("of 400 steps were done. Apply again.")
        .says("Raise `timeouts.create` or `timeouts.update`.");
    assert_eq!(at.attributes()["note"], "old");
    at.thing("note = \"new\"\ntimeouts = { update = \"5m\" }");
    at.settle();
}

fn a_panic_in_create_is_an_error_and_the_process_lives(at: &Workspace) {
    // The other thing is under way in the same process when the panic comes.
    at.config(&(thing("a", "fail = \"panic\"") + &thing("b", "delay = \"500ms\"")));
    at.run(&["apply", "-auto-approve"])
        .fails_and_lives()
        .says("Error: The provider crashed in this operation")
        .says("the fault was injected")
        .says("with probe_thing.a,");
    assert!(at.stored("a").is_none(), "nothing is recorded");
    assert_eq!(at.stored("b").unwrap()["attributes"]["id"], "thing-b");
    at.config(&(thing("a", "") + &thing("b", "delay = \"500ms\"")));
    at.settle();
}

fn a_panic_in_update_keeps_the_prior_state(at: &Workspace) {
    at.thing("note = \"old\"");
    at.settle();
    let before = at.attributes();
    at.thing("note = \"new\"\nfail = \"panic\"");
    at.run(&["apply", "-auto-approve"])
        .fails_and_lives()
        .says("Error: The provider crashed in this operation");
    assert_eq!(at.attributes(), before);
    assert_eq!(at.object("a").unwrap()["note"], json!("old"));
    at.thing("note = \"new\"");
    at.settle();
}
