//! Tests of the test: a planner with a known bug must be caught.
//!
//! A bug is made by showing the planner something else than what was seen, or by changing its answer.

use std::collections::BTreeSet;

use super::super::*;
use super::case;
use crate::domain::Next;
use crate::domain::host::{MachineId, Unit};

/// Cases until a bug must have shown.
const CASES: u64 = 4_000;

fn check(bug: super::Planner, fault: &str) {
    let faults = (0..CASES).filter_map(|seed| case(seed, bug).err());
    let mut others = BTreeSet::new();
    for found in faults {
        if found.contains(fault) {
            return;
        }
        others.insert(found);
    }
    panic!("not caught: {fault}; but {others:#?}");
}

fn seen_as(
    desired: &Desired,
    observed: &Observed,
    edit: impl FnOnce(&mut Observed),
) -> Next<Step, Refusal> {
    let mut observed = observed.clone();
    edit(&mut observed);
    next(desired, &observed)
}

fn each(observed: &mut Observed, edit: impl Fn(&mut Facts)) {
    for node in observed.nodes.values_mut() {
        if let Node::Seen(facts) = node {
            edit(facts);
        }
    }
}

#[test]
fn a_first_start_without_one_host_is_caught() {
    let bug: super::Planner = |desired, observed| {
        let other = observed.nodes.values().find_map(Node::seen).cloned();
        seen_as(desired, observed, |it| {
            let unseen = it.nodes.iter_mut().filter(|(_, it)| it.seen().is_none());
            for (name, node) in unseen {
                if let Some(other) = &other {
                    let machine = MachineId(name.to_string());
                    *node = Node::Seen(Box::new(Facts { machine, ..other.clone() }));
                }
            }
        })
    };
    check(bug, "starts for the first time while a host is unseen");
}

#[test]
fn taking_silent_hosts_for_gone_ones_is_caught() {
    let bug: super::Planner = |desired, observed| {
        seen_as(desired, observed, |it| {
            it.nodes.retain(|_, it| it.seen().is_some());
            it.former.retain(|_, it| it.seen().is_some());
            it.is_known = false;
            each(it, |it| it.owner = crate::domain::host::Owner::Unfinished);
        })
    };
    check(bug, "by: ");
}

#[test]
fn trusting_that_data_is_ours_is_caught() {
    let bug: super::Planner =
        |desired, observed| seen_as(desired, observed, |it| it.data = Data::Absent);
    check(bug, "takes foreign data over");
}

#[test]
fn rolling_on_before_a_server_is_ready_is_caught() {
    let bug: super::Planner = |desired, observed| {
        seen_as(desired, observed, |it| {
            each(it, |it| {
                for part in &mut it.parts {
                    if part.unit == Unit::Starting {
                        part.unit = Unit::Running;
                    }
                }
            });
        })
    };
    check(bug, "API server, by: restart");
}

#[test]
fn rolling_on_while_nobody_leads_is_caught() {
    let bug: super::Planner = |desired, observed| {
        seen_as(desired, observed, |it| {
            it.leaders =
                Some(Leaders { controller_manager: Leader::Other, scheduler: Leader::Other });
        })
    };
    check(bug, "while nobody leads");
}

#[test]
fn restarting_all_components_at_once_without_a_look_at_others_is_caught() {
    let bug: super::Planner = |desired, observed| {
        let version = desired.version;
        let other = observed.nodes.iter().find_map(|(name, node)| {
            let facts = node.seen().filter(|it| it.staged.contains(&version))?;
            facts.part(Component::ApiServer).runs_other(version).then(|| name.clone())
        });
        let components = Component::ALL.to_vec();
        match other {
            Some(host) => Next::Act(Step::Reconfigure { host, components, version }),
            None => next(desired, observed),
        }
    };
    check(bug, "stops a second API server");
}

#[test]
fn an_upgrade_that_starts_with_the_controllers_is_caught() {
    let bug: super::Planner = |desired, observed| match next(desired, observed) {
        Next::Act(Step::Reconfigure { host, components, version })
            if components == [Component::ApiServer] =>
        {
            let components = vec![Component::ControllerManager, Component::Scheduler];
            Next::Act(Step::Reconfigure { host, components, version })
        }
        answer => answer,
    };
    check(bug, "later than its API server");
}

#[test]
fn skipping_a_minor_is_caught() {
    let bug: super::Planner = |desired, observed| {
        let version = desired.version;
        match next(desired, observed) {
            Next::Refuse(Refusal::Version(_)) => {
                let facts = |node: &Node| node.seen().map(|it| it.staged.contains(&version));
                let mut seen =
                    observed.nodes.iter().filter_map(|(name, it)| Some((name, facts(it)?)));
                let Some((host, is_staged)) = seen.next() else { return Next::Done };
                let (host, components) = (host.clone(), vec![Component::ApiServer]);
                Next::Act(if is_staged {
                    Step::Reconfigure { host, components, version }
                } else {
                    Step::Stage { hosts: vec![host], version }
                })
            }
            answer => answer,
        }
    };
    check(bug, "two minors apart");
}

#[test]
fn wiping_a_node_for_its_key_alone_is_caught() {
    // A key that was renamed over the same machine.
    let bug: super::Planner = |desired, observed| {
        let mut former = observed.former.iter();
        let is_ours = |it: &Node| it.seen().is_some_and(|it| it.owner.is_us());
        match former.find(|(_, it)| is_ours(it)) {
            Some((host, _)) => Next::Act(Step::Retire { host: host.clone(), was_whole: true }),
            None => next(desired, observed),
        }
    };
    check(bug, "stops a node that is wanted");
}

#[test]
fn never_putting_back_is_caught() {
    let bug: super::Planner =
        |desired, observed| seen_as(desired, observed, |it| each(it, |it| it.previous = None));
    check(bug, "something could be put back");
}

#[test]
fn recovering_keys_that_a_silent_host_may_have_is_caught() {
    let bug: super::Planner = |desired, observed| {
        seen_as(desired, observed, |it| {
            for (name, node) in it.nodes.iter_mut().chain(&mut it.former) {
                if it.recovery.is_some() && node.seen().is_none() {
                    *node = Node::Seen(Box::new(super::super::notation::fresh(name.as_str())));
                }
            }
        })
    };
    check(bug, "recovers beside keys");
}
