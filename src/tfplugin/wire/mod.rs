//! Values on the wire: msgpack and JSON under a [`Type`], as the client encodes them.
//!
//! The bytes are read straight into a [`Datum`], with the type as guide: the same bytes mean
//! different values under different types. Strings are taken as they are; models normalise theirs.

#[cfg(test)]
pub(crate) mod arbitrary;
mod error;
mod json;
#[cfg(test)]
pub(crate) mod notation;
#[cfg(test)]
mod properties;
mod reader;
mod refinements;
mod writer;

pub use error::WireError;

use super::types::Type;
use super::value::Datum;
use crate::proto::tfplugin6::DynamicValue;

/// How deep values may be nested. Each level costs stack, of which a worker thread has 2 MiB; a
/// value inside a dynamic one brings its own type, so that no schema bounds the depth. JSON is
/// bounded likewise, by its parser.
const MAX_DEPTH: usize = 128;

/// The value of a request. An absent or empty one is null; msgpack is preferred to JSON.
///
/// # Errors
/// The bytes are no value of this type, or more than one. An object in msgpack has exactly the
/// attributes of its type; in JSON the rules of [`decode_state`] hold. Values nested more than 128
/// levels deep are refused.
pub fn decode(value: Option<&DynamicValue>, ty: &Type) -> Result<Datum, WireError> {
    match value {
        Some(it) if !it.msgpack.is_empty() => reader::read(&it.msgpack, ty),
        Some(it) if !it.json.is_empty() => json::parse(&it.json, ty),
        Some(_) | None => Ok(Datum::Null),
    }
}

/// The value of a response, in msgpack.
///
/// The shortest form is chosen as the client's own encoder would, so that a value that came from
/// it goes back as the same bytes. Refinements longer than 1 KiB, which the client would refuse,
/// are left out, as are those of a dynamic value.
///
/// # Errors
/// The value is not of this type.
pub fn encode(datum: &Datum, ty: &Type) -> Result<DynamicValue, WireError> {
    let msgpack = writer::write(datum, ty)?.into();
    Ok(DynamicValue { msgpack, json: bytes::Bytes::new() })
}

/// The value of an object in the state. Attributes that the type does not have are ignored, those
/// that are missing are null: an earlier version of the provider may have written it.
///
/// # Errors
/// The JSON is no value of this type.
pub fn decode_state(json: &serde_json::Value, ty: &Type) -> Result<Datum, WireError> {
    json::read(json, ty)
}

#[cfg(test)]
mod tests;
