//! The shape of a configuration, and everything that is declared about its attributes.

mod check;
mod proto;
mod rules;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::BTreeMap;

pub use check::{Check, at_least, between, length, not_empty, one_of, text};
pub use rules::{
    Change, DEFAULT_WAY_OUT, Follows, Presence, Rules, TimeoutDefaults, computed, optional,
    required, timeouts,
};
pub use verify::Flaw;

use super::types::Type;

/// A resource, data source, ephemeral resource, identity or provider block.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Grows with each change that old stored objects must be upgraded for; from 0.
    pub version: i64,
    /// Markdown.
    pub description: String,
    /// In the order of declaration.
    pub attributes: Vec<Attribute>,
    /// Worked out once: every message of every call needs it.
    ty: Type,
}

/// One attribute: its name, what it may hold, and its rules.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// As in HCL.
    pub name: &'static str,
    /// Markdown.
    pub description: String,
    /// What it may hold.
    pub shape: Shape,
    /// Presence, default, what a change does, and so on.
    pub rules: Rules,
}

/// What an attribute may hold.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Values of one type.
    Plain(Type),
    /// Objects whose attributes have rules of their own.
    Nested(Nesting, Vec<Attribute>),
}

/// How many objects a nested attribute holds, and how they are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// One.
    Single,
    /// Any number, in order.
    List,
    /// Any number, distinct, without order and so without address.
    Set,
    /// Any number, by a key.
    Map,
}

impl Schema {
    /// A schema with these attributes.
    pub fn new(version: i64, description: String, attributes: Vec<Attribute>) -> Self {
        let ty = object(&attributes);
        Self { version, description, attributes, ty }
    }

    /// The type of the object that this schema describes.
    pub fn ty(&self) -> &Type {
        &self.ty
    }

    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|it| it.name == name)
    }
}

impl Attribute {
    /// An attribute as [`model!`](crate::model) declares it: the lines of its doc comment are its
    /// description.
    pub fn new(name: &'static str, docs: &[&str], shape: Shape, rules: Rules) -> Self {
        // `stringify!` keeps the mark of an identifier that is a Rust keyword.
        let name = name.strip_prefix("r#").unwrap_or(name);
        let shape = if rules.is_configurable() { shape } else { shape.computed() };
        Self { name, description: paragraph(docs), shape, rules }
    }

    /// The type of its value.
    pub fn ty(&self) -> Type {
        self.shape.ty()
    }

    /// The attributes of the objects inside; none when it holds plain values.
    pub fn nested(&self) -> Option<(Nesting, &[Self])> {
        match &self.shape {
            Shape::Plain(_) => None,
            Shape::Nested(nesting, attributes) => Some((*nesting, attributes)),
        }
    }
}

impl Shape {
    /// The type of a value of this shape.
    pub fn ty(&self) -> Type {
        match self {
            Self::Plain(ty) => ty.clone(),
            Self::Nested(Nesting::Single, attributes) => object(attributes),
            Self::Nested(Nesting::List, attributes) => Type::List(Box::new(object(attributes))),
            Self::Nested(Nesting::Set, attributes) => Type::Set(Box::new(object(attributes))),
            Self::Nested(Nesting::Map, attributes) => Type::Map(Box::new(object(attributes))),
        }
    }

    /// The same where the provider sets all of it: what one resource hands out with `computed()` another takes with
    /// `required()`, by one model.
    fn computed(self) -> Self {
        let inside = |it: Attribute| {
            let sensitive = it.rules.sensitive;
            Attribute { rules: Rules { sensitive, ..computed() }, shape: it.shape.computed(), ..it }
        };
        match self {
            // An element of a set has no address, so that only the set as a whole is computed.
            Self::Plain(_) | Self::Nested(Nesting::Set, _) => self,
            Self::Nested(nesting, attributes) => {
                Self::Nested(nesting, attributes.into_iter().map(inside).collect())
            }
        }
    }
}

fn object(attributes: &[Attribute]) -> Type {
    let entries = attributes.iter().map(|it| (it.name.to_owned(), it.ty()));
    Type::Object(entries.collect::<BTreeMap<_, _>>())
}

/// Joins the lines of a doc comment, each without the space that follows the slashes.
pub fn paragraph(docs: &[&str]) -> String {
    let lines = docs.iter().map(|it| it.strip_prefix(' ').unwrap_or(it));
    lines.collect::<Vec<_>>().join("\n")
}
