//! The argument reference: what can be set, what may be, what the provider sets, and the same for
//! the objects inside, each in a section of its own.

use std::collections::BTreeMap;

use super::changes::{effective, followed, legend, told};
use super::literal::{literal, quoted};
use super::markdown::{clean, code, inline, item, sentence};
use crate::tfplugin::model::format_duration;
use crate::tfplugin::schema::{Attribute, Change, Nesting, Presence, Shape, TimeoutDefaults};
use crate::tfplugin::types::Type;

const WRITE_ONLY: &str = "Write-only arguments need Terraform 1.11 or OpenTofu 1.11.";

/// The reference of a block. Only where `has_changes` there is a stored object that can change.
pub(super) fn reference(attributes: &[Attribute], has_changes: bool) -> String {
    let mut parts = Vec::new();
    if has_changes {
        parts.push(legend(attributes));
    }
    if any_write_only(attributes) {
        parts.push(format!("> **Note:** {WRITE_ONLY}\n"));
    }
    let around = Around {
        change: has_changes.then_some(Change::Online),
        in_set: false,
        read_only: false,
        timeouts: None,
    };
    groups(attributes, &[], around, &mut parts);
    parts.retain(|it| !it.is_empty());
    parts.join("\n")
}

/// The reference of an identity: required or optional for an import.
pub(super) fn identity_reference(attributes: &[Attribute]) -> String {
    let group = |title: &str, is_required: bool| {
        let wanted = |it: &&Attribute| (it.rules.presence == Presence::Required) == is_required;
        let items = attributes.iter().filter(wanted).map(|it| {
            let around = Around { change: None, in_set: false, read_only: false, timeouts: None };
            entry(it, &[it.name], around)
        });
        let items: String = items.collect();
        if items.is_empty() { items } else { format!("#### {title}\n\n{items}") }
    };
    let parts = [group("Required", true), group("Optional", false)];
    parts.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("\n")
}

fn any_write_only(attributes: &[Attribute]) -> bool {
    let inside = |it: &Attribute| it.nested().is_some_and(|(_, nested)| any_write_only(nested));
    attributes.iter().any(|it| it.rules.write_only || inside(it))
}

/// What attributes have from the attribute that holds them.
#[derive(Clone, Copy)]
struct Around {
    /// What a change of it does; `None` where nothing is stored.
    change: Option<Change>,
    /// Whether it is in a set, whose elements have no address, so that it changes as a whole.
    in_set: bool,
    /// Whether the provider sets all of it.
    read_only: bool,
    /// The defaults of the `timeouts` that it is.
    timeouts: Option<TimeoutDefaults>,
}

/// The attributes of one object in three groups, then the sections of the objects inside.
fn groups(attributes: &[Attribute], path: &[&str], around: Around, parts: &mut Vec<String>) {
    let is_read_only = |it: &Attribute| around.read_only || !it.rules.is_configurable();
    let is_required = |it: &Attribute| it.rules.presence == Presence::Required;
    let mut group = |title: &str, is_in: &dyn Fn(&Attribute) -> bool| {
        let found: Vec<_> = attributes.iter().filter(|it| is_in(it)).collect();
        if found.is_empty() {
            return;
        }
        let heading = match path {
            [] => format!("### {title}\n\n"),
            _ => format!("{title}:\n\n"),
        };
        let items = found.iter().map(|it| entry(it, &inside(path, it.name), around));
        parts.push(heading + &items.collect::<String>());
    };
    group("Required", &|it| !is_read_only(it) && is_required(it));
    group("Optional", &|it| !is_read_only(it) && !is_required(it));
    group("Read-Only", &is_read_only);
    for attribute in attributes {
        let path = inside(path, attribute.name);
        match &attribute.shape {
            Shape::Nested(nesting, nested) => {
                let around = Around {
                    change: change_of(attribute, around),
                    in_set: around.in_set || *nesting == Nesting::Set,
                    read_only: is_read_only(attribute),
                    timeouts: attribute.rules.timeouts,
                };
                parts.push(section_heading(&path));
                groups(nested, &path, around, parts);
            }
            Shape::Plain(ty) => plain_section(ty, &path, parts),
        }
    }
}

fn inside<'a>(path: &[&'a str], name: &'a str) -> Vec<&'a str> {
    [path, &[name]].concat()
}

fn section_heading(path: &[&str]) -> String {
    let title = code(&path.join("."));
    format!("<a id=\"{}\"></a>\n### Nested Schema for {title}\n", anchor(path))
}

fn anchor(path: &[&str]) -> String {
    format!("nestedatt--{}", path.join("--"))
}

/// The section of objects that have a type but no rules.
fn plain_section(ty: &Type, path: &[&str], parts: &mut Vec<String>) {
    let Some(attributes) = object_in(ty) else { return };
    parts.push(section_heading(path));
    let entry = |(name, ty): (&String, &Type)| {
        let below = object_in(ty).map(|_| see_below(&inside(path, name))).unwrap_or_default();
        item('-', &format!("{} ({}){below}", code(name), type_text(ty)))
    };
    parts.push(format!("Each has:\n\n{}", attributes.iter().map(entry).collect::<String>()));
    for (name, ty) in attributes {
        plain_section(ty, &inside(path, name), parts);
    }
}

/// The object that a type holds at its end.
pub(super) fn object_in(ty: &Type) -> Option<&BTreeMap<String, Type>> {
    match ty {
        Type::Object(attributes) => Some(attributes),
        Type::List(of) | Type::Set(of) | Type::Map(of) => object_in(of),
        _ => None,
    }
}

/// One attribute: what it is, and below it each of its rules.
fn entry(attribute: &Attribute, path: &[&str], around: Around) -> String {
    let has_section = match &attribute.shape {
        Shape::Nested(..) => true,
        Shape::Plain(ty) => object_in(ty).is_some(),
    };
    let below = if has_section { see_below(path) } else { String::new() };
    let description = clean(&attribute.description);
    let (first, more) = match description.split_once("\n\n") {
        Some((first, more)) => (first, format!("\n\n{more}")),
        None => (description.as_str(), String::new()),
    };
    let space = if first.is_empty() { "" } else { " " };
    let kind = kind(attribute, around);
    let mut text = format!("{} ({kind}){space}{first}{below}{more}\n", code(attribute.name));
    // The rules must not go on with a list that the description ends with.
    let mark = if description.lines().any(|it| it.starts_with("- ")) { '*' } else { '-' };
    for fact in facts(attribute, around) {
        text.push_str(&item(mark, &fact));
    }
    item('-', &text)
}

fn see_below(path: &[&str]) -> String {
    format!(" (see [below for nested schema](#{}))", anchor(path))
}

/// What stands in brackets behind the name.
fn kind(attribute: &Attribute, around: Around) -> String {
    let rules = &attribute.rules;
    let mut parts = vec![shape_text(&attribute.shape)];
    let default = match around.timeouts {
        Some(timeouts) => timeout(timeouts, attribute.name),
        None => rules.default.as_ref().map(literal),
    };
    if let Some(default) = default.filter(|_| !around.read_only) {
        parts.push(format!("default {}", code(&default)));
    }
    let marks = [
        (rules.sensitive, "Sensitive"),
        (rules.write_only, "Write-only"),
        (rules.deprecated.is_some(), "Deprecated"),
    ];
    parts.extend(marks.iter().filter(|(is_set, _)| *is_set).map(|(_, mark)| (*mark).to_owned()));
    parts.join(", ")
}

/// The default of an operation, as it would be written.
fn timeout(defaults: TimeoutDefaults, operation: &str) -> Option<String> {
    let limit = match operation {
        "create" => defaults.create,
        "update" => defaults.update,
        "read" => defaults.read,
        "delete" => defaults.delete,
        _ => return None,
    };
    Some(quoted(&format_duration(limit)))
}

/// The rules that are worth a line each.
fn facts(attribute: &Attribute, around: Around) -> Vec<String> {
    let rules = &attribute.rules;
    let mut facts = Vec::new();
    if let Some(instead) = rules.deprecated {
        facts.push(format!("**Deprecated.** {}", sentence(&inline(instead))));
    }
    let is_set_by_provider = around.read_only || !rules.is_configurable();
    if is_set_by_provider {
        facts.extend(around.change.and_then(|_| followed(&rules.follows)));
        return facts;
    }
    facts.extend(
        rules.checks.iter().map(|it| sentence(&format!("Must be {}", inline(it.wanted())))),
    );
    if rules.presence == Presence::OptionalComputed && rules.default.is_none() {
        facts.push("Set by the provider when it is left out.".to_owned());
        facts.extend(around.change.and_then(|_| followed(&rules.follows)));
    }
    if around.change.is_some() && rules.same.is_some() {
        facts.push("Another spelling of the same value is no change.".to_owned());
    }
    match change_of(attribute, around) {
        Some(_) if rules.write_only && !matches!(rules.change, Change::Described(_)) => {
            facts.push("Never stored, so a change of it alone is not seen.".to_owned());
        }
        Some(change) => facts.push(told(change, rules)),
        None => (),
    }
    facts
}

fn change_of(attribute: &Attribute, around: Around) -> Option<Change> {
    let own = if around.in_set { Change::Inherited } else { attribute.rules.change };
    around.change.map(|around| effective(own, around))
}

pub(super) fn shape_text(shape: &Shape) -> String {
    match shape {
        Shape::Plain(ty) => type_text(ty),
        Shape::Nested(Nesting::Single, _) => "Attributes".to_owned(),
        Shape::Nested(Nesting::List, _) => "Attributes List".to_owned(),
        Shape::Nested(Nesting::Set, _) => "Attributes Set".to_owned(),
        Shape::Nested(Nesting::Map, _) => "Attributes Map".to_owned(),
    }
}

pub(super) fn type_text(ty: &Type) -> String {
    match ty {
        Type::Bool => "Boolean".to_owned(),
        Type::Number => "Number".to_owned(),
        Type::String => "String".to_owned(),
        Type::Dynamic => "Dynamic".to_owned(),
        Type::List(of) => format!("List of {}", type_text(of)),
        Type::Set(of) => format!("Set of {}", type_text(of)),
        Type::Map(of) => format!("Map of {}", type_text(of)),
        Type::Object(_) => "Object".to_owned(),
        Type::Tuple(of) => {
            let of: Vec<_> = of.iter().map(type_text).collect();
            format!("Tuple of {}", of.join(" and "))
        }
    }
}
