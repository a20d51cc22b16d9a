//! `protected`: what must not be destroyed is not, however it is asked for.

use crate::engine::for_each_engine;
use crate::workspace::Workspace;

for_each_engine![
    a_destroy_is_refused_in_the_plan,
    a_replacement_by_a_change_is_refused_in_the_plan,
    the_replace_flag_and_taint_are_refused_in_apply,
];

const REFUSAL: &str = "Error: The thing is protected";

fn protected(at: &Workspace) {
    at.thing("protected = true");
    at.apply();
}

fn is_untouched(at: &Workspace) {
    assert_eq!(at.events(), ["create a"]);
    assert_eq!(at.attributes()["protected"], true);
}

fn a_destroy_is_refused_in_the_plan(at: &Workspace) {
    protected(at);
    at.run(&["plan", "-destroy"])
        .fails()
        .says(REFUSAL)
        .says("Set `protected` to false and apply, then destroy.");
    // Also when the block is gone.
    at.config("");
    at.plan_fails().says(REFUSAL);
    is_untouched(at);
    at.thing("protected = false");
    at.settle();
    at.destroy();
}

fn a_replacement_by_a_change_is_refused_in_the_plan(at: &Workspace) {
    protected(at);
    at.config("resource \"probe_thing\" \"a\" {\n  name = \"b\"\n  protected = true\n}");
    at.plan_fails().says(REFUSAL).says("protected = true");
    // What counts is what is stored: one cannot take the protection away and destroy in one go.
    at.config("resource \"probe_thing\" \"a\" {\n  name = \"b\"\n  protected = false\n}");
    at.plan_fails().says(REFUSAL);
    is_untouched(at);
}

fn the_replace_flag_and_taint_are_refused_in_apply(at: &Workspace) {
    protected(at);
    at.run(&["apply", "-auto-approve", "-replace=probe_thing.a"]).fails().says(REFUSAL);
    is_untouched(at);
    at.run(&["taint", "probe_thing.a"]).succeeds();
    at.apply_fails().says(REFUSAL);
    is_untouched(at);
    at.run(&["untaint", "probe_thing.a"]).succeeds();
    at.plan_is_empty();
}
