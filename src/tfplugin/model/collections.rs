//! Lists, sets and maps in models.

use std::collections::{BTreeMap, BTreeSet};

use super::scalars::composed;
use super::{Faulty, Got, Trail, Typed, mismatch};
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::schema::{Nesting, Shape};
use crate::tfplugin::types::Type;
use crate::tfplugin::value::{Datum, Set};

type Read<T> = Result<Got<T>, Faulty>;

/// A set of values that have no order in Rust, such as models.
#[derive(Clone, Debug, Default)]
pub struct Unordered<T>(pub Vec<T>);

impl<T: PartialEq> PartialEq for Unordered<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().all(|it| other.0.contains(it))
    }
}

/// The shape of a collection; objects in it keep the rules of their attributes.
fn collection<T: Typed>(nesting: Nesting, ty: fn(Box<Type>) -> Type) -> Shape {
    match T::shape() {
        Shape::Nested(Nesting::Single, attributes) => Shape::Nested(nesting, attributes),
        // Collections of collections of objects have no nested form in the protocol.
        other => Shape::Plain(ty(Box::new(other.ty()))),
    }
}

/// Reads all elements, so that each fault is told, then gives up at the first unknown or fault.
fn elements<T>(read: impl Iterator<Item = Read<T>>) -> Result<Option<Vec<T>>, Faulty> {
    let read: Vec<_> = read.collect();
    let mut values = Vec::with_capacity(read.len());
    let mut unknown = false;
    for one in read {
        match one? {
            Got::Known(value) => values.push(value),
            Got::Unknown => unknown = true,
        }
    }
    Ok((!unknown).then_some(values))
}

fn known<T>(values: Option<T>) -> Got<T> {
    values.map_or(Got::Unknown, Got::Known)
}

impl<T: Typed> Typed for Vec<T> {
    fn shape() -> Shape {
        collection::<T>(Nesting::List, Type::List)
    }

    fn decode(datum: &Datum, at: &Trail<'_>, faults: &mut Diagnostics) -> Read<Self> {
        let Datum::List(items) = datum else { return mismatch(datum, "a list", at, faults) };
        let read = items.iter().enumerate();
        elements(read.map(|(index, it)| T::decode(it, &Trail::Index(at, index), faults))).map(known)
    }

    fn encode(&self) -> Datum {
        Datum::List(self.iter().map(Typed::encode).collect())
    }
}

impl<T: Typed> Typed for Unordered<T> {
    fn shape() -> Shape {
        collection::<T>(Nesting::Set, Type::Set)
    }

    fn decode(datum: &Datum, at: &Trail<'_>, faults: &mut Diagnostics) -> Read<Self> {
        let Datum::Set(Set(items)) = datum else { return mismatch(datum, "a set", at, faults) };
        let read = elements(items.iter().map(|it| T::decode(it, at, faults)))?;
        Ok(known(read.map(Self)))
    }

    fn encode(&self) -> Datum {
        Datum::Set(Set(self.0.iter().map(Typed::encode).collect()))
    }
}

impl<T: Typed + Ord> Typed for BTreeSet<T> {
    fn shape() -> Shape {
        Unordered::<T>::shape()
    }

    fn decode(datum: &Datum, at: &Trail<'_>, faults: &mut Diagnostics) -> Read<Self> {
        Ok(match Unordered::decode(datum, at, faults)? {
            Got::Known(Unordered(values)) => Got::Known(values.into_iter().collect()),
            Got::Unknown => Got::Unknown,
        })
    }

    fn encode(&self) -> Datum {
        Datum::Set(Set(self.iter().map(Typed::encode).collect()))
    }
}

impl<T: Typed> Typed for BTreeMap<String, T> {
    fn shape() -> Shape {
        collection::<T>(Nesting::Map, Type::Map)
    }

    fn decode(datum: &Datum, at: &Trail<'_>, faults: &mut Diagnostics) -> Read<Self> {
        let Datum::Map(entries) = datum else { return mismatch(datum, "a map", at, faults) };
        let read = entries.iter().map(|(key, it)| {
            Ok(match T::decode(it, &Trail::Key(at, key), faults)? {
                Got::Known(value) => Got::Known((key.clone(), value)),
                Got::Unknown => Got::Unknown,
            })
        });
        Ok(known(elements(read)?.map(|it| it.into_iter().collect())))
    }

    fn encode(&self) -> Datum {
        Datum::Map(self.iter().map(|(key, it)| (composed(key), it.encode())).collect())
    }
}
