//! What is known about a value that is not known yet.

use super::Number;

/// Limits that an unknown value will keep when it becomes known.
///
/// Terraform sends them since 1.6; a provider may send them too, and is then bound by them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Refinements {
    /// `Some(false)`: it will not be null. `Some(true)`: it will be.
    pub null: Option<bool>,
    /// A string will start with this.
    pub prefix: Option<String>,
    /// A number will not lie below this.
    pub lower: Option<Bound>,
    /// A number will not lie above this.
    pub upper: Option<Bound>,
    /// A collection will have at least so many elements.
    pub min_length: Option<u64>,
    /// A collection will have at most so many elements.
    pub max_length: Option<u64>,
}

/// A limit of a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    /// The limit.
    pub value: Number,
    /// Whether the limit itself is allowed.
    pub inclusive: bool,
}
