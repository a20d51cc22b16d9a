//! Tests of the test: a planner with a known bug must be caught.
//!
//! A bug is made by showing the planner something else than what was seen, or by changing its answer.

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use super::super::*;
use super::{any_case, case};
use crate::domain::Next;

/// Cases until a bug must have shown.
const CASES: usize = 3_000;

fn check(bug: super::Planner, fault: &str) {
    let mut runner = TestRunner::deterministic();
    let mut others = std::collections::BTreeSet::new();
    for _ in 0..CASES {
        let (is_new, runs) = any_case().new_tree(&mut runner).unwrap().current();
        match case(is_new, &runs, bug) {
            Err(found) if found.contains(fault) => return,
            Err(found) => drop(others.insert(found)),
            Ok(()) => {}
        }
    }
    panic!("not caught: {fault}; but {others:#?}");
}

fn seen_as(desired: &Desired, observed: &Observed, edit: fn(&mut Facts)) -> Next<Step, Refusal> {
    let mut observed = observed.clone();
    for node in observed.nodes.values_mut().chain(observed.former.values_mut()) {
        if let Node::Seen(facts) = node {
            edit(facts);
        }
    }
    next(desired, &observed)
}

#[test]
fn going_on_before_a_node_serves_is_caught() {
    check(
        |desired, observed| {
            let mut observed = observed.clone();
            for node in observed.nodes.values_mut() {
                if let Node::Seen(facts) = node
                    && facts.on_disk == Lies::Wished
                    && let Process::Running(running) = &mut facts.proxy
                {
                    running.is_wished = true;
                }
            }
            next(desired, &observed)
        },
        "runs something else",
    );
    check(
        |desired, observed| {
            let open = observed.nodes.iter().find(|(_, it)| {
                it.seen()
                    .is_some_and(|it| it.is_ours() && it.has_programs && it.on_disk == Lies::Other)
            });
            match open {
                Some((host, _)) => Next::Act(Step::Write { host: host.clone() }),
                None => next(desired, observed),
            }
        },
        "does not serve with it yet",
    );
}

#[test]
fn not_putting_back_is_caught() {
    check(
        |desired, observed| {
            let observed = Observed { tried: [].into(), ..observed.clone() };
            next(desired, &observed)
        },
        "did not help",
    );
}

#[test]
fn trying_again_what_was_put_back_is_caught() {
    check(
        |desired, observed| next(desired, &Observed { failed: [].into(), ..observed.clone() }),
        "it never ends",
    );
}

#[test]
fn removing_a_node_before_the_address_has_moved_is_caught() {
    check(
        |desired, observed| match next(desired, observed) {
            Next::Act(Step::MoveAway { host }) => Next::Act(Step::Retire { host }),
            other => other,
        },
        "it may have the virtual IP",
    );
}

#[test]
fn a_newcomer_of_whom_nobody_was_told_is_caught() {
    check(
        |desired, observed| {
            seen_as(desired, observed, |it| {
                if let Keepalived::Running { is_current } = &mut it.keepalived {
                    *is_current = true;
                }
            })
        },
        "two have the address",
    );
}

#[test]
fn dropping_backends_with_connections_is_caught() {
    check(
        |desired, observed| {
            seen_as(desired, observed, |it| {
                if let Process::Running(running) = &mut it.proxy {
                    running.backends.values_mut().for_each(|it| it.sessions = 0);
                }
            })
        },
        "cuts connections",
    );
}

#[test]
fn forgetting_a_silent_node_that_leaves_is_caught() {
    check(
        |desired, observed| {
            let mut observed = observed.clone();
            observed.former.retain(|_, it| it.seen().is_some());
            next(desired, &observed)
        },
        "was left behind",
    );
}

#[test]
fn restarting_what_serves_is_caught() {
    check(
        |desired, observed| match next(desired, observed) {
            Next::Act(Step::Reload { host }) => Next::Act(Step::Restart { host }),
            other => other,
        },
        "it serves, and may have the virtual IP",
    );
}
