//! Defaults, computed values and kept spellings: what the object will be.

use std::collections::BTreeMap;

use crate::tfplugin::schema::{Attribute, Follows, Nesting, Presence};
use crate::tfplugin::value::{Datum, Set};

type Object = BTreeMap<String, Datum>;

/// The planned object: the configuration, completed.
///
/// - A write-only attribute is null.
/// - A configured value is planned as it is, or as it is stored when both mean the same.
/// - A missing one is its default; computed, it is unknown at create, and later what it was unless
///   it follows something that changes.
pub(crate) fn propose(attributes: &[Attribute], config: &Datum, prior: &Datum) -> Datum {
    let Datum::Map(config) = config else { return config.clone() };
    let prior = prior.entries();
    let plan = |it: &Attribute| {
        let was = prior.map(|prior| prior.get(it.name).unwrap_or(&Datum::Null));
        let wanted = config.get(it.name).unwrap_or(&Datum::Null);
        (it.name.to_owned(), attribute(it, wanted, was))
    };
    let mut planned: Object = attributes.iter().map(plan).collect();
    if let Some(prior) = prior {
        follow(attributes, config, prior, &mut planned);
    }
    Datum::Map(planned)
}

/// One attribute; `prior` is `None` when the object around it is new.
fn attribute(attribute: &Attribute, config: &Datum, prior: Option<&Datum>) -> Datum {
    let rules = &attribute.rules;
    if rules.write_only {
        return Datum::Null;
    }
    if config.is_null() {
        return match (&rules.default, &rules.follows, prior) {
            (Some(default), ..) => complete(attribute, default, prior),
            (None, Follows::Constant(value), _) => value.clone(),
            (None, _, _) if !rules.is_computed() => Datum::Null,
            (None, _, None) => Datum::UNKNOWN,
            (None, _, Some(prior)) => prior.clone(),
        };
    }
    let prior = prior.unwrap_or(&Datum::Null);
    if let Some(same) = rules.same
        && !prior.is_null()
        && config.is_wholly_known()
        && same(prior, config)
    {
        return prior.clone();
    }
    match attribute.nested() {
        Some((nesting, attributes)) => nested(nesting, attributes, config, prior),
        None => config.clone(),
    }
}

/// The objects of a nested attribute, each beside the prior one with the same key or index.
fn nested(nesting: Nesting, attributes: &[Attribute], config: &Datum, prior: &Datum) -> Datum {
    match (nesting, config) {
        (Nesting::Single, Datum::Map(_)) => propose(attributes, config, prior),
        (Nesting::List, Datum::List(items)) => {
            let prior = prior.items().unwrap_or_default();
            let one = |(index, it)| element(attributes, it, prior.get(index));
            Datum::List(items.iter().enumerate().map(one).collect())
        }
        (Nesting::Set, Datum::Set(Set(items))) => {
            let one = |it| element(attributes, it, None);
            Datum::Set(Set(items.iter().map(one).collect()))
        }
        (Nesting::Map, Datum::Map(entries)) => {
            let one =
                |(key, it): (&String, _)| (key.clone(), element(attributes, it, prior.get(key)));
            Datum::Map(entries.iter().map(one).collect())
        }
        // Unknown as a whole: it goes back as it came.
        _ => config.clone(),
    }
}

fn element(attributes: &[Attribute], config: &Datum, prior: Option<&Datum>) -> Datum {
    propose(attributes, config, prior.unwrap_or(&Datum::Null))
}

/// The default of an attribute, as if it were configured; of a nested object the empty map stands
/// for its own defaults.
fn complete(at: &Attribute, default: &Datum, prior: Option<&Datum>) -> Datum {
    match at.nested() {
        Some((nesting, attributes)) => {
            nested(nesting, attributes, default, prior.unwrap_or(&Datum::Null))
        }
        None => default.clone(),
    }
}

/// Makes unknown what follows a change in this object, also through other computed values.
fn follow(attributes: &[Attribute], config: &Object, prior: &Object, planned: &mut Object) {
    let differs = |planned: &Object, name: &str| planned.get(name) != prior.get(name);
    let is_left_to_us =
        |it: &&Attribute| it.rules.is_computed() && config.get(it.name).is_none_or(Datum::is_null);
    loop {
        // What is planned as a constant, such as "no drift", is brought about as what is configured.
        let makes_update = |it: &&Attribute| {
            it.rules.presence != Presence::Computed
                || matches!(it.rules.follows, Follows::Constant(_))
        };
        let is_update = attributes.iter().filter(makes_update).any(|it| differs(planned, it.name));
        let next = attributes.iter().filter(is_left_to_us).find(|it| {
            let follows = match &it.rules.follows {
                Follows::Attributes(names) => names.iter().any(|name| differs(planned, name)),
                Follows::EveryUpdate => is_update,
                // A state from before the attribute existed: an update may fill it in.
                Follows::Nothing => {
                    is_update && it.rules.default.is_none() && planned[it.name].is_null()
                }
                Follows::Constant(_) => false,
            };
            follows && planned.get(it.name) != Some(&Datum::UNKNOWN)
        });
        let Some(attribute) = next else { return };
        planned.insert(attribute.name.to_owned(), Datum::UNKNOWN);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::model;
    use crate::tfplugin::model::Model;
    use crate::tfplugin::value::Value;
    use crate::tfplugin::wire::notation::datum;

    model! {
        /// A thing.
        struct Thing {
            /// Its note.
            note: Value<String> = optional(),
            /// Its size.
            size: Value<i64> = optional().default(1),
            /// Kept.
            id: Value<String> = computed(),
            /// Follows.
            print: Value<String> = computed().changes_with(&["note"]),
            /// Always.
            serial: Value<i64> = computed().changes_always(),
            /// Constant.
            drift: Value<Vec<String>> = computed().planned_as(Datum::List(Vec::new())),
        }
    }

    /// What becomes of a configured note, given what is stored.
    fn check(note: &Json, prior: &Json, planned: &Json) {
        let schema = Thing::schema(0);
        let config = json!({
            "note": note, "size": null, "id": null, "print": null, "serial": null, "drift": null
        });
        let [config, prior, planned] = [&config, prior, planned].map(|it| datum(it, schema.ty()));
        assert_eq!(propose(&schema.attributes, &config, &prior), planned);
    }

    #[test]
    fn what_is_missing_is_completed() {
        let stored = |note: &str, id: Json, drift: Json| {
            json!({
                "note": note, "size": 1, "id": id, "print": "p", "serial": 7, "drift": drift
            })
        };
        let new = json!({
            "note": "a", "size": 1, "id": "?", "print": "?", "serial": "?", "drift": []
        });
        check(&json!("a"), &Json::Null, &new);
        let same = stored("a", json!("1"), json!([]));
        check(&json!("a"), &same, &same);
        let changed = json!({
            "note": "b", "size": 1, "id": "1", "print": "?", "serial": "?", "drift": []
        });
        check(&json!("b"), &same, &changed);
        // Mending drift is an update too, but not one of what follows the note.
        let mended = json!({
            "note": "a", "size": 1, "id": "1", "print": "p", "serial": "?", "drift": []
        });
        check(&json!("a"), &stored("a", json!("1"), json!(["edited"])), &mended);
        // Of a state from before the attribute existed only an update may fill it in.
        let old = stored("a", Json::Null, json!([]));
        check(&json!("a"), &old, &old);
        let filled = json!({
            "note": "b", "size": 1, "id": "?", "print": "?", "serial": "?", "drift": []
        });
        check(&json!("b"), &old, &filled);
    }
}
