//! What holds for the plan, and for what the gate says of it, under every schema.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

use super::propose;
use crate::tfplugin::gate::{mend, outcome_breaks, plan_breaks, stored_breaks};
use crate::tfplugin::schema::{
    Attribute, Follows, Nesting, Rules, Schema, Shape, computed, optional, required,
};
use crate::tfplugin::types::Type;
use crate::tfplugin::value::{Datum, Refinements, Set};
use crate::tfplugin::wire;
use crate::tfplugin::wire::arbitrary::{datum, known, types};

const NAMES: &[&str] = &["a", "b", "c", "d", "e"];

fn presence(in_set: bool) -> BoxedStrategy<Rules> {
    let free = prop_oneof![
        1 => Just(required()),
        1 => Just(optional()),
        // Defaults are of this kind, and most can go wrong with them.
        4 => Just(optional().or_computed()),
        2 => Just(computed()),
        1 => Just(optional().write_only()),
        1 => Just(optional().or_computed().changes_always()),
        1 => Just(computed().changes_with(NAMES)),
    ];
    // An element of a set has no address, so a schema has nothing else there.
    if in_set { prop_oneof![Just(required()), Just(optional())].boxed() } else { free.boxed() }
}

/// A schema without flaws, as deep as `depth`.
fn schema(depth: u32, in_set: bool) -> BoxedStrategy<Vec<Attribute>> {
    let names = subsequence(NAMES, 1..=NAMES.len());
    let attributes = names.prop_flat_map(move |names| {
        names.into_iter().map(|name| attribute(name, depth, in_set)).collect::<Vec<_>>()
    });
    // What is followed must exist.
    attributes
        .prop_map(|mut attributes| {
            let there: Vec<_> = attributes.iter().map(|it| it.name).collect();
            for it in &mut attributes {
                if let Follows::Attributes(_) = it.rules.follows {
                    let first = NAMES.iter().position(|name| *name == there[0]).unwrap_or(0);
                    it.rules.follows = Follows::Attributes(&NAMES[first..=first]);
                }
            }
            attributes
        })
        .boxed()
}

fn attribute(name: &'static str, depth: u32, in_set: bool) -> BoxedStrategy<Attribute> {
    let plain = (types(), presence(in_set)).prop_flat_map(move |(ty, rules)| {
        let ty = if in_set { Type::String } else { ty };
        let can_default =
            rules.is_configurable() && rules.is_computed() && rules.follows == Follows::Nothing;
        let rules = if can_default {
            known(&ty)
                .prop_map(move |it| match it {
                    Datum::Null => rules.clone(),
                    default => rules.clone().default(default),
                })
                .boxed()
        } else {
            Just(rules).boxed()
        };
        rules.prop_map(move |rules| Attribute::new(name, &[], Shape::Plain(ty.clone()), rules))
    });
    if depth == 0 {
        return plain.boxed();
    }
    let nesting = prop_oneof![
        Just(Nesting::Single),
        Just(Nesting::List),
        Just(Nesting::Set),
        Just(Nesting::Map)
    ];
    let nested = nesting.prop_flat_map(move |nesting| {
        let in_set = in_set || nesting == Nesting::Set;
        (schema(depth - 1, in_set), presence(in_set), any::<bool>()).prop_map(
            move |(attributes, rules, has_default)| {
                let is_object = nesting == Nesting::Single
                    && rules.is_configurable()
                    && rules.follows == Follows::Nothing;
                let rules = if is_object && rules.is_computed() && has_default {
                    rules.default(Datum::Map(BTreeMap::new()))
                } else {
                    rules
                };
                Attribute::new(name, &[], Shape::Nested(nesting, attributes), rules)
            },
        )
    });
    prop_oneof![1 => plain, 1 => nested].boxed()
}

/// A configuration that Terraform would send: what is only computed is null, what is required is
/// not. With `unknowns`, anything may be unknown.
fn config(attributes: &[Attribute], unknowns: bool) -> BoxedStrategy<Datum> {
    let one = |it: &Attribute| {
        let value = match &it.shape {
            _ if !it.rules.is_configurable() => Just(Datum::Null).boxed(),
            Shape::Plain(ty) if unknowns => datum(ty),
            Shape::Plain(ty) => known(ty),
            Shape::Nested(nesting, nested) => objects(*nesting, config(nested, unknowns), unknowns),
        };
        let is_required = it.rules.is_configurable() && !it.rules.is_computed();
        let value = if is_required && it.rules.presence == required().presence {
            value.prop_filter("required", |it| !it.is_null()).boxed()
        } else {
            prop_oneof![1 => Just(Datum::Null), 1 => value].boxed()
        };
        (Just(it.name.to_owned()), value)
    };
    let entries: Vec<_> = attributes.iter().map(one).collect();
    entries.prop_map(|it| Datum::Map(it.into_iter().collect())).boxed()
}

fn objects(nesting: Nesting, object: BoxedStrategy<Datum>, unknowns: bool) -> BoxedStrategy<Datum> {
    let known = match nesting {
        Nesting::Single => object,
        Nesting::List => vec(object, 0..3).prop_map(Datum::List).boxed(),
        Nesting::Set => vec(object, 0..3).prop_map(|it| Datum::Set(Set(it))).boxed(),
        Nesting::Map => btree_map("[xyz]", object, 0..3).prop_map(Datum::Map).boxed(),
    };
    if unknowns { prop_oneof![1 => Just(Datum::UNKNOWN), 5 => known].boxed() } else { known }
}

/// Any stored object of the schema, or none.
fn prior(attributes: &[Attribute]) -> impl Strategy<Value = Datum> + use<> {
    let schema = unnamed(attributes.to_vec());
    known(schema.ty()).prop_map(move |it| mend(&schema.attributes, &it, &Datum::Null))
}

fn unnamed(attributes: Vec<Attribute>) -> Schema {
    Schema::new(0, String::new(), attributes)
}

fn planning(unknowns: bool) -> impl Strategy<Value = (Vec<Attribute>, Datum, Datum)> {
    schema(2, false).prop_flat_map(move |attributes| {
        let (config, prior) = (config(&attributes, unknowns), prior(&attributes));
        (Just(attributes), config, prior)
    })
}

fn encodes(attributes: &[Attribute], object: &Datum) -> bool {
    wire::encode(object, unnamed(attributes.to_vec()).ty()).is_ok()
}

/// Leaves unknown values only those limits for which a value is quickly found.
fn soften(datum: Datum) -> Datum {
    match datum {
        Datum::Unknown(Some(it)) => {
            let limits = Refinements { null: it.null, prefix: it.prefix, ..Default::default() };
            Datum::Unknown((limits != Refinements::default()).then(|| Box::new(limits)))
        }
        Datum::List(items) => Datum::List(items.into_iter().map(soften).collect()),
        Datum::Set(Set(items)) => Datum::Set(Set(items.into_iter().map(soften).collect())),
        Datum::Map(entries) => {
            Datum::Map(entries.into_iter().map(|(key, it)| (key, soften(it))).collect())
        }
        Datum::Dynamic(inner) => Datum::Dynamic(Box::new((inner.0, soften(inner.1)))),
        other => other,
    }
}

/// The planned object with each unknown value replaced by one that its limits allow.
fn fill(planned: &Datum, ty: &Type) -> BoxedStrategy<Datum> {
    let all = |items: &[Datum], types: Vec<&Type>| -> BoxedStrategy<Vec<Datum>> {
        items.iter().zip(types).map(|(it, ty)| fill(it, ty)).collect::<Vec<_>>().boxed()
    };
    match (planned, ty) {
        (Datum::Unknown(None), ty) => known(ty),
        (Datum::Unknown(Some(limits)), ty) => match (&limits.null, &limits.prefix, ty) {
            (Some(true), ..) => Just(Datum::Null).boxed(),
            (_, Some(prefix), _) => {
                let prefix = prefix.clone();
                ".{0,3}".prop_map(move |it| Datum::String(format!("{prefix}{it}"))).boxed()
            }
            (_, None, ty) => known(ty).prop_filter("not null", |it| !it.is_null()).boxed(),
        },
        (Datum::List(items), Type::List(of)) => {
            all(items, vec![of; items.len()]).prop_map(Datum::List).boxed()
        }
        (Datum::List(items), Type::Tuple(types)) => {
            all(items, types.iter().collect()).prop_map(Datum::List).boxed()
        }
        (Datum::Set(Set(items)), Type::Set(of)) => {
            all(items, vec![of; items.len()]).prop_map(|it| Datum::Set(Set(it))).boxed()
        }
        (Datum::Map(entries), ty) => {
            let of = |key: &String| match ty {
                Type::Object(attributes) => &attributes[key],
                Type::Map(of) => of,
                other => other,
            };
            let entries: Vec<_> =
                entries.iter().map(|(key, it)| (Just(key.clone()), fill(it, of(key)))).collect();
            entries.prop_map(|it| Datum::Map(it.into_iter().collect())).boxed()
        }
        (Datum::Dynamic(inner), _) => {
            let ty = inner.0.clone();
            fill(&inner.1, &inner.0)
                .prop_map(move |it| Datum::Dynamic(Box::new((ty.clone(), it))))
                .boxed()
        }
        (known, _) => Just(known.clone()).boxed(),
    }
}

/// All known leaves outside of sets, to be changed one at a time.
fn leaves<'a>(datum: &'a mut Datum, found: &mut Vec<&'a mut Datum>) {
    match datum {
        Datum::Unknown(_) | Datum::Set(_) | Datum::Dynamic(_) => (),
        Datum::List(items) => items.iter_mut().for_each(|it| leaves(it, found)),
        Datum::Map(entries) => entries.values_mut().for_each(|it| leaves(it, found)),
        leaf => found.push(leaf),
    }
}

fn planned_and_filled() -> impl Strategy<Value = (Datum, Datum)> {
    planning(true)
        .prop_map(|(attributes, config, prior)| {
            let planned = soften(propose(&attributes, &config, &prior));
            (unnamed(attributes).ty().clone(), planned)
        })
        .prop_flat_map(|(ty, planned)| (Just(planned.clone()), fill(&planned, &ty)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_schemas_of_these_tests_have_no_flaws(attributes in schema(2, false)) {
        prop_assert_eq!(unnamed(attributes).flaws(), vec![]);
    }

    #[test]
    fn a_proposed_plan_passes_the_gate((attributes, config, prior) in planning(true)) {
        let planned = propose(&attributes, &config, &prior);
        prop_assert_eq!(plan_breaks(&attributes, &config, &prior, &planned), vec![]);
        prop_assert!(encodes(&attributes, &planned));
        let first = propose(&attributes, &config, &Datum::Null);
        prop_assert_eq!(plan_breaks(&attributes, &config, &Datum::Null, &first), vec![]);
    }

    #[test]
    fn a_plan_after_an_apply_changes_nothing((attributes, config, prior) in planning(false)) {
        for prior in [prior, Datum::Null] {
            let planned = propose(&attributes, &config, &prior);
            let stored = mend(&attributes, &planned, &prior);
            prop_assert_eq!(propose(&attributes, &config, &stored), stored);
        }
    }

    #[test]
    fn planning_twice_gives_the_same((attributes, config, prior) in planning(true)) {
        let planned = propose(&attributes, &config, &prior);
        prop_assert_eq!(propose(&attributes, &config, &prior), planned);
    }

    #[test]
    fn what_is_mended_can_be_stored((attributes, object, prior) in planning(true)) {
        let mended = mend(&attributes, &object, &prior);
        prop_assert_eq!(stored_breaks(&attributes, &mended), vec![]);
        prop_assert!(encodes(&attributes, &mended));
    }

    #[test]
    fn what_can_be_stored_is_not_changed((attributes, object, prior) in planning(false)) {
        if stored_breaks(&attributes, &object).is_empty() {
            prop_assert_eq!(mend(&attributes, &object, &prior), object);
        }
    }
}

proptest! {
    // Values to fill in make these the slow ones.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_outcome_may_fill_what_was_unknown((planned, actual) in planned_and_filled()) {
        prop_assert_eq!(outcome_breaks(&planned, &actual), vec![]);
    }

    #[test]
    fn an_outcome_may_not_change_what_was_known(
        (mut planned, actual) in planned_and_filled(),
        at in any::<Index>(),
    ) {
        let mut known = Vec::new();
        leaves(&mut planned, &mut known);
        prop_assume!(!known.is_empty());
        // That the plan and not the outcome is changed is the same to the comparison.
        let leaf = known.swap_remove(at.index(known.len()));
        *leaf = match &*leaf {
            Datum::String(text) => Datum::String(format!("{text}!")),
            _ => "another".into(),
        };
        prop_assert_eq!(outcome_breaks(&planned, &actual).len(), 1);
    }
}
