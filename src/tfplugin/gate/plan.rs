//! The rules of a plan (`AssertPlanValid` in Terraform's `internal/plans/objchange`).

use super::{Breach, Findings, Rule, stored_breaks};
use crate::tfplugin::model::Trail;
use crate::tfplugin::path::{Path, Step};
use crate::tfplugin::schema::{Attribute, Nesting, Presence};
use crate::tfplugin::value::{Datum, Set};

/// What Terraform would refuse in a planned object. All three have the type of the schema.
pub(crate) fn plan_breaks(
    attributes: &[Attribute],
    config: &Datum,
    prior: &Datum,
    planned: &Datum,
) -> Vec<Breach> {
    let mut findings = Findings::default();
    if config.is_null() != planned.is_null() {
        findings.add(&Trail::Root, Rule::PlanFollowsConfig);
    }
    if !planned.is_null() {
        object(attributes, config, prior, planned, &Trail::Root, &mut findings);
    }
    // Where a whole object is as configured, nobody looks at what is write-only inside it.
    let stored = stored_breaks(attributes, planned).into_iter();
    findings.0.extend(stored.filter(|it| it.rule == Rule::WriteOnly));
    findings.0
}

/// Paths that demand replacement but lead to nothing, neither before nor after.
pub(crate) fn paths_break(paths: &[Path], prior: &Datum, planned: &Datum) -> Vec<Breach> {
    let exists = |path: &Path, datum: &Datum| {
        let mut here = Some(datum);
        for step in path.steps() {
            here = match (here, step) {
                // An unknown value hides what may be inside it; there is nothing inside null.
                (Some(Datum::Unknown(_)), _) => return true,
                (Some(datum), Step::Attribute(key) | Step::Key(key)) => datum.get(key),
                // An element of a set has no address.
                (Some(Datum::List(items)), Step::Index(at)) => items.get(*at),
                (_, _) => None,
            };
        }
        here.is_some()
    };
    let is_lost = |path: &&Path| !exists(path, prior) && !exists(path, planned);
    let breach = |path: &Path| Breach { path: path.clone(), rule: Rule::ReplacePath };
    paths.iter().filter(is_lost).map(breach).collect()
}

const NULL: &Datum = &Datum::Null;

fn object(
    attributes: &[Attribute],
    config: &Datum,
    prior: &Datum,
    planned: &Datum,
    at: &Trail<'_>,
    findings: &mut Findings,
) {
    for it in attributes {
        let [config, prior, planned] =
            [config, prior, planned].map(|object| object.get(it.name).unwrap_or(NULL));
        value(it, config, prior, planned, &Trail::Attribute(at, it.name), findings);
    }
}

fn value(
    attribute: &Attribute,
    config: &Datum,
    prior: &Datum,
    planned: &Datum,
    at: &Trail<'_>,
    findings: &mut Findings,
) {
    let rules = &attribute.rules;
    if rules.write_only {
        return;
    }
    let keeps_prior = alike(planned, prior) && !prior.is_null() && !config.is_null();
    if alike(planned, config) || keeps_prior || rules.presence == Presence::Computed {
        return;
    }
    if config.is_null() {
        if !rules.is_computed() {
            findings.add(at, Rule::PlannedValue);
        }
        return;
    }
    let Some((nesting, nested)) = attribute.nested() else {
        findings.add(at, Rule::PlannedValue);
        return;
    };
    if planned.is_null() {
        findings.add(at, Rule::PlanFollowsConfig);
    } else if planned.is_unknown() {
        findings.add(at, Rule::PlannedUnknown);
    } else {
        elements(nesting, nested, [config, prior, planned], at, findings);
    }
}

/// The objects of a nested attribute; config, prior and planned, of which planned is known.
fn elements(
    nesting: Nesting,
    attributes: &[Attribute],
    [config, prior, planned]: [&Datum; 3],
    at: &Trail<'_>,
    findings: &mut Findings,
) {
    match (nesting, config, planned) {
        (Nesting::Single, _, _) => object(attributes, config, prior, planned, at, findings),
        (Nesting::List, Datum::List(config), Datum::List(planned))
            if config.len() == planned.len() =>
        {
            let prior = prior.items().unwrap_or_default();
            for (index, (config, planned)) in config.iter().zip(planned).enumerate() {
                let at = Trail::Index(at, index);
                let prior = prior.get(index).unwrap_or(NULL);
                object(attributes, config, prior, planned, &at, findings);
            }
        }
        (Nesting::Map, Datum::Map(config), Datum::Map(planned))
            if config.keys().eq(planned.keys()) =>
        {
            for (key, planned) in planned {
                let at = Trail::Key(at, key);
                let [config, prior] =
                    [config.get(key), prior.get(key)].map(|it| it.unwrap_or(NULL));
                object(attributes, config, prior, planned, &at, findings);
            }
        }
        // Elements of a set cannot be told apart, but counted.
        (Nesting::Set, Datum::Set(config), Datum::Set(planned)) if may_count(config, planned) => {}
        _ => findings.add(at, Rule::PlannedElements),
    }
}

/// Whether a planned set may have as many elements as the configured one. Elements that are not
/// known may turn out to be equal and fall into one.
fn may_count(Set(config): &Set, Set(planned): &Set) -> bool {
    if !config.iter().all(Datum::is_wholly_known) {
        return true;
    }
    if planned.iter().all(Datum::is_wholly_known) {
        config.len() == planned.len()
    } else {
        (1..=planned.len()).contains(&config.len())
    }
}

/// Equality that does not look at the refinements of unknown values, as Terraform's here.
fn alike(a: &Datum, b: &Datum) -> bool {
    match (a, b) {
        (Datum::Unknown(_), Datum::Unknown(_)) => true,
        (Datum::List(a), Datum::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Datum::Map(a), Datum::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && alike(a.1, b.1))
        }
        (Datum::Dynamic(a), Datum::Dynamic(b)) => a.0 == b.0 && alike(&a.1, &b.1),
        _ => a == b,
    }
}
