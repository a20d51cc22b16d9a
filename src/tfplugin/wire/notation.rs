//! Values in tests, written as JSON.

use serde_json::Value;

use super::decode_state;
use crate::tfplugin::types::Type;
use crate::tfplugin::value::{Datum, Set};

/// The value of this type; `"?"` is unknown, and attributes that are left out are null.
pub(crate) fn datum(json: &Value, ty: &Type) -> Datum {
    match (json, ty) {
        (Value::String(text), _) if text == "?" => Datum::UNKNOWN,
        (Value::Array(items), Type::List(of)) => {
            Datum::List(items.iter().map(|it| datum(it, of)).collect())
        }
        (Value::Array(items), Type::Set(of)) => {
            Datum::Set(Set(items.iter().map(|it| datum(it, of)).collect()))
        }
        (Value::Object(entries), Type::Map(of)) => {
            Datum::Map(entries.iter().map(|(key, it)| (key.clone(), datum(it, of))).collect())
        }
        (Value::Object(entries), Type::Object(attributes)) => {
            assert!(entries.keys().all(|it| attributes.contains_key(it)), "{json} is not a {ty:?}");
            let one = |(name, of): (&String, &Type)| {
                (name.clone(), datum(entries.get(name).unwrap_or(&Value::Null), of))
            };
            Datum::Map(attributes.iter().map(one).collect())
        }
        (json, ty) => decode_state(json, ty).unwrap(),
    }
}
