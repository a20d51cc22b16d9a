//! The gate: each response is held against the rules that Terraform enforces, before it is sent.
//!
//! Terraform answers a breach with an error of its own, and in the worst case does not save the
//! state. Here a breach becomes a diagnostic, and what can be saved is.

mod apply;
mod plan;
mod state;
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test measures how long a comparison takes")]
mod tests;

use std::fmt;

pub(crate) use apply::outcome_breaks;
pub(crate) use plan::{paths_break, plan_breaks};
pub(crate) use state::{mend, stored_breaks};

use super::diagnostics::{Diagnostic, Diagnostics};
use super::path::Path;

/// A rule of Terraform that a response breaks: always a bug of the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) path: Path,
    pub(crate) rule: Rule,
}

/// The rules, by what they demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A plan has an object exactly when the configuration has one.
    PlanFollowsConfig,
    /// A planned value is the configured or the stored one, unless the provider may set it.
    PlannedValue,
    /// A planned collection has the elements of the configuration.
    PlannedElements,
    /// A configured object is not planned as unknown.
    PlannedUnknown,
    /// A write-only value is never stored.
    WriteOnly,
    /// A path that demands replacement exists.
    ReplacePath,
    /// A stored object has no unknown values.
    Known,
    /// An identity has no unknown values.
    KnownIdentity,
    /// What was planned as known is what it becomes.
    KeepsPlan,
    /// What was planned as unknown becomes what its refinements allow.
    KeepsRefinements,
    /// A collection keeps the elements that were planned.
    KeepsElements,
    /// A value has the type of the schema.
    Conforms,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PlanFollowsConfig => "was planned to exist, or not to, against the configuration",
            Self::PlannedValue => "was planned as neither the configured nor the stored value",
            Self::PlannedElements => "was planned with other elements than are configured",
            Self::PlannedUnknown => "is configured, but was planned as unknown",
            Self::WriteOnly => "is write-only, but was to be stored",
            Self::ReplacePath => "demands replacement, but does not exist",
            Self::Known => "is still unknown after the operation",
            Self::KnownIdentity => "has an identity that is still unknown after the operation",
            Self::KeepsPlan => "is not what was planned",
            Self::KeepsRefinements => "is not within the limits that were planned for it",
            Self::KeepsElements => "does not have the elements that were planned",
            Self::Conforms => "does not have the type of the schema",
        })
    }
}

/// One error for all breaches of a response; values are not shown, for they may be secret.
pub(crate) fn explain(breaches: &[Breach]) -> Diagnostics {
    let Some(first) = breaches.first() else { return Diagnostics::new() };
    let line = |it: &Breach| {
        let subject =
            if it.path.is_root() { "the object".to_owned() } else { format!("`{}`", it.path) };
        format!("- {subject} {}", it.rule)
    };
    let lines: Vec<_> = breaches.iter().map(line).collect();
    let detail =
        format!("This is a bug in the provider; please report it.\n\n{}", lines.join("\n"));
    Diagnostic::error("The provider broke a rule of Terraform", detail)
        .at(first.path.clone())
        .hint("What can be saved of the object is saved in the state.")
        .into()
}

/// Collects breaches while values are walked.
#[derive(Default)]
struct Findings(Vec<Breach>);

impl Findings {
    fn add(&mut self, at: &super::model::Trail<'_>, rule: Rule) {
        self.0.push(Breach { path: at.path(), rule });
    }
}
