//! The checks of a schema on every known value of an object.

use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::model::Trail;
use crate::tfplugin::schema::{Attribute, Nesting, Rules};
use crate::tfplugin::value::Datum;

/// One error for each check that a known value fails; unknown values are checked when known.
pub(crate) fn check(attributes: &[Attribute], object: &Datum) -> Diagnostics {
    let mut faults = Diagnostics::new();
    walk(attributes, object, &Trail::Root, false, &mut |rules, value, at, hidden| {
        // A check of a value that is unknown in part is made at apply.
        if !value.is_wholly_known() {
            return;
        }
        faults.extend(rules.checks.iter().filter(|it| !it.accepts(value)).map(|check| {
            let path = at.path();
            let found = if hidden { String::new() } else { found(value) };
            let detail = format!("`{path}` must be {}{found}.", check.wanted());
            Diagnostic::error(format!("`{path}` has a wrong value"), detail).at(path)
        }));
    });
    faults
}

/// A warning for each attribute that is set and deprecated: the engines leave it to the provider
/// to tell.
pub(crate) fn deprecations(attributes: &[Attribute], config: &Datum) -> Diagnostics {
    let mut warnings = Diagnostics::new();
    walk(attributes, config, &Trail::Root, false, &mut |rules, _, at, _| {
        warnings.extend(rules.deprecated.map(|instead| {
            let path = at.path();
            Diagnostic::warning(format!("`{path}` is deprecated"), instead).at(path)
        }));
    });
    warnings
}

/// Looks at every attribute that is not null, from the outside to the inside. Told with it: whether
/// it or an attribute around it is hidden.
fn walk(
    attributes: &[Attribute],
    object: &Datum,
    at: &Trail<'_>,
    hidden: bool,
    look: &mut dyn FnMut(&Rules, &Datum, &Trail<'_>, bool),
) {
    for attribute in attributes {
        let Some(value) = object.get(attribute.name).filter(|it| !it.is_null()) else { continue };
        let at = Trail::Attribute(at, attribute.name);
        let hidden = hidden || attribute.rules.is_hidden();
        look(&attribute.rules, value, &at, hidden);
        let Some((nesting, nested)) = attribute.nested() else { continue };
        match (nesting, value) {
            (Nesting::Single, object) => walk(nested, object, &at, hidden, look),
            (Nesting::Map, Datum::Map(entries)) => {
                for (key, object) in entries {
                    walk(nested, object, &Trail::Key(&at, key), hidden, look);
                }
            }
            (Nesting::List, Datum::List(items)) => {
                for (index, object) in items.iter().enumerate() {
                    walk(nested, object, &Trail::Index(&at, index), hidden, look);
                }
            }
            // An element of a set has no address: its faults are told at the set.
            (Nesting::Set, set) => {
                for object in set.items().unwrap_or_default() {
                    walk(nested, object, &at, hidden, look);
                }
            }
            _ => (),
        }
    }
}

fn found(value: &Datum) -> String {
    match value {
        Datum::String(text) if text.chars().count() <= 64 => format!(", and is {text:?}"),
        Datum::Number(number) => format!(", and is {number}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model;
    use crate::tfplugin::model::Model;
    use crate::tfplugin::value::Value;
    use crate::tfplugin::wire::notation::datum;

    model! {
        /// How to log in.
        struct Login {
            /// The user.
            user: Value<String> = required().check(length(1, 4)),
        }
    }

    model! {
        /// A client.
        struct Client {
            /// Hidden as a whole.
            login: Value<Login> = optional().sensitive(),
        }
    }

    #[test]
    fn a_value_inside_a_sensitive_one_is_not_told() {
        let schema = Client::schema(0);
        let config = datum(&serde_json::json!({"login": {"user": "hunter2"}}), schema.ty());
        let faults = check(&schema.attributes, &config);
        let detail = faults.iter().next().unwrap().detail();
        assert_eq!(detail, "`login.user` must be 1 to 4 characters or elements long.");
    }
}
