//! Each flaw of a schema, and its neighbour that is none.

use std::collections::BTreeMap;

use super::*;
use crate::tfplugin::value::Datum;

fn plain(name: &'static str, ty: Type, rules: Rules) -> Attribute {
    Attribute::new(name, &[], Shape::Plain(ty), rules)
}

fn nested(nesting: Nesting, attribute: Attribute) -> Attribute {
    nested_as(nesting, attribute, optional())
}

fn nested_as(nesting: Nesting, attribute: Attribute, rules: Rules) -> Attribute {
    Attribute::new("outer", &[], Shape::Nested(nesting, vec![attribute]), rules)
}

fn text(name: &'static str) -> Attribute {
    plain(name, Type::String, optional())
}

fn schema(attributes: Vec<Attribute>) -> Schema {
    Schema::new(0, String::new(), attributes)
}

#[track_caller]
fn check(attributes: Vec<Attribute>, flaws: &[&str]) {
    let found: Vec<_> = schema(attributes).flaws().iter().map(ToString::to_string).collect();
    assert_eq!(found, flaws);
}

#[test]
fn names() {
    check(vec![text("a"), text("_b2"), text("type")], &[]);
    for name in ["", "A", "a-b", "2a", "ä"] {
        check(
            vec![text(name)],
            &[&format!("{name}: a name has lower-case letters, digits and `_`")],
        );
    }
    for name in ["count", "for_each", "depends_on", "lifecycle", "provider", "connection"] {
        check(vec![text(name)], &[&format!("{name}: the name is reserved")]);
        check(vec![nested(Nesting::Single, text(name))], &[]);
    }
    check(vec![text("a"), text("b"), text("a")], &["a: the name is used twice"]);
    let bad = "outer.A: a name has lower-case letters, digits and `_`";
    check(vec![nested(Nesting::Map, text("A"))], &[bad]);
}

#[test]
fn presence() {
    let flaw = "a: a write-only attribute is neither computed nor has a default";
    check(vec![plain("a", Type::String, required().write_only())], &[]);
    check(vec![plain("a", Type::String, computed().write_only())], &[flaw]);
    check(vec![plain("a", Type::String, optional().write_only().default("x"))], &[flaw]);
    let checked = computed().check(super::not_empty());
    check(
        vec![plain("a", Type::String, checked)],
        &["a: only a configurable attribute is checked"],
    );
    // No rules give required and computed, or required and optional: presence is one word.
    assert!(!required().is_computed() && required().is_configurable());
}

#[test]
fn sets() {
    let flaw = "outer.a: nothing in a set is write-only or dynamic";
    let objects = Type::Object([("x".to_owned(), Type::Dynamic)].into());
    for ty in [Type::Dynamic, Type::Map(Box::new(Type::Dynamic)), objects] {
        check(vec![nested(Nesting::Set, plain("a", ty.clone(), optional()))], &[flaw]);
        check(vec![nested(Nesting::List, plain("a", ty, optional()))], &[]);
    }
    let secret = plain("a", Type::String, optional().write_only());
    check(vec![nested(Nesting::Set, secret.clone())], &[flaw]);
    check(vec![nested(Nesting::Map, secret)], &[]);
    let flaw = "outer.a: an element of a set has no address, so nothing in it is computed or \
                defaulted";
    for rules in [computed(), optional().default("x")] {
        check(vec![nested(Nesting::Set, plain("a", Type::String, rules.clone()))], &[flaw]);
        check(vec![nested(Nesting::Map, plain("a", Type::String, rules))], &[]);
    }
}

#[test]
fn what_follows() {
    let flaw = "a: only a computed attribute follows others";
    check(vec![plain("a", Type::String, optional().changes_always())], &[flaw]);
    check(vec![plain("a", Type::String, computed().changes_always())], &[]);
    let flaw = "a: it follows `b`, which does not exist";
    check(vec![plain("a", Type::String, computed().changes_with(&["b"]))], &[flaw]);
    check(vec![plain("a", Type::String, computed().changes_with(&["b"])), text("b")], &[]);
    let flaw = "a: an attribute with a default follows nothing";
    check(vec![plain("a", Type::String, optional().changes_always().default("x"))], &[flaw]);
}

#[test]
fn constants() {
    let flaw = "a: its default is not of its type";
    check(vec![plain("a", Type::Number, optional().default("x"))], &[flaw]);
    check(vec![plain("a", Type::Number, optional().default(1))], &[]);
    let flaw = "a: the constant that it is planned as is not of its type";
    check(vec![plain("a", Type::Number, computed().planned_as("x"))], &[flaw]);
    let list = Type::List(Box::new(Type::String));
    check(vec![plain("a", list, computed().planned_as(Datum::List(Vec::new())))], &[]);
    let object = |key: &str, value: Datum| Datum::Map(BTreeMap::from([(key.to_owned(), value)]));
    let with =
        |nesting, default: Datum| vec![nested_as(nesting, text("a"), optional().default(default))];
    let flaw = "outer: its default is not of its type";
    check(with(Nesting::Single, Datum::Map(BTreeMap::new())), &[]);
    check(with(Nesting::Single, object("a", "x".into())), &[]);
    check(with(Nesting::Single, object("b", "x".into())), &[flaw]);
    check(with(Nesting::Single, object("a", 1.into())), &[flaw]);
    check(with(Nesting::Map, object("any", object("a", "x".into()))), &[]);
    check(with(Nesting::Map, object("any", "x".into())), &[flaw]);
    check(with(Nesting::List, Datum::List(vec![object("a", "x".into())])), &[]);
    check(with(Nesting::List, Datum::Map(BTreeMap::new())), &[flaw]);
}

#[test]
fn versions() {
    let negative = Schema { version: -1, ..schema(Vec::new()) };
    assert_eq!(negative.flaws()[0].text, "the version is negative");
}

#[test]
fn identities() {
    let check = |attribute: Attribute, flaws: &[&str]| {
        let found = schema(vec![attribute]).identity_flaws();
        let found: Vec<_> = found.iter().map(|it| it.text.clone()).collect();
        assert_eq!(found, flaws);
    };
    let of = |ty| plain("a", ty, required());
    check(of(Type::Number), &[]);
    check(of(Type::List(Box::new(Type::String))), &[]);
    let flaw = "an identity holds primitives and lists of them";
    let text = || Box::new(Type::String);
    let lists = Type::List(Box::new(Type::List(text())));
    for ty in [Type::Map(text()), Type::Set(text()), Type::Object([].into()), Type::Dynamic, lists]
    {
        check(of(ty), &[flaw]);
    }
    check(nested(Nesting::Single, super::tests::text("a")), &[flaw]);
    check(
        plain("a", Type::String, computed()),
        &["an identity is required or optional for import"],
    );
}

#[test]
fn a_schema_is_sent_with_either_a_type_or_nested_attributes() {
    let block = schema(vec![text("a"), nested(Nesting::Map, text("b"))]).to_proto().block;
    let attributes = block.unwrap_or_default().attributes;
    assert!(attributes.iter().all(|it| it.r#type.is_empty() == it.nested_type.is_some()));
}

#[test]
fn all_of_what_the_provider_sets_is_computed() {
    let inner = || plain("a", Type::String, required().check(super::not_empty()).sensitive());
    let outer = nested_as(Nesting::Map, nested(Nesting::Single, inner()), computed());
    let (_, middle) = outer.nested().unwrap();
    let (_, inside) = middle[0].nested().unwrap();
    for it in [&middle[0], &inside[0]] {
        assert_eq!(it.rules.presence, Presence::Computed);
        assert!(it.rules.checks.is_empty());
    }
    assert!(inside[0].rules.sensitive);
    check(vec![outer], &[]);
    let set = nested_as(Nesting::Map, nested(Nesting::Set, text("a")), computed());
    check(vec![set], &[]);
    let argument = nested_as(Nesting::Map, inner(), required());
    assert_eq!(argument.nested().unwrap().1[0].rules.presence, Presence::Required);
}
