//! The checks of a schema on every known value of an object.

use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::model::Trail;
use crate::tfplugin::schema::{Attribute, Nesting, Rules};
use crate::tfplugin::value::Datum;

/// One error for each check that a known value fails; unknown values are checked when known.
pub(crate) fn check(attributes: &[Attribute], object: &Datum) -> Diagnostics {
    let mut faults = Diagnostics::new();
    walk(attributes, object, &Trail::Root, &mut faults);
    faults
}

fn walk(attributes: &[Attribute], object: &Datum, at: &Trail<'_>, faults: &mut Diagnostics) {
    for attribute in attributes {
        let Some(value) = object.get(attribute.name) else { continue };
        let at = Trail::Attribute(at, attribute.name);
        if value.is_null() || value.is_unknown() {
            continue;
        }
        // A check of a value that is unknown in part is made at apply.
        let is_known = value.is_wholly_known();
        faults.extend(attribute.rules.checks.iter().filter_map(|check| {
            if !is_known || check.accepts(value) {
                return None;
            }
            let path = at.path();
            let found = found(value, &attribute.rules);
            let detail = format!("`{path}` must be {}{found}.", check.wanted());
            Some(Diagnostic::error(format!("`{path}` has a wrong value"), detail).at(path))
        }));
        let Some((nesting, nested)) = attribute.nested() else { continue };
        match (nesting, value) {
            (Nesting::Single, object) => walk(nested, object, &at, faults),
            (Nesting::Map, Datum::Map(entries)) => {
                for (key, object) in entries {
                    walk(nested, object, &Trail::Key(&at, key), faults);
                }
            }
            (Nesting::List, Datum::List(items)) => {
                for (index, object) in items.iter().enumerate() {
                    walk(nested, object, &Trail::Index(&at, index), faults);
                }
            }
            // An element of a set has no address: its faults are told at the set.
            (Nesting::Set, set) => {
                for object in set.items().unwrap_or_default() {
                    walk(nested, object, &at, faults);
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
