//! What users may rely on, one line for each attribute and without a word of explanation, so that a change of it is
//! seen by itself.

use super::attributes::{object_in, shape_text, type_text};
use super::changes::followed;
use super::literal::literal;
use crate::tfplugin::model::format_duration;
use crate::tfplugin::schema::{Attribute, Change, Nesting, Presence, Rules, Schema, Shape};
use crate::tfplugin::types::Type;

/// The lines of a schema, and those of the identity of its objects.
pub(super) fn text(schema: &Schema, identity: Option<&Schema>) -> String {
    let mut lines = vec![format!("version {}", schema.version)];
    walk(&schema.attributes, "", &mut lines);
    if let Some(identity) = identity {
        lines.extend([String::new(), format!("identity, version {}", identity.version)]);
        walk(&identity.attributes, "", &mut lines);
    }
    lines.join("\n") + "\n"
}

/// The attributes of an object, each followed by those of the objects inside it.
fn walk(attributes: &[Attribute], path: &str, lines: &mut Vec<String>) {
    for it in attributes {
        let path = format!("{path}{}", it.name);
        lines.push(format!("{path}: {}", facts(it).join("; ")));
        match &it.shape {
            Shape::Nested(nesting, nested) => {
                walk(nested, &format!("{path}{}.", mark(*nesting)), lines);
            }
            Shape::Plain(ty) => plain(ty, &path, lines),
        }
    }
}

/// The attributes of objects that have types and no rules.
fn plain(ty: &Type, path: &str, lines: &mut Vec<String>) {
    for (name, ty) in object_in(ty).into_iter().flatten() {
        let path = format!("{path}[].{name}");
        lines.push(format!("{path}: {}", type_text(ty)));
        plain(ty, &path, lines);
    }
}

/// How one object of many is named.
fn mark(nesting: Nesting) -> &'static str {
    match nesting {
        Nesting::Single => "",
        Nesting::List | Nesting::Set => "[]",
        Nesting::Map => "{}",
    }
}

fn facts(attribute: &Attribute) -> Vec<String> {
    let rules = &attribute.rules;
    let mut facts = vec![shape_text(&attribute.shape), presence(rules)];
    let marks = [
        (rules.sensitive, "sensitive"),
        (rules.write_only, "write-only"),
        (rules.deprecated.is_some(), "deprecated"),
        (rules.same.is_some(), "other spellings are no change"),
    ];
    facts.extend(marks.iter().filter(|(is_set, _)| *is_set).map(|(_, mark)| (*mark).to_owned()));
    facts.extend(rules.timeouts.map(|it| {
        let [create, update, read, delete] =
            [it.create, it.update, it.read, it.delete].map(format_duration);
        format!("create {create}, update {update}, read {read}, delete {delete}")
    }));
    facts.extend(rules.checks.iter().map(|it| format!("must be {}", it.wanted())));
    // Of one that says nothing a change does what one of the object around it does.
    if rules.change != Change::Inherited {
        facts.push(format!("change: {}", rules.change));
    }
    facts.extend(followed(&rules.follows));
    facts
}

fn presence(rules: &Rules) -> String {
    match (rules.presence, &rules.default) {
        (Presence::Required, _) => "required".to_owned(),
        (_, Some(default)) => format!("default {}", literal(default)),
        (Presence::Optional, None) => "optional".to_owned(),
        (Presence::OptionalComputed, None) => "optional, or set by the provider".to_owned(),
        (Presence::Computed, None) => "set by the provider".to_owned(),
    }
}
