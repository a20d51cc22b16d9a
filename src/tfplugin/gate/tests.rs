//! For each rule a response that breaks it, and its neighbour that does not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::*;
use crate::model;
use crate::tfplugin::model::{Model, Unordered};
use crate::tfplugin::path::Path;
use crate::tfplugin::types::Type;
use crate::tfplugin::value::{Bound, Datum, Number, Refinements, Set, Value};
use crate::tfplugin::wire;
use crate::tfplugin::wire::notation::datum;

model! {
    /// One attribute of each kind.
    struct Thing {
        name: Value<String> = required(),
        label: Value<String> = optional(),
        size: Value<i64> = optional().default(3),
        id: Value<String> = computed(),
        secret: Value<String> = optional().write_only(),
        tags: Value<BTreeSet<String>> = optional(),
        free: Value<Datum> = optional(),
        one: Value<Part> = optional(),
        list: Value<Vec<Part>> = optional(),
        map: Value<BTreeMap<String, Part>> = optional(),
        set: Value<Unordered<Plain>> = optional(),
        made: Value<Part> = computed(),
        either: Value<Vec<Part>> = optional().or_computed(),
    }
}

model! {
    struct Part {
        key: Value<String> = required(),
        note: Value<String> = optional(),
        made: Value<String> = computed(),
        secret: Value<String> = optional().write_only(),
    }
}

model! {
    struct Plain {
        key: Value<String> = required(),
    }
}

fn ty() -> Type {
    Thing::schema(0).ty().clone()
}

/// An object of this schema; `null` is none.
fn thing(json: &Json) -> Datum {
    datum(json, &ty())
}

fn told(breaches: &[Breach]) -> Vec<(String, Rule)> {
    breaches.iter().map(|it| (it.path.to_string(), it.rule)).collect()
}

fn expected(breaks: &[(&str, Rule)]) -> Vec<(String, Rule)> {
    breaks.iter().map(|(path, rule)| ((*path).to_owned(), *rule)).collect()
}

#[track_caller]
fn plan(config: &Json, prior: &Json, planned: &Json, breaks: &[(&str, Rule)]) {
    let attributes = Thing::attributes();
    let found = plan_breaks(&attributes, &thing(config), &thing(prior), &thing(planned));
    assert_eq!(told(&found), expected(breaks), "planned {planned}");
}

const NONE: Json = Json::Null;

#[test]
fn a_plan_exists_exactly_when_it_is_configured() {
    plan(&json!({"name": "a"}), &NONE, &NONE, &[("", Rule::PlanFollowsConfig)]);
    let config_wants_none = &[("", Rule::PlanFollowsConfig), ("name", Rule::PlannedValue)];
    plan(&NONE, &NONE, &json!({"name": "a"}), config_wants_none);
    plan(&NONE, &json!({"name": "a"}), &NONE, &[]);
}

#[test]
fn a_planned_value_is_the_configured_or_the_stored_one() {
    let wrong = |path| [(path, Rule::PlannedValue)];
    let config = json!({"name": "a"});
    let prior = json!({"name": "A", "label": "old"});
    plan(&config, &NONE, &json!({"name": "a"}), &[]);
    plan(&config, &prior, &json!({"name": "A"}), &[]); // another spelling of the same
    plan(&config, &prior, &json!({"name": "b"}), &wrong("name"));
    plan(&config, &NONE, &json!({"name": "?"}), &wrong("name"));
    plan(&json!({"name": "?"}), &NONE, &json!({"name": "a"}), &wrong("name"));
    // What is not configured and not computed is null, whatever is stored.
    plan(&config, &prior, &json!({"name": "a", "label": "old"}), &wrong("label"));
    // Computed values are free, also those with a default.
    plan(&config, &prior, &json!({"name": "a", "id": "?", "size": 7}), &[]);
    plan(&config, &prior, &json!({"name": "a", "made": {"key": "k"}, "either": "?"}), &[]);
    let config = json!({"name": "a", "size": 5});
    plan(&config, &prior, &json!({"name": "a", "size": 6}), &wrong("size"));
    plan(&config, &NONE, &json!({"name": "a", "size": null}), &wrong("size"));
}

#[test]
fn a_planned_set_of_values_is_the_configured_one_in_any_order() {
    let config = json!({"name": "a", "tags": ["x", "y"]});
    plan(&config, &NONE, &json!({"name": "a", "tags": ["y", "x"]}), &[]);
    let grown = json!({"name": "a", "tags": ["x", "y", "z"]});
    plan(&config, &NONE, &grown, &[("tags", Rule::PlannedValue)]);
}

#[test]
fn refinements_of_unknown_values_do_not_matter_in_a_plan() {
    let refined = Refinements { prefix: Some("x".into()), ..Refinements::default() };
    let object = |label: Datum| {
        let Datum::Map(mut entries) = thing(&json!({"name": "a"})) else { unreachable!() };
        entries.insert("label".to_owned(), label);
        Datum::Map(entries)
    };
    let (config, planned) = (object(Datum::Unknown(Some(refined.into()))), object(Datum::UNKNOWN));
    assert_eq!(plan_breaks(&Thing::attributes(), &config, &Datum::Null, &planned), []);
}

#[test]
fn the_rules_hold_inside_nested_objects() {
    let wrong = |path| [(path, Rule::PlannedValue)];
    let with = |key: &str, value: Json| json!({"name": "a", key: value});
    let part = json!({"key": "k"});
    let (good, bad) = (json!({"key": "k", "made": "m"}), json!({"key": "other"}));
    plan(&with("one", part.clone()), &NONE, &with("one", good.clone()), &[]);
    plan(&with("one", part.clone()), &NONE, &with("one", bad.clone()), &wrong("one.key"));
    plan(&with("list", json!([part])), &NONE, &with("list", json!([good])), &[]);
    plan(&with("list", json!([part])), &NONE, &with("list", json!([bad])), &wrong("list[0].key"));
    let (config, planned) = (with("map", json!({"x": part})), with("map", json!({"x": bad})));
    plan(&config, &NONE, &planned, &wrong("map[\"x\"].key"));
    // The prior element with the same key may be kept, not that of another key.
    plan(&config, &with("map", json!({"x": {"key": "other"}})), &planned, &[]);
    plan(&config, &with("map", json!({"y": {"key": "other"}})), &planned, &wrong("map[\"x\"].key"));
}

#[test]
fn a_nested_attribute_has_the_elements_of_the_configuration() {
    let with = |key: &str, value: Json| json!({"name": "a", key: value});
    let part = json!({"key": "k"});
    let elements = |path| [(path, Rule::PlannedElements)];
    plan(&with("list", json!([part])), &NONE, &with("list", json!([])), &elements("list"));
    plan(
        &with("list", json!([part])),
        &NONE,
        &with("list", json!([part, part])),
        &elements("list"),
    );
    let other_key = with("map", json!({"y": part}));
    plan(&with("map", json!({"x": part})), &NONE, &other_key, &elements("map"));
    let set = |keys: &[&str]| {
        with("set", keys.iter().map(|it| json!({"key": it})).collect::<Vec<_>>().into())
    };
    plan(&set(&["a", "b"]), &NONE, &set(&["c", "d"]), &[]); // only their number can be told
    plan(&set(&["a", "b"]), &NONE, &set(&["a"]), &elements("set"));
    plan(&set(&["a", "b"]), &NONE, &set(&["?"]), &elements("set"));
    plan(&set(&["a", "b"]), &NONE, &set(&["?", "?", "c"]), &[]);
    plan(&set(&["?", "?"]), &NONE, &set(&["a"]), &[]);
}

#[test]
fn a_configured_nested_attribute_is_neither_absent_nor_unknown() {
    for key in ["one", "list", "map", "set"] {
        let part = json!({"key": "k"});
        let value = match key {
            "one" => part,
            "map" => json!({"x": part}),
            _ => json!([part]),
        };
        let config = json!({"name": "a", key: value});
        let unknown = json!({"name": "a", key: "?"});
        plan(&config, &NONE, &json!({"name": "a"}), &[(key, Rule::PlanFollowsConfig)]);
        plan(&config, &NONE, &unknown, &[(key, Rule::PlannedUnknown)]);
        plan(&unknown, &NONE, &unknown, &[]);
    }
}

#[test]
fn a_write_only_value_is_planned_as_null() {
    let config = json!({"name": "a", "secret": "s", "one": {"key": "k", "secret": "s"}});
    let planned = json!({"name": "a", "one": {"key": "k"}});
    plan(&config, &NONE, &planned, &[]);
    plan(&config, &NONE, &config, &[("secret", Rule::WriteOnly), ("one.secret", Rule::WriteOnly)]);
    plan(
        &config,
        &config,
        &config,
        &[("secret", Rule::WriteOnly), ("one.secret", Rule::WriteOnly)],
    );
}

#[test]
fn a_path_that_demands_replacement_leads_somewhere() {
    let (prior, planned) = (
        json!({"name": "a", "list": [{"key": "k"}], "map": {"x": {"key": "k"}}}),
        json!({"name": "a", "list": "?", "set": [{"key": "k"}]}),
    );
    let check = |path: Path, prior: &Json, planned: &Json, exists: bool| {
        let found = paths_break(std::slice::from_ref(&path), &thing(prior), &thing(planned));
        let breach = Breach { path: path.clone(), rule: Rule::ReplacePath };
        assert_eq!(found, if exists { vec![] } else { vec![breach] }, "{path}");
    };
    let root = Path::root;
    check(root("label"), &prior, &planned, true); // null, but there
    check(root("nothing"), &prior, &planned, false);
    check(root("one"), &prior, &planned, true);
    check(root("one").attribute("key"), &prior, &planned, false); // inside of null on both sides
    check(root("map").key("x").attribute("key"), &prior, &planned, true); // it is to go
    check(root("map").key("y"), &prior, &planned, false);
    check(root("list").index(7), &prior, &planned, true); // it is unknown how many there will be
    check(root("list").index(7), &prior, &prior, false);
    check(root("set").index(0), &prior, &planned, false); // no such address
}

#[track_caller]
fn outcome(planned: &Json, actual: &Json, breaks: &[(&str, Rule)]) {
    let found = outcome_breaks(&thing(planned), &thing(actual));
    assert_eq!(told(&found), expected(breaks), "from {planned} to {actual}");
}

#[test]
fn what_was_planned_as_known_is_what_it_becomes() {
    let planned = json!({"name": "a", "id": "?", "size": 3, "one": {"key": "k", "made": "?"}});
    let good = json!({"name": "a", "id": "1", "size": 3, "one": {"key": "k", "made": "m"}});
    outcome(&planned, &good, &[]);
    outcome(&planned, &planned, &[]); // that it is still unknown is another rule
    let wrong = |patch: Json, breaks: &[(&str, Rule)]| {
        let mut actual = good.clone();
        actual.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        outcome(&planned, &actual, breaks);
    };
    wrong(json!({"name": "b"}), &[("name", Rule::KeepsPlan)]);
    wrong(json!({"name": null}), &[("name", Rule::KeepsPlan)]);
    wrong(json!({"name": "?"}), &[("name", Rule::KeepsPlan)]);
    wrong(json!({"size": 4}), &[("size", Rule::KeepsPlan)]);
    wrong(json!({"label": "set"}), &[("label", Rule::KeepsPlan)]);
    wrong(json!({"secret": "s"}), &[("secret", Rule::KeepsPlan)]);
    wrong(json!({"one": null}), &[("one", Rule::KeepsPlan)]);
    wrong(json!({"one": {"key": "k2"}}), &[("one.key", Rule::KeepsPlan)]);
    outcome(&planned, &NONE, &[("", Rule::KeepsPlan)]);
}

#[test]
fn collections_keep_the_elements_that_were_planned() {
    let with = |key: &str, value: Json| json!({"name": "a", key: value});
    let part = json!({"key": "k", "made": "?"});
    let elements = |path| [(path, Rule::KeepsElements)];
    outcome(&with("list", json!([part])), &with("list", json!([])), &elements("list"));
    outcome(&with("list", json!([part])), &with("list", json!([part, part])), &elements("list"));
    outcome(&with("map", json!({"x": part})), &with("map", json!({})), &elements("map"));
    let grown = json!({"x": part, "y": part});
    outcome(&with("map", json!({"x": part})), &with("map", grown), &elements("map"));
    let set = |keys: &[&str]| with("tags", json!(keys));
    outcome(&set(&["a", "b"]), &set(&["b", "a"]), &[]);
    outcome(&set(&["a", "?"]), &set(&["a", "b"]), &[]);
    outcome(&set(&["a", "?"]), &set(&["a"]), &[]); // two became one
    outcome(&set(&["?", "?"]), &set(&["a"]), &[]);
    outcome(&set(&["a", "b"]), &set(&["a"]), &elements("tags"));
    outcome(&set(&["a"]), &set(&["b"]), &elements("tags"));
    outcome(&set(&["?"]), &set(&["a", "b"]), &elements("tags"));
    outcome(&set(&["a", "?"]), &set(&["b", "c"]), &elements("tags"));
}

#[test]
fn an_unknown_value_becomes_what_its_limits_allow() {
    let check = |limits: Refinements, actual: Datum, holds: bool| {
        let planned = Datum::Unknown(Some(limits.clone().into()));
        let rules: Vec<_> =
            outcome_breaks(&planned, &actual).into_iter().map(|it| it.rule).collect();
        let broken = if holds { vec![] } else { vec![Rule::KeepsRefinements] };
        assert_eq!(rules, broken, "{limits:?} and {actual:?}");
    };
    let none = Refinements::default;
    check(Refinements { null: Some(false), ..none() }, Datum::Null, false);
    check(Refinements { null: Some(false), ..none() }, "x".into(), true);
    check(Refinements { null: Some(true), ..none() }, "x".into(), false);
    check(Refinements { null: Some(true), ..none() }, Datum::Null, true);
    let prefix = || Refinements { prefix: Some("ha-".into()), ..none() };
    check(prefix(), "ha-1".into(), true);
    check(prefix(), "h".into(), false);
    let bound = |value: i64, inclusive| Some(Bound { value: Number::from(value), inclusive });
    let lower = |inclusive| Refinements { lower: bound(3, inclusive), ..none() };
    check(lower(true), 3_i64.into(), true);
    check(lower(false), 3_i64.into(), false);
    check(lower(false), 4_i64.into(), true);
    let upper = |inclusive| Refinements { upper: bound(3, inclusive), ..none() };
    check(upper(true), 3_i64.into(), true);
    check(upper(false), 3_i64.into(), false);
    let sized = || Refinements { min_length: Some(1), max_length: Some(2), ..none() };
    let list = |length| Datum::List(vec![Datum::Null; length]);
    for (length, holds) in [(0, false), (1, true), (2, true), (3, false)] {
        check(sized(), list(length), holds);
    }
    check(sized(), Datum::Map(BTreeMap::new()), false);
}

#[test]
fn a_stored_object_is_wholly_known_and_without_write_only_values() {
    let check = |object: Json, breaks: &[(&str, Rule)]| {
        let found = stored_breaks(&Thing::attributes(), &thing(&object));
        assert_eq!(told(&found), expected(breaks), "{object}");
    };
    let part = json!({"key": "k", "made": "?", "secret": "s"});
    check(json!({"name": "a", "id": "1"}), &[]);
    check(json!({"id": "?"}), &[("id", Rule::Known)]);
    check(json!({"tags": ["a", "?"]}), &[("tags", Rule::Known)]);
    check(json!({"secret": "s"}), &[("secret", Rule::WriteOnly)]);
    check(json!({"secret": "?"}), &[("secret", Rule::WriteOnly)]);
    let inside = [("one.made", Rule::Known), ("one.secret", Rule::WriteOnly)];
    check(json!({"one": part}), &inside);
    let inside = [("list[1].made", Rule::Known), ("list[1].secret", Rule::WriteOnly)];
    check(json!({"list": [{"key": "k"}, part]}), &inside);
    let inside = [("map[\"x\"].made", Rule::Known), ("map[\"x\"].secret", Rule::WriteOnly)];
    check(json!({"map": {"x": part}}), &inside);
    check(json!({"map": {"x": "?"}}), &[("map[\"x\"]", Rule::Known)]);
    check(json!({"list": "?"}), &[("list", Rule::Known)]);
    check(json!({"set": [{"key": "?"}]}), &[("set.key", Rule::Known)]);
    check(json!({"set": ["?"]}), &[("set", Rule::Known)]);
}

#[test]
fn an_object_is_mended_from_what_was_stored() {
    let check = |object: Datum, prior: Json, mended: Json| {
        let attributes = Thing::attributes();
        let found = mend(&attributes, &object, &thing(&prior));
        assert_eq!(found, thing(&mended), "{object:?}");
        assert_eq!(stored_breaks(&attributes, &found), []);
        assert!(wire::encode(&found, &ty()).is_ok());
    };
    let object = thing(&json!({"name": "a", "id": "?", "tags": ["x", "?"], "secret": "s"}));
    check(object.clone(), NONE, json!({"name": "a"}));
    let prior = json!({"name": "b", "id": "1", "tags": ["y"], "secret": "s"});
    check(object, prior, json!({"name": "a", "id": "1", "tags": ["y"]}));
    let object = thing(&json!({"map": {"x": {"key": "k", "made": "?"}, "y": "?"}, "one": "?"}));
    let prior = json!({"map": {"x": {"made": "m"}, "z": {"key": "z"}}, "one": {"secret": "s"}});
    let mended = json!({"map": {"x": {"key": "k", "made": "m"}, "y": null}, "one": {}});
    check(object, prior, mended);
    // What is not of its type is left out, and so is what the schema does not have.
    let Datum::Map(mut entries) = thing(&json!({"name": "a"})) else { unreachable!() };
    entries.extend([("free".to_owned(), "a bare string".into()), ("list".to_owned(), 1.into())]);
    entries.extend([("id".to_owned(), true.into()), ("more".to_owned(), Datum::Null)]);
    entries.remove("size");
    check(Datum::Map(entries), json!({"id": "1"}), json!({"name": "a", "id": "1"}));
}

#[test]
fn large_sets_are_correlated_quickly() {
    let set = |last: Datum| {
        let items = (0..20_000_i64).map(|it| it.to_string().as_str().into());
        Datum::Set(Set(items.chain([last]).collect()))
    };
    let began = std::time::Instant::now();
    assert_eq!(outcome_breaks(&set(Datum::UNKNOWN), &set("new".into())), []);
    let breaches = outcome_breaks(&set("old".into()), &set("new".into()));
    assert_eq!(told(&breaches), expected(&[("", Rule::KeepsElements)]));
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn breaches_are_one_error_that_shows_no_values() {
    let breach = |path: Path, rule| Breach { path, rule };
    let breaches =
        [breach(Path::root("name"), Rule::KeepsPlan), breach(Path::default(), Rule::Known)];
    let diags = explain(&breaches);
    let [diag] = &diags.iter().collect::<Vec<_>>()[..] else { unreachable!("one error") };
    assert!(diags.has_errors());
    assert_eq!(diag.path(), &Path::root("name"));
    assert_eq!(
        diag.detail(),
        "This is a bug in the provider; please report it.\n\n- `name` is not what was planned\n- \
         the object is still unknown after the operation\n\nWhat can be saved of the object is \
         saved in the state.",
    );
    assert!(explain(&[]).is_empty());
}
