//! Checks of single values: each says in the documentation what it wants, and in a diagnostic
//! what it got.

use std::fmt;
use std::sync::Arc;

use crate::tfplugin::value::{Datum, Number};

type Test = Arc<dyn Fn(&Datum) -> bool + Send + Sync>;

/// A rule that a known, non-null value must meet.
#[derive(Clone)]
pub struct Check {
    /// What is wanted, as the end of "must be …".
    wanted: String,
    test: Test,
}

impl Check {
    /// A rule; `wanted` ends the sentence "must be …".
    pub fn new(
        wanted: impl Into<String>,
        test: impl Fn(&Datum) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { wanted: wanted.into(), test: Arc::new(test) }
    }

    /// What is wanted, as the end of "must be …".
    pub fn wanted(&self) -> &str {
        &self.wanted
    }

    /// Whether the value meets it. Null and unknown values are not for checks.
    pub fn accepts(&self, value: &Datum) -> bool {
        (self.test)(value)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be {}", self.wanted)
    }
}

/// One of these strings.
pub fn one_of(words: &'static [&'static str]) -> Check {
    let quoted: Vec<_> = words.iter().map(|it| format!("`{it}`")).collect();
    let wanted = format!("one of {}", quoted.join(", "));
    Check::new(wanted, move |value| value.as_str().is_some_and(|it| words.contains(&it)))
}

/// A number from `low` to `high`, both included.
pub fn between(low: i64, high: i64) -> Check {
    let (first, last) = (Number::from(low), Number::from(high));
    Check::new(format!("from {low} to {high}"), move |value| match value {
        Datum::Number(number) => first <= *number && *number <= last,
        _ => false,
    })
}

/// A number that is not below `low`.
pub fn at_least(low: i64) -> Check {
    let first = Number::from(low);
    Check::new(format!("at least {low}"), move |value| match value {
        Datum::Number(number) => first <= *number,
        _ => false,
    })
}

/// A string or collection that is not empty.
pub fn not_empty() -> Check {
    Check::new("not empty", |value| size(value).is_some_and(|it| it > 0))
}

/// A string or collection of `low` to `high` characters or elements, both included.
pub fn length(low: usize, high: usize) -> Check {
    let wanted = format!("{low} to {high} characters or elements long");
    Check::new(wanted, move |value| size(value).is_some_and(|it| low <= it && it <= high))
}

/// A string for which `test` holds; `wanted` ends the sentence "must be …".
pub fn text(wanted: &'static str, test: fn(&str) -> bool) -> Check {
    Check::new(wanted, move |value| value.as_str().is_some_and(test))
}

fn size(value: &Datum) -> Option<usize> {
    match value {
        Datum::String(text) => Some(text.chars().count()),
        Datum::Map(entries) => Some(entries.len()),
        _ => value.items().map(<[Datum]>::len),
    }
}
