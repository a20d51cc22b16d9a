//! Models: one declaration gives the Rust struct, the schema, the codec and the documentation.
//!
//! ```
//! use std::collections::BTreeMap;
//! use terraform_provider_ha::model;
//! use terraform_provider_ha::tfplugin::model::Model;
//! use terraform_provider_ha::tfplugin::value::Value;
//!
//! model! {
//!     /// A shelf.
//!     pub struct Shelf {
//!         /// Name of the shelf. Cannot change.
//!         name: Value<String> = required().refuses_change(),
//!         /// Books by a stable key.
//!         books: Value<BTreeMap<String, String>> = optional(),
//!     }
//! }
//!
//! assert_eq!(Shelf::schema(0).attributes.len(), 2);
//! ```

mod collections;
mod configured;
mod declare;
mod duration;
mod scalars;
#[cfg(test)]
mod tests;
mod timeouts;
mod trail;

use std::collections::BTreeMap;
use std::fmt;

pub use collections::Unordered;
pub use configured::configured;
pub use duration::{DurationError, format_duration, parse_duration, same_duration};
pub use timeouts::Timeouts;
pub use trail::Trail;

use super::diagnostics::{Diagnostic, Diagnostics};
use super::schema::{Attribute, Nesting, Schema, Shape, paragraph};
use super::value::{Datum, Value};

/// What a value of the wire became.
#[derive(Clone, Debug, PartialEq)]
pub enum Got<T> {
    /// A value of the Rust type.
    Known(T),
    /// It, or something inside it that the Rust type cannot leave open, is not known yet.
    Unknown,
}

/// A fault was pushed to the diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faulty;

/// A Rust type that values of one shape become.
pub trait Typed: Sized {
    /// The shape of the values.
    fn shape() -> Shape;

    /// Reads a value; every fault inside it is told at its own path.
    ///
    /// # Errors
    /// The value is no `Self`, and `faults` says why.
    fn decode(datum: &Datum, at: &Trail<'_>, faults: &mut Diagnostics)
    -> Result<Got<Self>, Faulty>;

    /// The value for the wire.
    fn encode(&self) -> Datum;
}

/// A struct declared by [`model!`](crate::model).
pub trait Model: Clone + fmt::Debug + Default + Send + Sync + 'static {
    /// The lines of the doc comment.
    const DOCS: &'static [&'static str];

    /// The attributes in the order of declaration.
    fn attributes() -> Vec<Attribute>;

    /// Reads an object; every fault inside it is told at its own path.
    ///
    /// # Errors
    /// A value in the object does not fit, and `faults` says which.
    fn decode_object(
        object: &BTreeMap<String, Datum>,
        at: &Trail<'_>,
        faults: &mut Diagnostics,
    ) -> Result<Self, Faulty>;

    /// The object for the wire.
    fn encode_object(&self) -> BTreeMap<String, Datum>;

    /// The schema of a block of this model.
    fn schema(version: i64) -> Schema {
        Schema::new(version, paragraph(Self::DOCS), Self::attributes())
    }
}

/// A model without attributes, for blocks and identities that there are none of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nothing;

impl Model for Nothing {
    const DOCS: &'static [&'static str] = &[];

    fn attributes() -> Vec<Attribute> {
        Vec::new()
    }

    fn decode_object(
        _: &BTreeMap<String, Datum>,
        _: &Trail<'_>,
        _: &mut Diagnostics,
    ) -> Result<Self, Faulty> {
        Ok(Self)
    }

    fn encode_object(&self) -> BTreeMap<String, Datum> {
        BTreeMap::new()
    }
}

/// A whole block as a model.
///
/// # Errors
/// The block holds a value that does not fit; the diagnostics say where and why.
pub fn decode<M: Model>(block: &Datum) -> Result<M, Diagnostics> {
    let mut faults = Diagnostics::new();
    let none = BTreeMap::new();
    let object = block.entries().unwrap_or(&none);
    M::decode_object(object, &Trail::Root, &mut faults).map_err(|Faulty| faults)
}

/// The model for the wire, where it differs from what `original` became when it was read.
///
/// A Rust type may be unable to leave a part open (an unknown element makes a `Vec<String>` unknown
/// as a whole). So what the author did not touch goes back exactly as it came.
pub fn encode_over<M: Model>(model: &M, original: &Datum) -> Datum {
    let after = Datum::Map(model.encode_object());
    match decode::<M>(original) {
        Ok(before) if !original.is_null() => {
            merge(Datum::Map(before.encode_object()), after, original)
        }
        // An object without a single value is still an object.
        _ => after,
    }
}

fn merge(before: Datum, after: Datum, original: &Datum) -> Datum {
    if before == after {
        return original.clone();
    }
    match (before, after, original) {
        (Datum::Map(mut before), Datum::Map(after), Datum::Map(original)) => {
            let one = |(key, value): (String, Datum)| {
                let merged = match (before.remove(&key), original.get(&key)) {
                    (Some(before), Some(original)) => merge(before, value, original),
                    _ => value,
                };
                (key, merged)
            };
            Datum::Map(after.into_iter().map(one).collect())
        }
        (Datum::List(before), Datum::List(after), Datum::List(original))
            if before.len() == after.len() && before.len() == original.len() =>
        {
            let parts = before.into_iter().zip(after).zip(original);
            Datum::List(parts.map(|((before, after), it)| merge(before, after, it)).collect())
        }
        (_, after, _) => after,
    }
}

/// One attribute of an object, for the code that [`model!`](crate::model) writes.
#[doc(hidden)]
pub fn decode_attribute<T: Typed + Default>(
    object: &BTreeMap<String, Datum>,
    name: &'static str,
    at: &Trail<'_>,
    faults: &mut Diagnostics,
) -> Result<T, Faulty> {
    let name = name.strip_prefix("r#").unwrap_or(name);
    let at = Trail::Attribute(at, name);
    match T::decode(object.get(name).unwrap_or(&Datum::Null), &at, faults)? {
        Got::Known(value) => Ok(value),
        // Only a `Value` reaches this line as `Known`; a bare type that is unknown is its default.
        Got::Unknown => Ok(T::default()),
    }
}

impl<T: Typed> Typed for Value<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn decode(
        datum: &Datum,
        at: &Trail<'_>,
        faults: &mut Diagnostics,
    ) -> Result<Got<Self>, Faulty> {
        Ok(Got::Known(match datum {
            Datum::Null => Self::Null,
            Datum::Unknown(_) => Self::Unknown,
            known => match T::decode(known, at, faults)? {
                Got::Known(value) => Self::Known(value),
                Got::Unknown => Self::Unknown,
            },
        }))
    }

    fn encode(&self) -> Datum {
        match self {
            Self::Null => Datum::Null,
            Self::Unknown => Datum::UNKNOWN,
            Self::Known(value) => value.encode(),
        }
    }
}

impl<M: Model> Typed for M {
    fn shape() -> Shape {
        Shape::Nested(Nesting::Single, M::attributes())
    }

    fn decode(
        datum: &Datum,
        at: &Trail<'_>,
        faults: &mut Diagnostics,
    ) -> Result<Got<Self>, Faulty> {
        match datum {
            Datum::Map(object) => M::decode_object(object, at, faults).map(Got::Known),
            other => mismatch(other, "an object", at, faults),
        }
    }

    fn encode(&self) -> Datum {
        Datum::Map(self.encode_object())
    }
}

/// What a value becomes that is not of the kind that a type reads.
pub(super) fn mismatch<T>(
    datum: &Datum,
    wanted: &str,
    at: &Trail<'_>,
    faults: &mut Diagnostics,
) -> Result<Got<T>, Faulty> {
    let found = match datum {
        Datum::Unknown(_) => return Ok(Got::Unknown),
        Datum::Null => "null",
        Datum::Bool(_) => "a boolean",
        Datum::Number(_) => "a number",
        Datum::String(_) => "a string",
        Datum::List(_) => "a list",
        Datum::Set(_) => "a set",
        Datum::Map(_) => "a map or object",
        Datum::Dynamic(_) => "a value of its own type",
    };
    fault(format!("This must be {wanted}, and is {found}."), at, faults)
}

/// Tells a fault at its path. The value is not in the text, for it may be a secret.
pub(super) fn fault<T>(
    detail: String,
    at: &Trail<'_>,
    faults: &mut Diagnostics,
) -> Result<T, Faulty> {
    let path = at.path();
    let summary = format!("`{path}` has a value that does not fit");
    faults.push(Diagnostic::error(summary, detail).at(path));
    Err(Faulty)
}
