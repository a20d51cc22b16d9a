//! An object that was remembered elsewhere than in the state.

use super::{Model, decode};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::plan;
use crate::tfplugin::value::Datum;
use crate::tfplugin::wire::decode_state;

/// The model of what was configured once, as it would be planned anew: what is not there is its default, and what is
/// computed is unknown. Attributes that the model does not have are ignored.
///
/// # Errors
/// A value is of another type, or fails a check.
pub fn configured<M: Model>(json: &serde_json::Value) -> Result<M, Diagnostics> {
    let schema = M::schema(0);
    let config = decode_state(json, schema.ty()).map_err(|err| {
        Diagnostic::error("A value is of another type", &err).at(err.path().clone())
    })?;
    let faults = plan::check(&schema.attributes, &config);
    if faults.has_errors() {
        return Err(faults);
    }
    decode(&plan::propose(&schema.attributes, &config, &Datum::Null))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::model;
    use crate::tfplugin::value::Value;

    model! {
        /// A thing.
        struct Thing {
            /// Its size.
            size: Value<i64> = optional().default(3).check(between(1, 9)),
            /// How long.
            wait: Value<Duration> = optional(),
            /// Given.
            id: Value<String> = computed(),
            /// Inside.
            inner: Value<Inner> = optional().default(Datum::Map(std::collections::BTreeMap::new())),
        }
    }

    model! {
        /// Inside.
        struct Inner {
            /// Its color.
            color: Value<String> = optional().default("red"),
        }
    }

    #[test]
    fn what_was_left_out_is_as_it_would_be_planned() {
        let thing: Thing = configured(&json!({"wait": "60m", "later": [1]})).unwrap();
        assert_eq!((thing.size, thing.id), (3.into(), Value::Unknown));
        assert_eq!(thing.wait, Duration::from_hours(1).into());
        assert_eq!(thing.inner.known().unwrap().color, "red".into());
    }

    #[test]
    fn what_does_not_fit_is_told_at_its_path() {
        let check = |json: serde_json::Value, path: &str| {
            let faults = configured::<Thing>(&json).unwrap_err();
            let at = faults.iter().next().unwrap().path().to_string();
            assert_eq!(at, path, "{json}");
        };
        check(json!({"size": 10}), "size");
        check(json!({"wait": "soon"}), "wait");
        check(json!({"inner": {"color": []}}), "inner.color");
    }
}
