//! A value before a model gives it a Rust type. Its [`Type`] comes from the schema.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher, Hash, Hasher};

use super::{Number, Refinements};
use crate::tfplugin::types::Type;

/// A value as the wire has it: null, unknown or known, of any type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Datum {
    /// No value.
    #[default]
    Null,
    /// Known only after apply; boxed refinements, if any, narrow what it may become.
    Unknown(Option<Box<Refinements>>),
    /// A boolean.
    Bool(bool),
    /// An exact number.
    Number(Number),
    /// A string.
    String(String),
    /// A list or a tuple.
    List(Vec<Datum>),
    /// A set.
    Set(Set),
    /// A map or an object.
    Map(BTreeMap<String, Datum>),
    /// A value whose type is decided at run time and travels with it.
    Dynamic(Box<(Type, Datum)>),
}

impl Datum {
    /// A plain unknown value.
    pub const UNKNOWN: Self = Self::Unknown(None);

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is itself unknown; elements of a known collection may still be.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown(_) => true,
            Self::Dynamic(inner) => inner.1.is_unknown(),
            _ => false,
        }
    }

    /// Whether neither it nor anything inside it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::List(items) | Self::Set(Set(items)) => items.iter().all(Self::is_wholly_known),
            Self::Map(items) => items.values().all(Self::is_wholly_known),
            Self::Dynamic(inner) => inner.1.is_wholly_known(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
        }
    }

    /// The value of an attribute of an object or of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(items) => items.get(key),
            _ => None,
        }
    }

    /// The elements of a known list, set or tuple.
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) | Self::Set(Set(items)) => Some(items),
            _ => None,
        }
    }

    /// The entries of a known map or object.
    pub fn entries(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Map(items) => Some(items),
            _ => None,
        }
    }

    /// The text of a known string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Datum {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<bool> for Datum {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Datum {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

/// The elements of a set. Two sets are equal when they have the same elements in any order.
#[derive(Clone, Debug, Default)]
pub struct Set(pub Vec<Datum>);

impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        if self.0.len() != other.0.len() {
            return false;
        }
        // Both sides mostly come in the same order.
        let same = self.0.iter().zip(&other.0).take_while(|(item, it)| item == it).count();
        let mut rest: HashMap<&Datum, usize> = HashMap::new();
        for item in &other.0[same..] {
            *rest.entry(item).or_default() += 1;
        }
        self.0[same..].iter().all(|item| match rest.get_mut(item) {
            Some(left @ 1..) => {
                *left -= 1;
                true
            }
            _ => false,
        })
    }
}

impl Eq for Set {}

/// The same in any order, as equality demands.
impl Hash for Set {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let hashes = BuildHasherDefault::<DefaultHasher>::default();
        let sum = self.0.iter().fold(0_u64, |sum, it| sum.wrapping_add(hashes.hash_one(it)));
        (self.0.len(), sum).hash(state);
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test measures how long a comparison takes")]
mod tests {
    use super::*;

    #[test]
    fn sets_are_equal_in_any_order_and_count_their_elements() {
        let set = |text: &str| Datum::Set(Set(text.split(' ').map(Datum::from).collect()));
        assert_eq!(set("a b c"), set("c a b"));
        assert_ne!(set("a b b"), set("a a b"));
        assert_ne!(set("a b"), set("a b c"));
    }

    #[test]
    fn large_sets_in_different_orders_are_compared_quickly() {
        let items = || (0..20_000_i64).map(|it| Datum::Set(Set(vec![it.into(), (-it).into()])));
        let began = std::time::Instant::now();
        assert_eq!(Set(items().collect()), Set(items().rev().collect()));
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
