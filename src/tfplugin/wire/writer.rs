//! msgpack, written under a type.

use std::collections::BTreeMap;

use rmp::encode::{self, ByteBuf};

use super::error::{WireError, found, wanted};
use super::refinements;
use crate::tfplugin::path::Step;
use crate::tfplugin::types::Type;
use crate::tfplugin::value::{Datum, Number, Refinements, Set};

/// What the client writes for an unknown value without refinements: code 0, one zero byte.
const UNKNOWN: [u8; 3] = [0xd4, 0, 0];

pub(super) fn write(datum: &Datum, ty: &Type) -> Result<Vec<u8>, WireError> {
    let mut out = ByteBuf::new();
    value(&mut out, datum, ty)?;
    Ok(out.into_vec())
}

fn value(out: &mut ByteBuf, datum: &Datum, ty: &Type) -> Result<(), WireError> {
    match (datum, ty) {
        (Datum::Null, _) => {
            let Ok(()) = encode::write_nil(out);
            Ok(())
        }
        (Datum::Unknown(refined), _) => unknown(out, refined.as_deref(), ty),
        (Datum::Bool(value), Type::Bool) => {
            let Ok(()) = encode::write_bool(out, *value);
            Ok(())
        }
        (Datum::Number(value), Type::Number) => number(out, value),
        (Datum::String(value), Type::String) => text(out, value),
        (Datum::Dynamic(inner), Type::Dynamic) => dynamic(out, &inner.0, &inner.1),
        (Datum::List(items), Type::List(of)) => {
            array(out, items.len())?;
            items.iter().enumerate().try_for_each(|(at, item)| element(out, at, item, of))
        }
        (Datum::List(items), Type::Tuple(types)) if items.len() == types.len() => {
            array(out, items.len())?;
            let mut pairs = items.iter().zip(types).enumerate();
            pairs.try_for_each(|(at, (item, of))| element(out, at, item, of))
        }
        (Datum::Set(Set(items)), Type::Set(of)) => {
            array(out, items.len())?;
            items.iter().try_for_each(|item| value(out, item, of))
        }
        (Datum::Map(items), Type::Map(of)) => map(out, items, of),
        (Datum::Map(items), Type::Object(attributes)) => object(out, items, attributes),
        _ => Err(WireError::new(found(datum), wanted(ty))),
    }
}

fn unknown(out: &mut ByteBuf, refined: Option<&Refinements>, ty: &Type) -> Result<(), WireError> {
    let payload = refined.map_or(Ok(None), |it| refinements::write(it, ty))?;
    let Some(payload) = payload else {
        out.as_mut_vec().extend_from_slice(&UNKNOWN);
        return Ok(());
    };
    let Ok(_) = encode::write_ext_meta(out, length(payload.len())?, refinements::EXTENSION);
    out.as_mut_vec().extend_from_slice(&payload);
    Ok(())
}

/// An integer if it fits, a double if that is exact, else decimals: a large integer is never a
/// double, as its digits could get lost on the way.
pub(super) fn number(out: &mut ByteBuf, value: &Number) -> Result<(), WireError> {
    if let Some(value) = value.as_i64() {
        let Ok(_) = encode::write_sint(out, value);
        return Ok(());
    }
    let decimals = value.to_string();
    if decimals.contains('.')
        && let Some(value) = value.as_exact_f64()
    {
        let Ok(()) = encode::write_f64(out, value);
        return Ok(());
    }
    text(out, &decimals)
}

pub(super) fn text(out: &mut ByteBuf, value: &str) -> Result<(), WireError> {
    let Ok(_) = encode::write_str_len(out, length(value.len())?);
    out.as_mut_vec().extend_from_slice(value.as_bytes());
    Ok(())
}

fn dynamic(out: &mut ByteBuf, ty: &Type, inner: &Datum) -> Result<(), WireError> {
    if *ty == Type::Dynamic {
        return value(out, inner, ty);
    }
    let json = ty.to_json();
    array(out, 2)?;
    let Ok(_) = encode::write_bin_len(out, length(json.len())?);
    out.as_mut_vec().extend_from_slice(&json);
    value(out, inner, ty)
}

fn element(out: &mut ByteBuf, at: usize, item: &Datum, of: &Type) -> Result<(), WireError> {
    value(out, item, of).map_err(|it| it.inside(Step::Index(at)))
}

fn map(out: &mut ByteBuf, items: &BTreeMap<String, Datum>, of: &Type) -> Result<(), WireError> {
    let Ok(_) = encode::write_map_len(out, length(items.len())?);
    for (key, item) in items {
        text(out, key)?;
        value(out, item, of).map_err(|it| it.inside(Step::Key(key.clone())))?;
    }
    Ok(())
}

fn object(
    out: &mut ByteBuf,
    items: &BTreeMap<String, Datum>,
    attributes: &BTreeMap<String, Type>,
) -> Result<(), WireError> {
    if let Some(name) = items.keys().find(|it| !attributes.contains_key(*it)) {
        return Err(WireError::extra(name));
    }
    let Ok(_) = encode::write_map_len(out, length(attributes.len())?);
    for (name, of) in attributes {
        let item = items.get(name).ok_or_else(|| WireError::missing(name))?;
        text(out, name)?;
        value(out, item, of).map_err(|it| it.inside(Step::Attribute(name.clone())))?;
    }
    Ok(())
}

fn array(out: &mut ByteBuf, items: usize) -> Result<(), WireError> {
    let Ok(_) = encode::write_array_len(out, length(items)?);
    Ok(())
}

fn length(length: usize) -> Result<u32, WireError> {
    u32::try_from(length)
        .map_err(|_| WireError::new(format!("a length of {length}"), "at most 4294967295"))
}
