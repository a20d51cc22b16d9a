//! What Terraform refuses in a schema, found in a unit test of the provider instead.

use std::fmt;

use super::{Attribute, Follows, Nesting, Presence, Schema, Shape};
use crate::tfplugin::path::Path;
use crate::tfplugin::types::Type;
use crate::tfplugin::value::{Datum, Set};
use crate::tfplugin::wire;

/// Names that Terraform keeps for itself in every resource block.
const RESERVED: [&str; 7] =
    ["count", "for_each", "depends_on", "lifecycle", "provider", "provisioner", "connection"];

/// A mistake in a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The attribute.
    pub path: Path,
    /// What is wrong with it.
    pub text: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

impl Schema {
    /// Everything in this schema that Terraform would refuse, or that this library does not allow.
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = self.flaws_of_any();
        for attribute in &self.attributes {
            if RESERVED.contains(&attribute.name) {
                let path = Path::root(attribute.name);
                flaws.push(Flaw { path, text: "the name is reserved".into() });
            }
        }
        flaws
    }

    fn flaws_of_any(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if self.version < 0 {
            flaws.push(Flaw { path: Path::default(), text: "the version is negative".into() });
        }
        verify(&self.attributes, &Path::default(), false, &mut flaws);
        flaws
    }

    /// As [`Schema::flaws`] for an identity: primitives or lists, required or optional. It is written as a value, so
    /// no name is reserved.
    pub fn identity_flaws(&self) -> Vec<Flaw> {
        let mut flaws = self.flaws_of_any();
        for attribute in &self.attributes {
            let allowed = match &attribute.shape {
                Shape::Plain(Type::List(item)) => is_primitive(item),
                Shape::Plain(ty) => is_primitive(ty),
                Shape::Nested(..) => false,
            };
            let path = Path::root(attribute.name);
            if !allowed {
                let text = "an identity holds primitives and lists of them".into();
                flaws.push(Flaw { path: path.clone(), text });
            }
            if attribute.rules.is_computed() {
                let text = "an identity is required or optional for import".into();
                flaws.push(Flaw { path, text });
            }
        }
        flaws
    }
}

fn verify(attributes: &[Attribute], at: &Path, in_set: bool, flaws: &mut Vec<Flaw>) {
    for (index, attribute) in attributes.iter().enumerate() {
        let path = at.attribute(attribute.name);
        let rules = &attribute.rules;
        let mut flaw = |text: &str| flaws.push(Flaw { path: path.clone(), text: text.into() });
        if !is_name(attribute.name) {
            flaw("a name has lower-case letters, digits and `_`");
        }
        if attributes[..index].iter().any(|it| it.name == attribute.name) {
            flaw("the name is used twice");
        }
        if rules.write_only && (rules.is_computed() || rules.default.is_some()) {
            flaw("a write-only attribute is neither computed nor has a default");
        }
        if rules.follows != Follows::Nothing && !rules.is_computed() {
            flaw("only a computed attribute follows others");
        }
        if rules.follows != Follows::Nothing && rules.default.is_some() {
            flaw("an attribute with a default follows nothing");
        }
        if let Follows::Attributes(names) = &rules.follows
            && let Some(name) = names.iter().find(|it| !attributes.iter().any(|a| a.name == **it))
        {
            flaw(&format!("it follows `{name}`, which does not exist"));
        }
        if rules.default.as_ref().is_some_and(|it| !is_typed(attribute, it)) {
            flaw("its default is not of its type");
        }
        if let Follows::Constant(constant) = &rules.follows
            && wire::encode(constant, &attribute.ty()).is_err()
        {
            flaw("the constant that it is planned as is not of its type");
        }
        if rules.presence == Presence::Computed && !rules.checks.is_empty() {
            flaw("only a configurable attribute is checked");
        }
        if in_set && (rules.is_computed() || rules.default.is_some()) {
            flaw("an element of a set has no address, so nothing in it is computed or defaulted");
        }
        if in_set && (rules.write_only || is_open(&attribute.ty())) {
            flaw("nothing in a set is write-only or dynamic");
        }
        if let Some((nesting, nested)) = attribute.nested() {
            verify(nested, &path, in_set || nesting == Nesting::Set, flaws);
        }
    }
}

/// Whether values of it may bring their own type.
fn is_open(ty: &Type) -> bool {
    match ty {
        Type::Dynamic => true,
        Type::Bool | Type::Number | Type::String => false,
        Type::List(of) | Type::Set(of) | Type::Map(of) => is_open(of),
        Type::Object(attributes) => attributes.values().any(is_open),
        Type::Tuple(of) => of.iter().any(is_open),
    }
}

/// Whether a default has the type of its attribute, once its objects are completed.
fn is_typed(attribute: &Attribute, default: &Datum) -> bool {
    let given = |object: &Datum, nested: &[Attribute]| match object {
        Datum::Map(entries) => entries
            .iter()
            .all(|(name, value)| nested.iter().any(|it| it.name == name && is_typed(it, value))),
        _ => false,
    };
    match (attribute.nested(), default) {
        (_, Datum::Null) => true,
        (Some((Nesting::Single, nested)), object) => given(object, nested),
        (Some((Nesting::Map, nested)), Datum::Map(entries)) => {
            entries.values().all(|it| given(it, nested))
        }
        (Some((Nesting::List, nested)), Datum::List(items))
        | (Some((Nesting::Set, nested)), Datum::Set(Set(items))) => {
            items.iter().all(|it| given(it, nested))
        }
        (Some(_), _) => false,
        (None, default) => wire::encode(default, &attribute.ty()).is_ok(),
    }
}

fn is_name(name: &str) -> bool {
    let starts = name.starts_with(|it: char| it.is_ascii_lowercase() || it == '_');
    starts && name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
}

fn is_primitive(ty: &Type) -> bool {
    matches!(ty, Type::Bool | Type::Number | Type::String)
}
