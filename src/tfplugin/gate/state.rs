//! The rules of every stored object, and what can be mended in one.

use super::{Breach, Findings, Rule};
use crate::tfplugin::model::Trail;
use crate::tfplugin::schema::{Attribute, Nesting, Shape};
use crate::tfplugin::value::{Datum, Set};
use crate::tfplugin::wire;

/// What Terraform would refuse in an object that is to be stored: unknown and write-only values.
pub(crate) fn stored_breaks(attributes: &[Attribute], object: &Datum) -> Vec<Breach> {
    let mut findings = Findings::default();
    stored(attributes, object, &Trail::Root, &mut findings);
    findings.0
}

fn stored(attributes: &[Attribute], object: &Datum, at: &Trail<'_>, findings: &mut Findings) {
    for attribute in attributes {
        let value = object.get(attribute.name).unwrap_or(&Datum::Null);
        let at = Trail::Attribute(at, attribute.name);
        if attribute.rules.write_only && !value.is_null() {
            findings.add(&at, Rule::WriteOnly);
            continue;
        }
        match (attribute.nested(), value) {
            (Some((Nesting::Single, nested)), Datum::Map(_)) => {
                stored(nested, value, &at, findings);
            }
            (Some((_, nested)), Datum::Map(entries)) => {
                for (key, object) in entries {
                    element(nested, object, &Trail::Key(&at, key), findings);
                }
            }
            (Some((_, nested)), Datum::List(items)) => {
                for (index, object) in items.iter().enumerate() {
                    element(nested, object, &Trail::Index(&at, index), findings);
                }
            }
            (Some((_, nested)), Datum::Set(Set(items))) => {
                for object in items {
                    element(nested, object, &at, findings);
                }
            }
            (_, value) if !value.is_wholly_known() => findings.add(&at, Rule::Known),
            _ => (),
        }
    }
}

fn element(attributes: &[Attribute], object: &Datum, at: &Trail<'_>, findings: &mut Findings) {
    match object {
        Datum::Unknown(_) => findings.add(at, Rule::Known),
        object => stored(attributes, object, at, findings),
    }
}

/// The object as it can be stored: a value that is still unknown, or is not of the type of the
/// schema, is what it was before, or null, and write-only values are gone.
pub(crate) fn mend(attributes: &[Attribute], object: &Datum, prior: &Datum) -> Datum {
    let Datum::Map(entries) = object else {
        return match (object, prior) {
            (Datum::Null, _) | (_, Datum::Null) => Datum::Null,
            // What was stored may be write-only by now.
            (_, prior) => mend(attributes, prior, &Datum::Null),
        };
    };
    let one = |it: &Attribute| {
        let [value, prior] =
            [entries.get(it.name), prior.get(it.name)].map(|it| it.unwrap_or(&Datum::Null));
        (it.name.to_owned(), mend_value(it, value, prior))
    };
    Datum::Map(attributes.iter().map(one).collect())
}

fn mend_value(attribute: &Attribute, value: &Datum, prior: &Datum) -> Datum {
    if attribute.rules.write_only || value.is_null() {
        return Datum::Null;
    }
    let (nesting, nested) = match &attribute.shape {
        Shape::Nested(nesting, nested) => (*nesting, nested),
        Shape::Plain(ty) => {
            let fits = |it: &&Datum| it.is_wholly_known() && wire::encode(it, ty).is_ok();
            return [value, prior].into_iter().find(fits).cloned().unwrap_or_default();
        }
    };
    match (nesting, value) {
        (Nesting::Single, object) => mend(nested, object, prior),
        (Nesting::Map, Datum::Map(entries)) => {
            let one = |(key, object): (&String, &Datum)| {
                (key.clone(), mend(nested, object, prior.get(key).unwrap_or(&Datum::Null)))
            };
            Datum::Map(entries.iter().map(one).collect())
        }
        (Nesting::List, Datum::List(items)) => {
            let prior = prior.items().unwrap_or_default();
            let one =
                |(index, object)| mend(nested, object, prior.get(index).unwrap_or(&Datum::Null));
            Datum::List(items.iter().enumerate().map(one).collect())
        }
        (Nesting::Set, Datum::Set(Set(items))) => {
            Datum::Set(Set(items.iter().map(|it| mend(nested, it, &Datum::Null)).collect()))
        }
        // No collection of objects at all, or one that is not known: the prior one, mended too.
        (_, value) if value == prior => Datum::Null,
        _ => mend_value(attribute, prior, prior),
    }
}
