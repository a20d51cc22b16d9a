//! JSON, read under a type.

use serde_json::{Map, Value};

use super::error::{WireError, wanted};
use crate::tfplugin::path::Step;
use crate::tfplugin::types::Type;
use crate::tfplugin::value::{Datum, Number, Set};

/// The one value that `bytes` are.
pub(super) fn parse(bytes: &[u8], ty: &Type) -> Result<Datum, WireError> {
    let json: Value = serde_json::from_slice(bytes)
        .map_err(|it| WireError::new(format!("no JSON ({it})"), "one value in JSON"))?;
    read(&json, ty)
}

/// There is no unknown value in JSON, and a number may stand in a string.
pub(super) fn read(json: &Value, ty: &Type) -> Result<Datum, WireError> {
    match (json, ty) {
        (Value::Null, _) => Ok(Datum::Null),
        (Value::Bool(value), Type::Bool) => Ok(Datum::Bool(*value)),
        (Value::Number(value), Type::Number) => number(value.as_str()),
        (Value::String(value), Type::Number) => number(value),
        (Value::String(value), Type::String) => Ok(Datum::String(value.clone())),
        (Value::Object(parts), Type::Dynamic) => dynamic(parts),
        (Value::Array(items), Type::List(of)) => {
            let items = items.iter().enumerate().map(|(at, item)| element(at, item, of));
            items.collect::<Result<_, _>>().map(Datum::List)
        }
        (Value::Array(items), Type::Tuple(types)) if items.len() == types.len() => {
            let pairs = items.iter().zip(types).enumerate();
            let items = pairs.map(|(at, (item, of))| element(at, item, of));
            items.collect::<Result<_, _>>().map(Datum::List)
        }
        (Value::Array(items), Type::Set(of)) => {
            let items = items.iter().map(|item| read(item, of));
            items.collect::<Result<_, _>>().map(|it| Datum::Set(Set(it)))
        }
        (Value::Object(items), Type::Map(of)) => {
            let item = |(key, item): (&String, _)| match read(item, of) {
                Ok(item) => Ok((key.clone(), item)),
                Err(err) => Err(err.inside(Step::Key(key.clone()))),
            };
            items.iter().map(item).collect::<Result<_, _>>().map(Datum::Map)
        }
        (Value::Object(items), Type::Object(attributes)) => {
            let item = |(name, of): (&String, _)| match read(
                items.get(name).unwrap_or(&Value::Null),
                of,
            ) {
                Ok(item) => Ok((name.clone(), item)),
                Err(err) => Err(err.inside(Step::Attribute(name.clone()))),
            };
            attributes.iter().map(item).collect::<Result<_, _>>().map(Datum::Map)
        }
        _ => Err(WireError::new(found(json), wanted(ty))),
    }
}

fn element(at: usize, item: &Value, of: &Type) -> Result<Datum, WireError> {
    read(item, of).map_err(|it| it.inside(Step::Index(at)))
}

/// `{"value": …, "type": …}`.
fn dynamic(parts: &Map<String, Value>) -> Result<Datum, WireError> {
    let part = |name: &str| {
        parts.get(name).ok_or_else(|| WireError::new(format!("no {name}"), "a value with its type"))
    };
    let ty = Type::from_value(part("type")?)
        .map_err(|it| WireError::new(format!("no type ({it})"), "a type"))?;
    let datum = read(part("value")?, &ty)?;
    // The value inside has already said what type it is, or that it has none.
    if ty == Type::Dynamic {
        return Ok(datum);
    }
    Ok(Datum::Dynamic(Box::new((ty, datum))))
}

fn number(text: &str) -> Result<Datum, WireError> {
    Number::parse(text).map(Datum::Number).map_err(|it| WireError::no_number(&it))
}

fn found(json: &Value) -> String {
    match json {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a bool".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(_) => "a string".to_owned(),
        Value::Array(items) => format!("a list of {} elements", items.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}
