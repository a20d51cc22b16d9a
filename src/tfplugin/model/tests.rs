//! Values into models and back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Model, Unordered, decode, encode_over};
use crate::model;
use crate::tfplugin::plan::propose;
use crate::tfplugin::value::{Datum, Number, Secret, Value};
use crate::tfplugin::wire::notation::datum;

model! {
    /// One field of each kind.
    struct Shelf {
        name: Value<String> = required(),
        r#type: Value<String> = optional(),
        flag: Value<bool> = optional(),
        port: Value<u16> = optional(),
        small: Value<u8> = optional(),
        total: Value<i64> = optional(),
        bytes: Value<u64> = optional(),
        ratio: Value<Number> = optional(),
        wait: Value<Duration> = optional(),
        key: Value<Secret<String>> = optional().sensitive(),
        tags: Value<BTreeSet<String>> = optional(),
        lines: Value<Vec<String>> = optional(),
        open: Value<Vec<Value<String>>> = optional(),
        labels: Value<BTreeMap<String, String>> = optional(),
        books: Value<BTreeMap<String, Book>> = optional(),
        rows: Value<Vec<Book>> = optional(),
        pile: Value<Unordered<Book>> = optional(),
        first: Value<Book> = optional(),
        limits: Value<Limits> = optional().default(Datum::Map(BTreeMap::new())),
    }
}

model! {
    struct Book {
        title: Value<String> = required(),
        pages: Value<u16> = optional(),
        lent: Value<Duration> = optional(),
    }
}

model! {
    struct Limits {
        depth: Value<i64> = optional().default(7),
        width: Value<i64> = optional(),
        found: Value<String> = computed(),
        inner: Value<Inner> = optional().default(Datum::Map(BTreeMap::new())),
    }
}

model! {
    struct Inner {
        mode: Value<String> = optional().default("soft"),
    }
}

fn shelf(json: &Json) -> Datum {
    datum(json, Shelf::schema(0).ty())
}

#[test]
fn every_kind_of_value_comes_back_as_it_was() {
    let original = shelf(&json!({
        "name": "a", "type": "oak", "flag": true, "port": 65535, "small": 255, "total": -9,
        "bytes": 18_446_744_073_709_551_615_u64, "ratio": 0.5, "wait": "1h30m", "key": "k",
        "tags": ["x", "y"], "lines": ["1", "2"], "open": ["1", null, "?"], "labels": {"l": "v"},
        "books": {"b": {"title": "t", "pages": 9}}, "rows": [{"title": "r"}],
        "pile": [{"title": "p", "lent": "3s"}], "first": {"title": "f"},
        "limits": {"depth": 1, "inner": {"mode": "hard"}},
    }));
    let model: Shelf = decode(&original).unwrap();
    assert_eq!(Datum::Map(model.encode_object()), original);
    assert_eq!(model.r#type, "oak".into());
    assert_eq!(model.port, 65_535.into());
    assert_eq!(model.wait, Duration::from_mins(90).into());
    assert_eq!(model.open, vec!["1".into(), Value::Null, Value::Unknown].into());
    assert_eq!(model.pile.known().unwrap().0[0].lent, Duration::from_secs(3).into());
    assert!(!format!("{model:?}").contains("\"k\""), "a secret is printed");
    let nothing: Shelf = decode(&Datum::Null).unwrap();
    assert_eq!(nothing, Shelf::default());
}

#[test]
fn null_and_unknown_are_kept_apart() {
    for (json, value) in [(json!(null), Value::Null), (json!("?"), Value::Unknown)] {
        let model: Shelf = decode(&shelf(&json!({"port": json, "name": "a"}))).unwrap();
        assert_eq!(model.port, value);
        assert_eq!(Datum::Map(model.encode_object()), shelf(&json!({"port": json, "name": "a"})));
    }
}

#[test]
fn all_faults_are_told_at_their_paths() {
    let check = |json: Json, faults: &[(&str, &str)]| {
        let diags = decode::<Shelf>(&shelf(&json)).unwrap_err();
        let told: Vec<_> =
            diags.iter().map(|it| (it.path().to_string(), it.detail().to_owned())).collect();
        let faults: Vec<_> =
            faults.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        assert_eq!(told, faults);
    };
    let port = "This must be a whole number from 0 to 65535.";
    check(
        json!({
            "port": 65536, "small": -1, "total": 1.5, "wait": "1 day",
            "books": {"b": {"title": "t", "pages": -1}, "c": {"title": "t", "pages": 0.5}},
            "rows": [{"title": "r"}, {"title": "s", "pages": 70000}],
            "pile": [{"title": "p", "pages": 70000}],
            "first": {"title": "f", "lent": ""}, "lines": ["1", null],
        }),
        &[
            ("port", port),
            ("small", "This must be a whole number from 0 to 255."),
            (
                "total",
                "This must be a whole number from -9223372036854775808 to 9223372036854775807.",
            ),
            (
                "wait",
                "This must be a duration like \"250ms\" or \"8760h\": a number needs one of the \
                 units ns, us, ms, s, m, h.",
            ),
            ("lines[1]", "This must be a string, and is null."),
            ("books[\"b\"].pages", port),
            ("books[\"c\"].pages", port),
            ("rows[1].pages", port),
            ("pile.pages", port),
            (
                "first.lent",
                "This must be a duration like \"250ms\" or \"8760h\": a number is missing.",
            ),
        ],
    );
}

#[test]
fn what_is_unknown_in_part_goes_back_unchanged() {
    let original = shelf(&json!({
        "name": "a", "lines": ["1", "?"], "tags": ["x", "?"], "labels": {"k": "?", "l": "v"},
        "books": {"b": "?", "c": {"title": "?", "lent": "90m"}}, "rows": ["?"],
        "pile": [{"title": "?"}, "?"], "wait": "90m",
    }));
    let mut model: Shelf = decode(&original).unwrap();
    assert_eq!(model.lines, Value::Unknown);
    assert_eq!(model.tags, Value::Unknown);
    assert_eq!(model.labels, Value::Unknown);
    assert_eq!(model.books, Value::Unknown);
    assert_eq!(encode_over(&model, &original), original);
    // What the author sets is what goes back, and only that.
    model.name = "b".into();
    let Datum::Map(mut expected) = original.clone() else { unreachable!() };
    expected.insert("name".to_owned(), "b".into());
    assert_eq!(encode_over(&model, &original), Datum::Map(expected));
}

#[test]
fn a_change_beside_a_spelling_keeps_the_spelling() {
    let book = |title: &str, lent: &str| json!({"title": title, "lent": lent});
    let original = shelf(&json!({
        "name": "a", "rows": [book("r", "90m"), book("s", "60s")],
        "books": {"b": book("t", "90m"), "c": book("u", "60s")}, "first": book("f", "90m"),
    }));
    let mut model: Shelf = decode(&original).unwrap();
    let Value::Known(rows) = &mut model.rows else { unreachable!() };
    rows[1].title = "S".into();
    let Value::Known(books) = &mut model.books else { unreachable!() };
    books.insert("d".to_owned(), Book::default());
    let Value::Known(first) = &mut model.first else { unreachable!() };
    first.title = "F".into();
    let expected = shelf(&json!({
        "name": "a", "rows": [book("r", "90m"), book("S", "60s")],
        "books": {"b": book("t", "90m"), "c": book("u", "60s"), "d": {}}, "first": book("F", "90m"),
    }));
    assert_eq!(encode_over(&model, &original), expected);
}

#[test]
fn texts_are_composed_as_terraform_does() {
    let labels = BTreeMap::from([("e\u{301}".to_owned(), "u\u{308}".to_owned())]);
    let model = Shelf { name: "e\u{301}".into(), labels: labels.into(), ..Shelf::default() };
    let expected = shelf(&json!({"name": "\u{e9}", "labels": {"\u{e9}": "\u{fc}"}}));
    assert_eq!(Datum::Map(model.encode_object()), expected);
}

#[test]
fn the_default_of_an_object_is_that_of_its_attributes() {
    let plan = |config: Json, prior: Json| {
        let planned = propose(&Shelf::attributes(), &shelf(&config), &shelf(&prior));
        planned.get("limits").cloned().unwrap()
    };
    let limits = |json: Json| shelf(&json!({"limits": json})).get("limits").cloned().unwrap();
    let none = json!({"name": "a"});
    let new = json!({"depth": 7, "found": "?", "inner": {"mode": "soft"}});
    assert_eq!(plan(none.clone(), Json::Null), limits(new));
    // What was found stays, so that the next plan is empty.
    let stored = json!({"depth": 7, "found": "x", "inner": {"mode": "soft"}});
    assert_eq!(plan(none, json!({"name": "a", "limits": stored})), limits(stored));
    let config = json!({"name": "a", "limits": {"width": 1, "inner": {}}});
    let given = json!({"depth": 7, "width": 1, "found": "?", "inner": {"mode": "soft"}});
    assert_eq!(plan(config, Json::Null), limits(given));
}

#[test]
fn a_field_named_by_a_keyword_is_an_attribute_without_the_mark() {
    let schema = Shelf::schema(0);
    assert!(schema.attribute("type").is_some());
    assert_eq!(schema.flaws(), vec![]);
}

#[test]
fn an_object_without_values_is_not_null() {
    let nothing = encode_over(&Shelf::default(), &Datum::Null);
    assert!(nothing.entries().is_some_and(|it| it.values().all(Datum::is_null)), "{nothing:?}");
}

#[test]
fn a_model_hides_what_its_rules_hide() {
    model! {
        /// Holds two secrets, neither of them a `Secret`.
        struct Safe {
            /// Shown.
            name: Value<String> = required(),
            /// Hidden in plans.
            key: Value<String> = optional().sensitive(),
            /// Never stored.
            password: Value<String> = optional().write_only(),
        }
    }
    let safe = Safe { name: "a".into(), key: "hunter".into(), password: "hunter".into() };
    assert_eq!(format!("{safe:?}"), r#"Safe { name: Known("a"), key: …, password: … }"#);
}
