//! What must not be seen is not seen, and what must not be stored is not stored.

use std::fs;

use crate::engine::for_each_engine;
use crate::workspace::Workspace;

for_each_engine![a_sensitive_value_is_never_shown, a_write_only_value_arrives_and_is_never_stored,];

fn a_sensitive_value_is_never_shown(at: &Workspace) {
    let with = |secret: &str| {
        at.thing(&format!(
            r#"
            secret  = "{secret}"
            members = {{ x = {{ address = "10.0.0.1", host = {{ key = "{secret}" }} }} }}
            "#
        ));
    };
    with("open-sesame");
    at.plan().run.never_says("open-sesame").says("secret = (sensitive value)");
    at.settle().never_says("open-sesame");
    with("shut-sesame");
    at.apply().never_says("open-sesame").never_says("shut-sesame");
    assert_eq!(at.attributes()["secret"], "shut-sesame", "it is in the state, as documented");
}

fn a_write_only_value_arrives_and_is_never_stored(at: &Workspace) {
    at.thing("password = \"first-word\"\npassword_version = 1");
    at.plan().run.never_says("first-word").says("password = (write-only attribute)");
    // By a plan that was stored, which is another way for the configuration to reach the provider.
    at.run(&["apply", "plan.out"]).succeeds().never_says("first-word");
    at.plan_is_empty();
    assert_eq!(at.object("a").unwrap()["password"], "first-word");

    // Nothing can tell that the word alone changed: the version says so.
    at.thing("password = \"other-word\"\npassword_version = 1");
    at.plan_is_empty();
    at.thing("password = \"other-word\"\npassword_version = 2");
    at.settle().never_says("other-word");
    assert_eq!(at.object("a").unwrap()["password"], "other-word");

    assert!(at.attributes()["password"].is_null());
    for file in ["terraform.tfstate", "terraform.tfstate.backup"] {
        let text = fs::read_to_string(at.path(file)).unwrap();
        assert!(!text.contains("-word"), "{file}: {text}");
    }
}
