//! The types of values, as a schema states them, and their notation in JSON.

use std::collections::BTreeMap;

use serde_json::Value;

/// The type of an attribute or of a value inside one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// True or false.
    Bool,
    /// An exact number.
    Number,
    /// A string.
    String,
    /// Decided at run time; such a value carries its type with it.
    Dynamic,
    /// Elements of one type, in order.
    List(Box<Type>),
    /// Distinct elements of one type, without order.
    Set(Box<Type>),
    /// Elements of one type by a key.
    Map(Box<Type>),
    /// A fixed set of attributes.
    Object(BTreeMap<String, Type>),
    /// A fixed list of elements.
    Tuple(Vec<Type>),
}

/// Why bytes are not the JSON of a type.
#[derive(Debug, thiserror::Error)]
pub enum TypeError {
    /// Not JSON at all, or nested more than 127 levels deep.
    #[error("the type cannot be read as JSON")]
    Syntax(#[source] serde_json::Error),
    /// No type has this name.
    #[error("there is no type {0:?}")]
    Name(String),
    /// Neither a name nor a list of a name and what it needs.
    #[error("found {0}, wanted a type")]
    Shape(&'static str),
}

impl Type {
    /// The type in JSON: `"string"`, `["list","string"]`, `["object",{"name":"string"}]`.
    pub fn to_json(&self) -> Vec<u8> {
        self.to_value().to_string().into_bytes()
    }

    /// Reads what [`Type::to_json`] writes. The names of optional attributes, which an object may
    /// have as a third part, are ignored: they matter to those who convert values, and that is
    /// done when a value comes here.
    ///
    /// # Errors
    /// The bytes are no JSON, or JSON that is no type. JSON deeper than 127 levels is refused, so
    /// a type has a bounded depth.
    pub fn from_json(json: &[u8]) -> Result<Self, TypeError> {
        Self::from_value(&serde_json::from_slice(json).map_err(TypeError::Syntax)?)
    }

    /// As [`Type::from_json`], of JSON that was read already.
    pub(crate) fn from_value(json: &Value) -> Result<Self, TypeError> {
        let parts = match json {
            Value::String(name) => return Self::simple(name),
            Value::Array(parts) => parts.as_slice(),
            Value::Object(_) => return Err(TypeError::Shape("an object")),
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                return Err(TypeError::Shape("a value that is neither a string nor a list"));
            }
        };
        let element = |of| Self::from_value(of).map(Box::new);
        match parts {
            [Value::String(kind), of] if kind == "list" => element(of).map(Self::List),
            [Value::String(kind), of] if kind == "set" => element(of).map(Self::Set),
            [Value::String(kind), of] if kind == "map" => element(of).map(Self::Map),
            [Value::String(kind), Value::Array(of)] if kind == "tuple" => {
                of.iter().map(Self::from_value).collect::<Result<_, _>>().map(Self::Tuple)
            }
            // Go writes an empty slice or map like this when it was never made.
            [Value::String(kind), Value::Null] if kind == "tuple" => Ok(Self::Tuple(Vec::new())),
            [Value::String(kind), Value::Null] if kind == "object" => {
                Ok(Self::Object(BTreeMap::new()))
            }
            [Value::String(kind), Value::Object(of)]
            | [Value::String(kind), Value::Object(of), Value::Array(_)]
                if kind == "object" =>
            {
                let attribute =
                    |(name, of): (&String, _)| Ok((name.clone(), Self::from_value(of)?));
                of.iter().map(attribute).collect::<Result<_, _>>().map(Self::Object)
            }
            _ => Err(TypeError::Shape("a list that does not say what it is a type of")),
        }
    }

    fn simple(name: &str) -> Result<Self, TypeError> {
        match name {
            "bool" => Ok(Self::Bool),
            "number" => Ok(Self::Number),
            "string" => Ok(Self::String),
            "dynamic" => Ok(Self::Dynamic),
            _ => Err(TypeError::Name(name.to_owned())),
        }
    }

    fn to_value(&self) -> Value {
        let built = |kind: &str, of: Value| Value::Array(vec![kind.into(), of]);
        match self {
            Self::Bool => "bool".into(),
            Self::Number => "number".into(),
            Self::String => "string".into(),
            Self::Dynamic => "dynamic".into(),
            Self::List(of) => built("list", of.to_value()),
            Self::Set(of) => built("set", of.to_value()),
            Self::Map(of) => built("map", of.to_value()),
            Self::Tuple(of) => built("tuple", of.iter().map(Self::to_value).collect()),
            Self::Object(of) => {
                let attribute = |(name, of): (&String, &Self)| (name.clone(), of.to_value());
                built("object", of.iter().map(attribute).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, outcome: &str) {
        match Type::from_json(json.as_bytes()) {
            Ok(ty) => assert_eq!(String::from_utf8(ty.to_json()).unwrap(), outcome),
            Err(err) => assert_eq!(err.to_string(), outcome),
        }
    }

    #[test]
    fn types_are_read_and_written() {
        for json in [
            r#""bool""#,
            r#""dynamic""#,
            r#"["list","string"]"#,
            r#"["set",["map","number"]]"#,
            r#"["object",{}]"#,
            r#"["object",{"a":"bool","ü\"":["list","dynamic"]}]"#,
            r#"["tuple",[]]"#,
            r#"["tuple",["string",["tuple",["bool"]]]]"#,
        ] {
            check(json, json);
        }
        check(r#"["tuple",null]"#, r#"["tuple",[]]"#);
        check(r#"["object",null]"#, r#"["object",{}]"#);
        check(r#"["object",{"a":"bool"},["a"]]"#, r#"["object",{"a":"bool"}]"#);
    }

    #[test]
    fn what_is_no_type_is_refused() {
        check("", "the type cannot be read as JSON");
        check("\"string\" ", r#""string""#);
        check("\"string\" 1", "the type cannot be read as JSON");
        check(r#""text""#, r#"there is no type "text""#);
        check("1", "found a value that is neither a string nor a list, wanted a type");
        check("{}", "found an object, wanted a type");
        let unfinished = "found a list that does not say what it is a type of, wanted a type";
        for json in ["[]", r#"["list"]"#, r#"["list","bool","bool"]"#, r#"["tuple","bool"]"#] {
            check(json, unfinished);
        }
        for json in [r#"["object",["bool"]]"#, r#"["bool","bool"]"#, "[[],[]]"] {
            check(json, unfinished);
        }
    }

    #[test]
    fn deep_types_are_refused() {
        let nested = |depth| format!("{}\"bool\"{}", "[\"list\",".repeat(depth), "]".repeat(depth));
        assert!(Type::from_json(nested(127).as_bytes()).is_ok());
        check(&nested(128), "the type cannot be read as JSON");
        check(&nested(100_000), "the type cannot be read as JSON");
    }
}
