//! The rules of what an apply returns (`AssertObjectCompatible` in Terraform's
//! `internal/plans/objchange`): what was planned is kept.

use std::collections::HashSet;

use super::{Breach, Findings, Rule};
use crate::tfplugin::model::Trail;
use crate::tfplugin::value::{Datum, Refinements, Set};

/// What Terraform would refuse in an object after apply, given the plan for it.
pub(crate) fn outcome_breaks(planned: &Datum, actual: &Datum) -> Vec<Breach> {
    let mut findings = Findings::default();
    compatible(planned, actual, &Trail::Root, &mut findings);
    findings.0
}

fn compatible(planned: &Datum, actual: &Datum, at: &Trail<'_>, findings: &mut Findings) {
    match (planned, actual) {
        (Datum::Unknown(limits), actual) => {
            if limits.as_ref().is_some_and(|it| !it.admits(actual)) {
                findings.add(at, Rule::KeepsRefinements);
            }
        }
        (Datum::List(planned), Datum::List(actual)) => {
            if planned.len() != actual.len() {
                findings.add(at, Rule::KeepsElements);
            }
            for (index, (planned, actual)) in planned.iter().zip(actual).enumerate() {
                compatible(planned, actual, &Trail::Index(at, index), findings);
            }
        }
        (Datum::Map(planned), Datum::Map(actual)) => {
            if !planned.keys().eq(actual.keys()) {
                findings.add(at, Rule::KeepsElements);
            }
            for (key, planned) in planned {
                if let Some(actual) = actual.get(key) {
                    // Whether it is a map or an object is the same to the reader of the path.
                    compatible(planned, actual, &Trail::Attribute(at, key), findings);
                }
            }
        }
        (Datum::Set(planned), Datum::Set(actual)) => {
            if !correlate(planned, actual) || planned.0.len() < actual.0.len() {
                findings.add(at, Rule::KeepsElements);
            }
        }
        (Datum::Dynamic(planned), Datum::Dynamic(actual)) if planned.0 == actual.0 => {
            compatible(&planned.1, &actual.1, at, findings);
        }
        (planned, actual) => {
            if planned != actual {
                findings.add(at, Rule::KeepsPlan);
            }
        }
    }
}

/// Whether each element of either set fits one of the other. Unknown values that turn out to be
/// equal fall into one element, so that the set may shrink.
fn correlate(planned: &Set, actual: &Set) -> bool {
    if planned == actual {
        return true;
    }
    let fits = |planned: &Datum, actual: &Datum| {
        let mut findings = Findings::default();
        compatible(planned, actual, &Trail::Root, &mut findings);
        findings.0.is_empty()
    };
    // What was planned as known fits itself alone, which is found without a search.
    let (known, open): (Vec<_>, Vec<_>) = planned.0.iter().partition(|it| it.is_wholly_known());
    let made: HashSet<_> = actual.0.iter().collect();
    let kept: HashSet<_> = known.iter().copied().collect();
    known.iter().all(|it| made.contains(it))
        && open.iter().all(|planned| actual.0.iter().any(|actual| fits(planned, actual)))
        && actual
            .0
            .iter()
            .all(|actual| kept.contains(actual) || open.iter().any(|planned| fits(planned, actual)))
}

impl Refinements {
    /// Whether an unknown value with these limits may become `actual`.
    fn admits(&self, actual: &Datum) -> bool {
        let null = self.null.is_none_or(|null| null == actual.is_null());
        let fits = match actual {
            Datum::String(text) => self.prefix.as_ref().is_none_or(|it| text.starts_with(it)),
            Datum::Number(number) => {
                let above = self
                    .lower
                    .as_ref()
                    .is_none_or(|it| it.value < *number || it.inclusive && it.value == *number);
                let below = self
                    .upper
                    .as_ref()
                    .is_none_or(|it| *number < it.value || it.inclusive && it.value == *number);
                above && below
            }
            Datum::Map(entries) => self.admits_length(entries.len()),
            Datum::Dynamic(inner) => self.admits(&inner.1),
            other => other.items().is_none_or(|it| self.admits_length(it.len())),
        };
        null && fits
    }

    fn admits_length(&self, length: usize) -> bool {
        let length = length as u64;
        self.min_length.is_none_or(|it| it <= length)
            && self.max_length.is_none_or(|it| length <= it)
    }
}
