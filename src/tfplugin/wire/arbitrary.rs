//! Any type, and any value of a type, for the properties.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::tfplugin::types::Type;
use crate::tfplugin::value::{Bound, Datum, Number, Refinements, Set};

/// How many dynamic values may be inside of each other.
const DYNAMICS: u32 = 2;

/// A type with a few levels.
pub(crate) fn types() -> impl Strategy<Value = Type> {
    let simple =
        prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::String), Just(Type::Dynamic)];
    simple.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|of| Type::List(Box::new(of))),
            inner.clone().prop_map(|of| Type::Set(Box::new(of))),
            inner.clone().prop_map(|of| Type::Map(Box::new(of))),
            btree_map("[a-zü\"_]{0,8}", inner.clone(), 0..4).prop_map(Type::Object),
            vec(inner, 0..4).prop_map(Type::Tuple),
        ]
    })
}

/// A type with a value of it.
pub(super) fn typed() -> impl Strategy<Value = (Type, Datum)> {
    types().prop_flat_map(|ty| (Just(ty.clone()), datum(&ty)))
}

/// Any value of a type.
pub(crate) fn datum(ty: &Type) -> BoxedStrategy<Datum> {
    value(ty, DYNAMICS, true)
}

/// Any value of a type with nothing unknown in it.
pub(crate) fn known(ty: &Type) -> BoxedStrategy<Datum> {
    value(ty, DYNAMICS, false)
}

fn value(ty: &Type, dynamics: u32, unknowns: bool) -> BoxedStrategy<Datum> {
    let of = |ty: &Type| value(ty, dynamics, unknowns);
    let known = match ty {
        Type::Bool => any::<bool>().prop_map(Datum::Bool).boxed(),
        Type::Number => number().prop_map(Datum::Number).boxed(),
        Type::String => any::<String>().prop_map(Datum::String).boxed(),
        Type::Dynamic if dynamics == 0 => Just(Datum::Null).boxed(),
        Type::Dynamic => dynamic(dynamics - 1, unknowns).boxed(),
        Type::List(element) => vec(of(element), 0..4).prop_map(Datum::List).boxed(),
        Type::Set(element) => vec(of(element), 0..4).prop_map(|it| Datum::Set(Set(it))).boxed(),
        Type::Map(element) => {
            btree_map(any::<String>(), of(element), 0..4).prop_map(Datum::Map).boxed()
        }
        Type::Object(attributes) => attributes
            .iter()
            .map(|(name, ty)| (Just(name.clone()), of(ty)))
            .collect::<Vec<_>>()
            .prop_map(|it| Datum::Map(it.into_iter().collect()))
            .boxed(),
        Type::Tuple(types) => {
            types.iter().map(of).collect::<Vec<_>>().prop_map(Datum::List).boxed()
        }
    };
    if !unknowns {
        return prop_oneof![1 => Just(Datum::Null), 7 => known].boxed();
    }
    prop_oneof![1 => Just(Datum::Null), 1 => unknown(ty), 6 => known].boxed()
}

/// A value with its type, which is not dynamic itself: that would say nothing.
fn dynamic(dynamics: u32, unknowns: bool) -> impl Strategy<Value = Datum> {
    types()
        .prop_filter("a type that says something", |ty| *ty != Type::Dynamic)
        .prop_flat_map(move |ty| (Just(ty.clone()), value(&ty, dynamics, unknowns)))
        .prop_map(|it| Datum::Dynamic(Box::new(it)))
}

/// Refined as far as the type allows.
fn unknown(ty: &Type) -> BoxedStrategy<Datum> {
    let null = option::of(any::<bool>());
    let refined =
        |it: Refinements| Datum::Unknown((it != Refinements::default()).then(|| Box::new(it)));
    match ty {
        Type::Dynamic => Just(Datum::UNKNOWN).boxed(),
        Type::String => (null, option::of(".{0,40}"))
            .prop_map(move |(null, prefix)| {
                refined(Refinements { null, prefix, ..Refinements::default() })
            })
            .boxed(),
        Type::Number => (null, option::of(bound()), option::of(bound()))
            .prop_map(move |(null, lower, upper)| {
                refined(Refinements { null, lower, upper, ..Refinements::default() })
            })
            .boxed(),
        Type::List(_) | Type::Set(_) | Type::Map(_) => {
            (null, option::of(any::<u64>()), option::of(any::<u64>()))
                .prop_map(move |(null, min_length, max_length)| {
                    refined(Refinements { null, min_length, max_length, ..Refinements::default() })
                })
                .boxed()
        }
        Type::Bool | Type::Object(_) | Type::Tuple(_) => null
            .prop_map(move |null| refined(Refinements { null, ..Refinements::default() }))
            .boxed(),
    }
}

fn bound() -> impl Strategy<Value = Bound> {
    (number(), any::<bool>()).prop_map(|(value, inclusive)| Bound { value, inclusive })
}

fn number() -> impl Strategy<Value = Number> {
    let double = prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO;
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        double.prop_map(|it| Number::from_f64(it).unwrap()),
        "-?[0-9]{1,30}(\\.[0-9]{1,30})?(e-?[0-9]{1,2})?".prop_map(|it| Number::parse(&it).unwrap()),
    ]
}
