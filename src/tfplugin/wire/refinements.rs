//! What is known about an unknown value: a map in the payload of an extension.

use rmp::encode::{self, ByteBuf};

use super::error::WireError;
use super::reader::Reader;
use super::writer;
use crate::tfplugin::types::Type;
use crate::tfplugin::value::{Bound, Refinements};

/// The code of the extension; any other one is an unknown value without refinements.
pub(super) const EXTENSION: i8 = 12;

/// The client refuses a longer payload (go-cty, `cty/msgpack/unknown.go`).
const MAX_PAYLOAD: usize = 1024;

// The keys of the map, in the order in which they are written.
const NULL: i64 = 1;
const PREFIX: i64 = 2;
const LOWER: i64 = 3;
const UPPER: i64 = 4;
const MIN_LENGTH: i64 = 5;
const MAX_LENGTH: i64 = 6;

/// Bytes after the map are padding, for later versions to use.
pub(super) fn read(payload: &[u8], ty: &Type) -> Result<Option<Box<Refinements>>, WireError> {
    let mut reader = Reader::new(payload);
    let mut refined = Refinements::default();
    for _ in 0..reader.map_len("a map of refinements")? {
        match (reader.number()?.as_i64(), ty) {
            (Some(NULL), _) => refined.null = Some(reader.bool()?),
            (Some(PREFIX), Type::String) => {
                refined.prefix = Some(reader.text("a prefix")?.to_owned());
            }
            (Some(LOWER), Type::Number) => refined.lower = Some(bound(&mut reader)?),
            (Some(UPPER), Type::Number) => refined.upper = Some(bound(&mut reader)?),
            (Some(MIN_LENGTH), Type::List(_) | Type::Set(_) | Type::Map(_)) => {
                refined.min_length = Some(length(&mut reader)?);
            }
            (Some(MAX_LENGTH), Type::List(_) | Type::Set(_) | Type::Map(_)) => {
                refined.max_length = Some(length(&mut reader)?);
            }
            (Some(NULL..=MAX_LENGTH), _) => return Err(unfit(ty)),
            // The client is newer than this. To know less is always right.
            _ => break,
        }
    }
    Ok((refined != Refinements::default()).then(|| Box::new(refined)))
}

fn bound(reader: &mut Reader<'_>) -> Result<Bound, WireError> {
    match reader.array_len("a bound and whether it is included")? {
        2 => Ok(Bound { value: reader.number()?, inclusive: reader.bool()? }),
        parts => {
            Err(WireError::new(format!("{parts} parts"), "a bound and whether it is included"))
        }
    }
}

fn length(reader: &mut Reader<'_>) -> Result<u64, WireError> {
    let wanted = "a length";
    reader.number()?.as_u64().ok_or_else(|| WireError::new("a number that is none", wanted))
}

fn unfit(ty: &Type) -> WireError {
    WireError::new("a refinement of another type", super::error::wanted(ty))
}

/// The payload, if there is anything to say that the client would read.
pub(super) fn write(refined: &Refinements, ty: &Type) -> Result<Option<Vec<u8>>, WireError> {
    let Refinements { null, prefix, lower, upper, min_length, max_length } = refined;
    let of_string = prefix.is_some();
    let of_number = lower.is_some() || upper.is_some();
    let of_collection = min_length.is_some() || max_length.is_some();
    let fits = match ty {
        Type::Dynamic => return Ok(None),
        Type::String => !of_number && !of_collection,
        Type::Number => !of_string && !of_collection,
        Type::List(_) | Type::Set(_) | Type::Map(_) => !of_string && !of_number,
        Type::Bool | Type::Object(_) | Type::Tuple(_) => !of_string && !of_number && !of_collection,
    };
    if !fits {
        return Err(unfit(ty));
    }
    let mut entries = ByteBuf::new();
    let mut count = 0;
    let mut key = |out: &mut ByteBuf, key| {
        count += 1;
        let Ok(_) = encode::write_sint(out, key);
    };
    if let Some(null) = *null {
        key(&mut entries, NULL);
        let Ok(()) = encode::write_bool(&mut entries, null);
    }
    if let Some(prefix) = prefix {
        key(&mut entries, PREFIX);
        writer::text(&mut entries, prefix)?;
    }
    for (code, bound) in [(LOWER, lower), (UPPER, upper)] {
        if let Some(bound) = bound {
            key(&mut entries, code);
            let Ok(_) = encode::write_array_len(&mut entries, 2);
            writer::number(&mut entries, &bound.value)?;
            let Ok(()) = encode::write_bool(&mut entries, bound.inclusive);
        }
    }
    for (code, length) in [(MIN_LENGTH, min_length), (MAX_LENGTH, max_length)] {
        if let Some(length) = *length {
            key(&mut entries, code);
            let Ok(_) = encode::write_uint(&mut entries, length);
        }
    }
    let mut payload = ByteBuf::new();
    let Ok(_) = encode::write_map_len(&mut payload, count);
    payload.as_mut_vec().extend_from_slice(entries.as_slice());
    let payload = payload.into_vec();
    Ok((count > 0 && payload.len() <= MAX_PAYLOAD).then_some(payload))
}
