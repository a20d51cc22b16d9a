//! `ApplyResourceChange`.

use serde_json::{Value as Json, json};
use terraform_provider_ha::tfplugin::api::{Applied, Created, Deleted};
use terraform_provider_ha::tfplugin::diagnostics::Diagnostics;
use terraform_provider_ha::tfplugin::value::{Datum, Value};

use crate::client::{
    apply, apply_of, caught, identity, object, private, seen, storable, stored, things, told,
};
use crate::rogue::{Thing, ThingIdentity, ThingModel, as_it_is, diag, reached};

fn config() -> Json {
    json!({"name": "a", "secret": "s"})
}

fn planned() -> Json {
    json!({"name": "a", "size": 3, "id": "?", "seen": "?"})
}

#[tokio::test]
async fn an_apply_returns_what_it_reached() {
    let service = things(Thing::default()).await;
    let applied = apply(&service, apply_of(&config(), &Json::Null, &planned())).await;
    assert_eq!(told(&applied.diagnostics), "");
    let state = storable(applied.new_state.as_ref());
    assert_eq!(state, json!({"name": "a", "size": 3, "id": "1", "seen": "now"}));
    assert_eq!(applied.private, private("planned"));
    assert_eq!(applied.new_identity, identity("a"));
    let planned = json!({"name": "b", "size": 3, "id": "1", "seen": "?"});
    let applied = apply(&service, apply_of(&json!({"name": "b"}), &stored(), &planned)).await;
    assert_eq!(told(&applied.diagnostics), "");
    assert_eq!(storable(applied.new_state.as_ref())["name"], "b");
    assert_eq!(applied.new_identity, identity("b"));
}

/// What one breach does to a create and to an update.
async fn check(breach: fn(&mut ThingModel), text: &str, created: Json, updated: Json) {
    // The operations are plain functions: they find the breach here. All runs on this thread.
    std::thread_local! {
        static BREACH: std::cell::Cell<fn(&mut ThingModel)> = const { std::cell::Cell::new(|_| ()) };
    }
    BREACH.set(breach);
    let thing = Thing {
        create: |wanted, _| {
            let mut applied = reached(wanted);
            BREACH.get()(&mut applied.state);
            Created::Made(applied)
        },
        update: |_, wanted, _| {
            let mut applied = reached(wanted);
            BREACH.get()(&mut applied.state);
            applied
        },
        ..Thing::default()
    };
    let service = things(thing).await;
    let update = json!({"name": "a", "size": 3, "id": "1", "seen": "?"});
    for (prior, planned, expected) in
        [(Json::Null, planned(), created), (stored(), update, updated)]
    {
        let applied = apply(&service, apply_of(&config(), &prior, &planned)).await;
        caught(&applied.diagnostics, text);
        assert_eq!(storable(applied.new_state.as_ref()), expected);
        assert_eq!(applied.private, private("planned"));
        assert_eq!(applied.new_identity, identity(expected["name"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn a_breach_is_an_error_and_the_state_is_saved() {
    let good = json!({"name": "a", "size": 3, "id": "1", "seen": "now"});
    let text = "`secret` is write-only, but was to be stored";
    check(|state| state.secret = "s".into(), text, good.clone(), good.clone()).await;
    let created = json!({"name": "a", "size": 3, "seen": "now"});
    let text = "`id` is still unknown after the operation";
    check(|state| state.id = Value::Unknown, text, created, good.clone()).await;
    let other = json!({"name": "b", "size": 3, "id": "1", "seen": "now"});
    let text = "`name` is not what was planned";
    check(|state| state.name = "b".into(), text, other.clone(), other).await;
    let text = "`free` does not have the type of the schema";
    let bare = |state: &mut ThingModel| state.free = Value::Known(Datum::from("without its type"));
    check(bare, text, good.clone(), good.clone()).await;
    let empty = json!({"name": "a", "id": "1", "seen": "now"});
    check(|state| state.size = Value::Null, "`size` is not what", empty.clone(), empty).await;
}

#[tokio::test]
async fn an_unknown_identity_is_an_error() {
    let thing =
        Thing { identify: |_, _| Some(ThingIdentity { name: Value::Unknown }), ..Thing::default() };
    let service = things(thing).await;
    let applied = apply(&service, apply_of(&config(), &stored(), &stored())).await;
    caught(&applied.diagnostics, "has an identity that is still unknown");
    assert_eq!(applied.new_identity, identity("a"));
    storable(applied.new_state.as_ref());
    let applied = apply(&service, apply_of(&config(), &Json::Null, &planned())).await;
    caught(&applied.diagnostics, "has an identity that is still unknown");
    assert_eq!(applied.new_identity, None);
    storable(applied.new_state.as_ref());
}

#[tokio::test]
async fn a_failed_create_leaves_nothing_and_an_error() {
    let thing = Thing { create: |_, _| Created::Nothing(diag("halfway")), ..Thing::default() };
    let applied = apply(&things(thing).await, apply_of(&config(), &Json::Null, &planned())).await;
    assert_eq!(told(&applied.diagnostics), "error: halfway");
    assert_eq!(applied.new_state, object(&Json::Null));
    let silent = |_, _: &_| Created::Nothing(Diagnostics::default());
    let thing = Thing { create: silent, ..Thing::default() };
    let applied = apply(&things(thing).await, apply_of(&config(), &Json::Null, &planned())).await;
    assert_eq!(
        told(&applied.diagnostics),
        "error: The provider created nothing and gave no reason"
    );
}

#[tokio::test]
async fn a_failed_create_that_made_something_saves_it() {
    let thing = Thing {
        create: |wanted, _| {
            let mut applied = reached(wanted);
            applied.state.seen = Value::Unknown;
            applied.state.size = Value::Null;
            applied.private.pin = "made".to_owned();
            Created::Made(Applied { diags: diag("halfway"), ..applied })
        },
        ..Thing::default()
    };
    let applied = apply(&things(thing).await, apply_of(&config(), &Json::Null, &planned())).await;
    let halfway = "error: halfway\nerror: The provider broke a rule of Terraform";
    assert_eq!(told(&applied.diagnostics), halfway); // for `seen`, not for the plan
    assert_eq!(storable(applied.new_state.as_ref()), json!({"name": "a", "id": "1"}));
    assert_eq!(applied.private, private("made"));
    assert_eq!(applied.new_identity, identity("a"));
}

#[tokio::test]
async fn a_failed_update_returns_what_was_reached() {
    let thing = Thing {
        update: |prior, _, _| Applied { diags: diag("stopped"), ..as_it_is(prior) },
        ..Thing::default()
    };
    let planned = json!({"name": "b", "size": 3, "id": "1", "seen": "?"});
    let applied = apply(&things(thing).await, apply_of(&config(), &stored(), &planned)).await;
    assert_eq!(told(&applied.diagnostics), "error: stopped");
    assert_eq!(storable(applied.new_state.as_ref()), stored());
    assert_eq!(applied.private, private("planned"));
    assert_eq!(applied.new_identity, identity("a"));
}

#[tokio::test]
async fn a_delete_ends_it() {
    let service = things(Thing::default()).await;
    let applied = apply(&service, apply_of(&Json::Null, &stored(), &Json::Null)).await;
    assert_eq!(told(&applied.diagnostics), "");
    assert_eq!(applied.new_state, object(&Json::Null));
}

#[tokio::test]
async fn a_delete_that_leaves_something_returns_it() {
    let thing = Thing {
        delete: |object, _| {
            let mut rest = as_it_is(object);
            rest.state.size = 1.into();
            rest.private.pin = "rest".to_owned();
            Deleted::Remains(Applied { diags: diag("one host is silent"), ..rest })
        },
        ..Thing::default()
    };
    let applied = apply(&things(thing).await, apply_of(&Json::Null, &stored(), &Json::Null)).await;
    assert_eq!(told(&applied.diagnostics), "error: one host is silent");
    let state = storable(applied.new_state.as_ref());
    assert_eq!(state, json!({"name": "a", "size": 1, "id": "1", "seen": "before"}));
    assert_eq!(applied.private, private("rest"));
    assert_eq!(applied.new_identity, identity("a"));
}

#[tokio::test]
async fn a_delete_that_leaves_something_has_an_error() {
    let thing =
        Thing { delete: |object, _| Deleted::Remains(as_it_is(object)), ..Thing::default() };
    let applied = apply(&things(thing).await, apply_of(&Json::Null, &stored(), &Json::Null)).await;
    let told = told(&applied.diagnostics);
    assert_eq!(told, "error: The provider did not destroy the object and gave no reason");
    assert_eq!(storable(applied.new_state.as_ref()), stored());
}

#[tokio::test]
async fn a_delete_that_is_done_but_has_errors_keeps_the_object() {
    let thing = Thing { delete: |_, _| Deleted::Gone(diag("perhaps")), ..Thing::default() };
    let applied = apply(&things(thing).await, apply_of(&Json::Null, &stored(), &Json::Null)).await;
    assert_eq!(told(&applied.diagnostics), "error: perhaps");
    assert_eq!(storable(applied.new_state.as_ref()), stored());
    assert_eq!(applied.private, private("planned"));
    assert_eq!(applied.new_identity, identity("a"));
}

#[tokio::test]
async fn a_protected_object_is_not_deleted() {
    let thing = Thing {
        protects: |_| diag("protected"),
        delete: |_, _| unreachable!("it is protected"),
        ..Thing::default()
    };
    let applied = apply(&things(thing).await, apply_of(&Json::Null, &stored(), &Json::Null)).await;
    assert_eq!(told(&applied.diagnostics), "error: protected");
    assert_eq!(storable(applied.new_state.as_ref()), stored());
    assert_eq!(applied.private, private("planned"));
}

#[tokio::test]
async fn what_was_unknown_at_plan_is_checked_before_anything_is_done() {
    let thing = Thing {
        update: |_, _, _| unreachable!("the change is refused"),
        create: |_, _| unreachable!("the value is wrong"),
        ..Thing::default()
    };
    let service = things(thing).await;
    let mut prior = stored();
    prior["zone"] = "north".into();
    let mut planned = prior.clone();
    planned["zone"] = "south".into();
    let config = json!({"name": "a", "zone": "south"});
    let applied = apply(&service, apply_of(&config, &prior, &planned)).await;
    assert_eq!(told(&applied.diagnostics), "error: `zone` cannot be changed");
    assert_eq!(seen(applied.new_state.as_ref()), prior);
    assert_eq!(applied.private, private("planned"));
    assert_eq!(applied.new_identity, identity("a"));
    // A wrong value is told once, though it is both configured and planned.
    let wrong = json!({"name": "", "size": 3, "id": "?", "seen": "?"});
    let applied = apply(&service, apply_of(&json!({"name": ""}), &Json::Null, &wrong)).await;
    assert_eq!(told(&applied.diagnostics), "error: `name` has a wrong value");
    assert_eq!(applied.new_state, object(&Json::Null));
}
