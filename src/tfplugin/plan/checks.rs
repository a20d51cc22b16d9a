//! The checks of a schema on every known value of an object.

use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::model::Trail;
use crate::tfplugin::schema::{Attribute, Nesting, Rules};
use crate::tfplugin::value::Datum;

/// One error for each check that a known value fails; unknown values are checked when known.
pub(crate) fn check(attributes: &[Attribute], object: &Datum) -> Diagnostics {
    let mut faults = Diagnostics::new();
    walk(attributes, object, &Trail::Root, &mut |rules, value, at| {
        // A check of a value that is unknown in part is made at apply.
        if !value.is_wholly_known() {
            return;
        }
        faults.extend(rules.checks.iter().filter(|it| !it.accepts(value)).map(|check| {
            let path = at.path();
            let found = found(value, rules);
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
    walk(attributes, config, &Trail::Root, &mut |rules, _, at| {
        warnings.extend(rules.deprecated.map(|instead| {
            let path = at.path();
            Diagnostic::warning(format!("`{path}` is deprecated"), instead).at(path)
        }));
    });
    warnings
}

/// Looks at every attribute that is not null, from the outside to the inside.
fn walk(
    attributes: &[Attribute],
    object: &Datum,
    at: &Trail<'_>,
    look: &mut dyn FnMut(&Rules, &Datum, &Trail<'_>),
) {
    for attribute in attributes {
        let Some(value) = object.get(attribute.name).filter(|it| !it.is_null()) else { continue };
        let at = Trail::Attribute(at, attribute.name);
        look(&attribute.rules, value, &at);
        let Some((nesting, nested)) = attribute.nested() else { continue };
        match (nesting, value) {
            (Nesting::Single, object) => walk(nested, object, &at, look),
            (Nesting::Map, Datum::Map(entries)) => {
                for (key, object) in entries {
                    walk(nested, object, &Trail::Key(&at, key), look);
                }
            }
            (Nesting::List, Datum::List(items)) => {
                for (index, object) in items.iter().enumerate() {
                    walk(nested, object, &Trail::Index(&at, index), look);
                }
            }
            // An element of a set has no address: its faults are told at the set.
            (Nesting::Set, set) => {
                for object in set.items().unwrap_or_default() {
                    walk(nested, object, &at, look);
                }
            }
            _ => (),
        }
    }
}

fn found(value: &Datum, rules: &Rules) -> String {
    match value {
        _ if rules.sensitive || rules.write_only => String::new(),
        Datum::String(text) if text.chars().count() <= 64 => format!(", and is {text:?}"),
        Datum::Number(number) => format!(", and is {number}"),
        _ => String::new(),
    }
}
