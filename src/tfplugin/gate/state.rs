//! The rules of every stored object, and what can be mended in one.

use super::{Breach, Findings, Rule};
use crate::tfplugin::model::Trail;
use crate::tfplugin::schema::{Attribute, Nesting};
use crate::tfplugin::value::{Datum, Set};

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

/// The object as it can be stored: what is still unknown is what it was before, or null, and
/// write-only values are gone.
pub(crate) fn mend(attributes: &[Attribute], object: &Datum, prior: &Datum) -> Datum {
    let Datum::Map(entries) = object else { return known(object, prior) };
    let one = |(key, value): (&String, &Datum)| {
        let attribute = attributes.iter().find(|it| it.name == key);
        let prior = prior.get(key).unwrap_or(&Datum::Null);
        (key.clone(), mend_value(attribute, value, prior))
    };
    Datum::Map(entries.iter().map(one).collect())
}

fn mend_value(attribute: Option<&Attribute>, value: &Datum, prior: &Datum) -> Datum {
    if attribute.is_some_and(|it| it.rules.write_only) {
        return Datum::Null;
    }
    match (attribute.and_then(Attribute::nested), value) {
        (Some((Nesting::Single, nested)), object) => mend(nested, object, prior),
        (Some((_, nested)), Datum::Map(entries)) => {
            let one = |(key, object): (&String, &Datum)| {
                (key.clone(), mend(nested, object, prior.get(key).unwrap_or(&Datum::Null)))
            };
            Datum::Map(entries.iter().map(one).collect())
        }
        (Some((_, nested)), Datum::List(items)) => {
            let prior = prior.items().unwrap_or_default();
            let one =
                |(index, object)| mend(nested, object, prior.get(index).unwrap_or(&Datum::Null));
            Datum::List(items.iter().enumerate().map(one).collect())
        }
        (Some((_, nested)), Datum::Set(Set(items))) => {
            Datum::Set(Set(items.iter().map(|it| mend(nested, it, &Datum::Null)).collect()))
        }
        _ => known(value, prior),
    }
}

fn known(value: &Datum, prior: &Datum) -> Datum {
    match value {
        known if known.is_wholly_known() => known.clone(),
        _ if prior.is_wholly_known() => prior.clone(),
        _ => Datum::Null,
    }
}
