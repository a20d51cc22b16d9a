//! `PlanResourceChange`.

use serde_json::{Value as Json, json};
use terraform_provider_ha::tfplugin::diagnostics::Diagnostics;
use terraform_provider_ha::tfplugin::path::Path;
use terraform_provider_ha::tfplugin::value::{Datum, Value};

use crate::client::{caught, identity, object, plan, plan_of, private, seen, stored, things, told};
use crate::rogue::{Notes, Thing, diag};

#[tokio::test]
async fn a_plan_is_completed() {
    let service = things(Thing::default()).await;
    let planned = plan(&service, plan_of(&json!({"name": "a", "secret": "s"}), &Json::Null)).await;
    assert_eq!(told(&planned.diagnostics), "");
    let state = seen(planned.planned_state.as_ref());
    assert_eq!(state, json!({"name": "a", "size": 3, "id": "?", "seen": "?"}));
    assert_eq!(planned.planned_private, private(""));
    assert!(planned.requires_replace.is_empty());
}

#[tokio::test]
async fn unconfigured_values_stay() {
    let service = things(Thing::default()).await;
    let planned = plan(&service, plan_of(&json!({"name": "a"}), &stored())).await;
    assert_eq!(told(&planned.diagnostics), "");
    assert_eq!(seen(planned.planned_state.as_ref()), stored());
    assert_eq!(planned.planned_private, private("kept"));
    assert_eq!(planned.planned_identity, identity("a"));
}

#[tokio::test]
async fn a_breach_is_an_error() {
    let check = async |thing: Thing, text: &str| {
        let service = things(thing).await;
        for prior in [Json::Null, stored()] {
            let config = json!({"name": "a", "secret": "s"});
            let planned = plan(&service, plan_of(&config, &prior)).await;
            caught(&planned.diagnostics, text);
        }
    };
    let thing = |plan| Thing { plan, ..Thing::default() };
    let plan = thing(|change| {
        change.planned.name = "b".into();
        none()
    });
    check(plan, "`name` was planned as neither the configured nor the stored value").await;
    let plan = thing(|change| {
        change.planned.zone = "not configured".into();
        none()
    });
    // Of an update it is refused first, for the schema allows no change of it.
    let service = things(plan).await;
    let planned = self::plan(&service, plan_of(&json!({"name": "a"}), &Json::Null)).await;
    caught(&planned.diagnostics, "`zone` was planned as neither the configured nor the stored");
    let plan = thing(|change| {
        change.planned.secret = change.config.secret.clone();
        none()
    });
    check(plan, "`secret` is write-only, but was to be stored").await;
    let plan = thing(|change| {
        change.planned.free = Value::Known(Datum::from("a value without its type"));
        none()
    });
    check(plan, "`free` does not have the type of the schema").await;
}

fn none() -> Diagnostics {
    Diagnostics::new()
}

#[tokio::test]
async fn a_path_that_demands_replacement_must_lead_somewhere() {
    let thing = Thing {
        plan: |change| {
            change.replace.push(Path::root("timeouts").attribute("create"));
            none()
        },
        ..Thing::default()
    };
    let service = things(thing).await;
    let planned = plan(&service, plan_of(&json!({"name": "a"}), &stored())).await;
    caught(&planned.diagnostics, "`timeouts.create` demands replacement, but does not exist");
    // At create there is nothing to replace.
    let planned = plan(&service, plan_of(&json!({"name": "a"}), &Json::Null)).await;
    assert_eq!(told(&planned.diagnostics), "");
    assert!(planned.requires_replace.is_empty());
}

#[tokio::test]
async fn an_error_plans_no_change() {
    let thing = Thing { plan: |_| diag("no plan"), ..Thing::default() };
    let service = things(thing).await;
    let planned = plan(&service, plan_of(&json!({"name": "b"}), &stored())).await;
    assert_eq!(told(&planned.diagnostics), "error: no plan");
    assert_eq!(planned.planned_state, object(&stored()));
    assert_eq!(planned.planned_private, private("kept"));
    assert_eq!(planned.planned_identity, identity("a"));
}

#[tokio::test]
async fn a_wrong_value_is_told_at_its_path() {
    let service = things(Thing::default()).await;
    let planned = plan(&service, plan_of(&json!({"name": ""}), &Json::Null)).await;
    assert_eq!(told(&planned.diagnostics), "error: `name` has a wrong value");
    assert!(planned.diagnostics[0].attribute.is_some());
    let planned = plan(&service, plan_of(&json!({"name": "?"}), &Json::Null)).await;
    assert_eq!(told(&planned.diagnostics), "");
}

#[tokio::test]
async fn a_destroy_is_planned_as_nothing() {
    let service = things(Thing::default()).await;
    let planned = plan(&service, plan_of(&Json::Null, &stored())).await;
    assert_eq!(told(&planned.diagnostics), "");
    assert_eq!(planned.planned_state, object(&Json::Null));
    assert_eq!(planned.planned_private, private("kept"));
    assert_eq!(planned.planned_identity, identity("a"));
}

#[tokio::test]
async fn a_protected_object_is_neither_destroyed_nor_replaced() {
    let thing = Thing { protects: |_| diag("protected"), ..Thing::default() };
    let service = things(thing).await;
    let check = async |config: Json, diags: &str| {
        let planned = plan(&service, plan_of(&config, &stored())).await;
        assert_eq!(told(&planned.diagnostics), diags, "{config}");
    };
    check(Json::Null, "error: protected").await;
    check(json!({"name": "a", "disk": "big"}), "error: protected").await;
    check(json!({"name": "b"}), "").await;
}

#[tokio::test]
async fn a_change_that_replaces_names_its_path() {
    let service = things(Thing::default()).await;
    let planned = plan(&service, plan_of(&json!({"name": "a", "disk": "big"}), &stored())).await;
    assert_eq!(told(&planned.diagnostics), "");
    assert_eq!(planned.requires_replace, [Path::root("disk")].map(|it| path(&it)));
}

fn path(path: &Path) -> terraform_provider_ha::proto::tfplugin6::AttributePath {
    use terraform_provider_ha::proto::tfplugin6::attribute_path::{Step, step::Selector};
    let selector = Some(Selector::AttributeName(path.to_string()));
    terraform_provider_ha::proto::tfplugin6::AttributePath { steps: vec![Step { selector }] }
}

#[tokio::test]
async fn the_second_plan_of_a_replacement() {
    let thing = Thing {
        plan: |change| {
            assert_eq!(
                change.private,
                Notes::default(),
                "it is the private data of another object"
            );
            change.private.pin = "new".to_owned();
            none()
        },
        ..Thing::default()
    };
    let service = things(thing).await;
    let mut request = plan_of(&json!({"name": "a", "disk": "big"}), &Json::Null);
    // Terraform sends what the first plan returned.
    request.prior_private = private("of the old one");
    request.prior_identity = identity("a");
    let planned = plan(&service, request).await;
    assert_eq!(told(&planned.diagnostics), "");
    assert_eq!(planned.planned_private, private("new"));
    assert_eq!(planned.planned_identity, None);
    let state = seen(planned.planned_state.as_ref());
    assert_eq!(state, json!({"name": "a", "size": 3, "disk": "big", "id": "?", "seen": "?"}));
}

#[tokio::test]
async fn a_refused_change_is_an_error_with_the_way_out() {
    let service = things(Thing::default()).await;
    let prior = json!({"name": "a", "size": 3, "zone": "north", "id": "1", "seen": "before"});
    let planned = plan(&service, plan_of(&json!({"name": "a", "zone": "south"}), &prior)).await;
    assert_eq!(told(&planned.diagnostics), "error: `zone` cannot be changed");
    let detail = &planned.diagnostics[0].detail;
    assert!(detail.contains("\"north\"") && detail.contains("Move over first."), "{detail}");
    assert_eq!(planned.planned_state, object(&prior));
    let planned = plan(&service, plan_of(&json!({"name": "a", "zone": "?"}), &prior)).await;
    assert_eq!(told(&planned.diagnostics), "");
    // A resource that plans what its schema refuses is told the same.
    let thing = Thing {
        plan: |change| {
            change.planned.zone = Value::Null;
            none()
        },
        ..Thing::default()
    };
    let service = things(thing).await;
    let planned = plan(&service, plan_of(&json!({"name": "a", "zone": "north"}), &prior)).await;
    assert!(told(&planned.diagnostics).starts_with("error: `zone` cannot be changed"));
}

#[tokio::test]
async fn the_steps_are_told_in_one_warning() {
    let thing = Thing {
        plan: |change| {
            change.steps.push("look again".to_owned());
            none()
        },
        ..Thing::default()
    };
    let warning = "warning: Applying this plan to ha_thing \"a\" takes steps";
    let service = things(thing).await;
    let planned = plan(&service, plan_of(&json!({"name": "a", "size": 5}), &stored())).await;
    assert_eq!(told(&planned.diagnostics), warning);
    let detail = &planned.diagnostics[0].detail;
    assert_eq!(detail, "1. restart engine, one host at a time, for `size`\n2. look again");
    let service = things(Thing::default()).await;
    let planned = plan(&service, plan_of(&json!({"name": "a", "size": 5}), &stored())).await;
    assert_eq!(told(&planned.diagnostics), warning);
    // A replacement restarts nothing.
    let config = json!({"name": "a", "size": 5, "disk": "big"});
    let planned = plan(&service, plan_of(&config, &stored())).await;
    assert_eq!(told(&planned.diagnostics), "");
}
