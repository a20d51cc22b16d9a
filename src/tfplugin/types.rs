//! The types of values, as a schema states them.

use std::collections::BTreeMap;

/// The type of an attribute or of a value inside one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// An exact number.
    Number,
    /// A string.
    String,
    /// Decided at run time; such a value carries its type with it.
    Dynamic,
    /// Elements of one type, in order.
    List(Box<Type>),
    /// Distinct elements of one type, without order.
    Set(Box<Type>),
    /// Elements of one type by a key.
    Map(Box<Type>),
    /// A fixed set of attributes.
    Object(BTreeMap<String, Type>),
    /// A fixed list of elements.
    Tuple(Vec<Type>),
}
