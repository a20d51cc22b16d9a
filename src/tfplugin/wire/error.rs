//! What is wrong with a value, and where in it.

use crate::tfplugin::path::{Path, Step};
use crate::tfplugin::types::Type;
use crate::tfplugin::value::{Datum, NumberError};

/// Bytes that are no value of the wanted type, or a value that is not of its type.
///
/// The text names kinds, lengths and attributes, but shows no value: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found {found}, wanted {wanted}")]
pub struct WireError {
    path: Path,
    found: String,
    wanted: String,
}

impl WireError {
    pub(super) fn new(found: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self { path: Path::default(), found: found.into(), wanted: wanted.into() }
    }

    /// An attribute that the type has and the value does not.
    pub(super) fn missing(attribute: &str) -> Self {
        Self::new(format!("no attribute {attribute:?}"), "all attributes of the object")
    }

    /// An attribute that the value has and the type does not.
    pub(super) fn extra(attribute: &str) -> Self {
        Self::new(format!("an attribute {attribute:?}"), "only attributes of the object")
    }

    /// What should be a number and is none.
    pub(super) fn no_number(err: &NumberError) -> Self {
        let found = match err {
            NumberError::Malformed => "a string that is no decimal number",
            NumberError::NotFinite => "a number that is not finite",
            NumberError::TooLarge => "a number with a huge exponent",
        };
        Self::new(found, "a finite number")
    }

    /// The same error, seen from one level further out.
    pub(super) fn inside(mut self, step: Step) -> Self {
        self.path = self.path.inside(step);
        self
    }

    /// Where it is, from the root of the decoded value. Elements of a set have no address, so the
    /// path ends at the set.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What a value of a type is called.
pub(super) fn wanted(ty: &Type) -> String {
    match ty {
        Type::Bool => "a bool".to_owned(),
        Type::Number => "a number".to_owned(),
        Type::String => "a string".to_owned(),
        Type::Dynamic => "a value with its type".to_owned(),
        Type::List(_) => "a list".to_owned(),
        Type::Set(_) => "a set".to_owned(),
        Type::Map(_) => "a map".to_owned(),
        Type::Object(_) => "an object".to_owned(),
        Type::Tuple(types) => format!("a tuple of {} elements", types.len()),
    }
}

/// What a value is called.
pub(super) fn found(datum: &Datum) -> String {
    match datum {
        Datum::Null => "null".to_owned(),
        Datum::Unknown(_) => "an unknown value".to_owned(),
        Datum::Bool(_) => "a bool".to_owned(),
        Datum::Number(_) => "a number".to_owned(),
        Datum::String(_) => "a string".to_owned(),
        Datum::List(items) => format!("a list of {} elements", items.len()),
        Datum::Set(_) => "a set".to_owned(),
        Datum::Map(_) => "a map".to_owned(),
        Datum::Dynamic(_) => "a value with its type".to_owned(),
    }
}
