//! What differs between the prior and the planned object, and what each difference does.

use std::collections::{BTreeMap, BTreeSet};

use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::model::Trail;
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::{Attribute, Change, DEFAULT_WAY_OUT, Nesting, Rules};
use crate::tfplugin::value::Datum;

/// One difference, at the deepest attribute that has it.
pub(crate) struct Changed<'a> {
    pub(crate) path: Path,
    /// What it does; never [`Change::Inherited`].
    pub(crate) change: Change,
    pub(crate) rules: &'a Rules,
    pub(crate) before: &'a Datum,
    pub(crate) after: &'a Datum,
    /// Whether it or an attribute around it is hidden in plans.
    pub(crate) sensitive: bool,
}

/// All differences between two objects, both known as a whole.
pub(crate) fn changes<'a>(
    attributes: &'a [Attribute],
    before: &'a Datum,
    after: &'a Datum,
) -> Vec<Changed<'a>> {
    let mut found = Vec::new();
    let around = Around { change: Change::Online, sensitive: false };
    walk(attributes, before, after, &Trail::Root, around, &mut found);
    found
}

/// What the attributes of an object inherit from the attribute that holds it.
#[derive(Clone, Copy)]
struct Around {
    change: Change,
    sensitive: bool,
}

fn walk<'a>(
    attributes: &'a [Attribute],
    before: &'a Datum,
    after: &'a Datum,
    at: &Trail<'_>,
    around: Around,
    found: &mut Vec<Changed<'a>>,
) {
    for attribute in attributes {
        // Of an object that is not there every attribute is null.
        let [before, after] =
            [before, after].map(|it| it.get(attribute.name).unwrap_or(&Datum::Null));
        if before == after {
            continue;
        }
        let at = Trail::Attribute(at, attribute.name);
        let rules = &attribute.rules;
        let change = match rules.change {
            Change::Inherited => around.change,
            own => own,
        };
        let here = Around { change, sensitive: around.sensitive || rules.sensitive };
        let whole = |at: &Trail<'_>, before, after| Changed {
            path: at.path(),
            change,
            rules,
            before,
            after,
            sensitive: here.sensitive,
        };
        match (attribute.nested(), before, after) {
            (Some((Nesting::Single, nested)), Datum::Map(_), Datum::Map(_)) => {
                walk(nested, before, after, &at, here, found);
            }
            // An object that comes or goes: its own rule counts, and so do those inside.
            (
                Some((Nesting::Single, nested)),
                Datum::Map(_) | Datum::Null,
                Datum::Map(_) | Datum::Null,
            ) => {
                found.push(whole(&at, before, after));
                let mut inside = Vec::new();
                walk(nested, before, after, &at, here, &mut inside);
                inside.retain(|it| it.rules.change != Change::Inherited);
                found.append(&mut inside);
            }
            (Some((Nesting::Map, nested)), Datum::Map(old), Datum::Map(new)) => {
                for key in keys(old, new) {
                    let at = Trail::Key(&at, key);
                    match (old.get(key), new.get(key)) {
                        (Some(old @ Datum::Map(_)), Some(new @ Datum::Map(_))) => {
                            walk(nested, old, new, &at, here, found);
                        }
                        (old, new) => {
                            let [old, new] = [old, new].map(|it| it.unwrap_or(&Datum::Null));
                            found.extend((old != new).then(|| whole(&at, old, new)));
                        }
                    }
                }
            }
            (Some((Nesting::List, nested)), Datum::List(old), Datum::List(new))
                if old.len() == new.len() =>
            {
                for (index, (old, new)) in old.iter().zip(new).enumerate() {
                    let at = Trail::Index(&at, index);
                    if let (Datum::Map(_), Datum::Map(_)) = (old, new) {
                        walk(nested, old, new, &at, here, found);
                    } else if old != new {
                        found.push(whole(&at, old, new));
                    }
                }
            }
            _ => found.push(whole(&at, before, after)),
        }
    }
}

fn keys<'a>(
    old: &'a BTreeMap<String, Datum>,
    new: &'a BTreeMap<String, Datum>,
) -> BTreeSet<&'a String> {
    old.keys().chain(new.keys()).collect()
}

/// An error for each change that is refused. A value that is still unknown is asked again at apply.
pub(crate) fn refusals(changes: &[Changed<'_>]) -> Diagnostics {
    let refused = |it: &&Changed<'_>| {
        // A state from before the attribute existed takes its default without a word.
        let is_new_default = it.before.is_null() && it.rules.default.as_ref() == Some(it.after);
        it.change == Change::Refuse && it.after.is_wholly_known() && !is_new_default
    };
    changes.iter().filter(refused).map(refusal).collect()
}

fn refusal(changed: &Changed<'_>) -> Diagnostic {
    let path = &changed.path;
    let (before, after) = (show(changed.before), show(changed.after));
    let values = format!(" It is {before} and would become {after}.");
    let values = if changed.sensitive { "" } else { &values };
    let detail = format!("`{path}` is fixed when the resource is created.{values}");
    Diagnostic::error(format!("`{path}` cannot be changed"), detail)
        .at(path.clone())
        .hint(changed.rules.way_out.unwrap_or(DEFAULT_WAY_OUT))
}

/// The paths whose change means that the object is destroyed and created.
pub(crate) fn replacements(changes: &[Changed<'_>]) -> Vec<Path> {
    let replaces = |it: &&Changed<'_>| it.change == Change::Replace;
    changes.iter().filter(replaces).map(|it| it.path.clone()).collect()
}

/// A sentence for each part that the changes restart.
pub(crate) fn restarts(changes: &[Changed<'_>]) -> Vec<String> {
    let mut parts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for changed in changes {
        if let Change::Restart(part) = changed.change {
            parts.entry(part).or_default().push(format!("`{}`", changed.path));
        }
    }
    let sentence = |(part, paths): (&str, Vec<String>)| {
        format!("restart {part}, one host at a time, for {}", paths.join(", "))
    };
    parts.into_iter().map(sentence).collect()
}

/// A value in a sentence: short ones as they are, others by their kind.
fn show(datum: &Datum) -> String {
    match datum {
        Datum::Null => "not set".to_owned(),
        Datum::Bool(value) => value.to_string(),
        Datum::Number(value) => value.to_string(),
        Datum::String(text) if text.chars().count() <= 64 => format!("{text:?}"),
        Datum::String(_) => "a long text".to_owned(),
        Datum::List(_) | Datum::Set(_) | Datum::Map(_) => "another value".to_owned(),
        Datum::Dynamic(inner) => show(&inner.1),
        Datum::Unknown(_) => "a value known only after apply".to_owned(),
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
        /// Certificates.
        struct Certificates {
            /// How they are signed.
            algorithm: Value<String> = optional().refuses_change(),
            /// How long they last.
            validity: Value<String> = optional(),
        }
    }

    model! {
        /// A cluster.
        struct Cluster {
            /// Its version.
            version: Value<String> = required().restarts("etcd"),
            /// Its certificates.
            certificates: Value<Certificates> = optional(),
            /// Its key.
            key: Value<String> = optional().sensitive().refuses_change(),
            /// Where it is.
            zone: Value<String> = optional().default("a").refuses_change(),
        }
    }

    /// What the changes between two objects refuse and restart.
    fn check(before: serde_json::Value, after: serde_json::Value, told: &[&str]) {
        let schema = Cluster::schema(0);
        let [before, after] = [before, after].map(|mut it| {
            let object = it.as_object_mut().unwrap();
            for name in ["version", "certificates", "key", "zone"] {
                object.entry(name).or_insert(serde_json::Value::Null);
            }
            datum(&it, schema.ty())
        });
        let changes = changes(&schema.attributes, &before, &after);
        let refused = refusals(&changes);
        let mut found: Vec<_> = refused.iter().map(|it| it.summary().to_owned()).collect();
        found.extend(restarts(&changes));
        assert_eq!(found, told);
    }

    #[test]
    fn what_a_change_does_is_decided_at_the_deepest_attribute() {
        use serde_json::json;
        let refused = &["`certificates.algorithm` cannot be changed"];
        let rsa = json!({"certificates": {"algorithm": "rsa", "validity": "1h"}});
        let ec = json!({"certificates": {"algorithm": "ec", "validity": "1h"}});
        check(rsa.clone(), ec, refused);
        check(rsa.clone(), json!({"certificates": {"algorithm": "rsa", "validity": "2h"}}), &[]);
        // Also when the object around it comes or goes.
        check(json!({}), rsa.clone(), refused);
        check(rsa, json!({}), refused);
        check(json!({}), json!({"certificates": {"algorithm": null, "validity": "1h"}}), &[]);
        check(json!({"zone": "b"}), json!({"zone": "a"}), &["`zone` cannot be changed"]);
        // A state from before the attribute existed.
        check(json!({}), json!({"zone": "a"}), &[]);
        let restart = &["restart etcd, one host at a time, for `version`"];
        check(json!({"version": "1"}), json!({"version": "2"}), restart);
        check(json!({"zone": "b"}), json!({"zone": "?"}), &[]);
    }

    #[test]
    fn a_sensitive_value_is_not_told() {
        let schema = Cluster::schema(0);
        let object = |key| {
            let json = serde_json::json!({
                "version": "1", "certificates": null, "key": key, "zone": "a"
            });
            datum(&json, schema.ty())
        };
        let (before, after) = (object("old-secret"), object("new-secret"));
        let refused = refusals(&changes(&schema.attributes, &before, &after));
        let detail = refused.iter().next().unwrap().detail();
        assert!(!detail.contains("secret"), "{detail}");
    }
}
