//! Tests of the test: a planner with a known bug must be caught.
//!
//! A bug is made by showing the planner something else than what was seen, or by changing its answer.

use super::super::*;
use super::case;
use crate::domain::Next;

type Answer = Next<Step, Refusal>;

/// Cases until a bug must have shown.
const CASES: u64 = 5_000;

fn check(bug: super::Planner, fault: &str) {
    let faults = (0..CASES).filter_map(|seed| case(seed, bug).err());
    let mut others = std::collections::BTreeSet::new();
    for found in faults {
        if found.contains(fault) {
            return;
        }
        others.insert(found);
    }
    panic!("not caught: {fault}; but {others:#?}");
}

fn seen_as(desired: &Desired, observed: &Observed, edit: impl FnOnce(&mut Observed)) -> Answer {
    let mut observed = observed.clone();
    edit(&mut observed);
    next(desired, &observed)
}

fn members(observed: &mut Observed) -> impl Iterator<Item = &mut Member> {
    observed.cluster.iter_mut().flat_map(|it| &mut it.members)
}

fn fake_status(observed: &Observed) -> Option<Status> {
    observed.cluster.as_ref()?.members.iter().find_map(|it| it.status)
}

#[test]
fn counting_healthy_members_instead_of_voters_is_caught() {
    check(
        |desired, observed, _| {
            seen_as(desired, observed, |it| {
                let kept: Vec<_> = it
                    .cluster
                    .iter()
                    .flat_map(|it| &it.members)
                    .filter(|it| it.is_learner || it.is_healthy())
                    .cloned()
                    .collect();
                it.cluster.iter_mut().for_each(|it| it.members.clone_from(&kept));
            })
        },
        "loses quorum",
    );
}

#[test]
fn adding_before_a_dead_member_is_removed_is_caught() {
    check(
        |desired, observed, _| {
            let status = fake_status(observed).map(|it| Status { is_leader: false, ..it });
            let leaving = observed.former.clone();
            seen_as(desired, observed, |it| {
                let is_leaving = |member: &Member| {
                    leaving.values().any(|it| member.peer_urls.contains(&it.peer_url))
                };
                members(it)
                    .filter(|it| is_leaving(it) && it.status.is_none())
                    .for_each(|it| it.status = status);
            })
        },
        "adds a member while one is down",
    );
}

#[test]
fn stopping_the_leader_first_is_caught() {
    check(
        |desired, observed, _| {
            seen_as(desired, observed, |it| {
                for member in members(it) {
                    member.status = member.status.map(|it| Status { is_leader: false, ..it });
                }
            })
        },
        "leader",
    );
}

#[test]
fn taking_an_unseen_host_for_an_empty_one_is_caught() {
    check(
        |desired, observed, _| {
            seen_as(desired, observed, |it| {
                for (name, host) in &mut it.hosts {
                    if host.seen().is_none() {
                        *host = Host::Seen(Box::new(notation::fresh(name.as_str())));
                    }
                }
            })
        },
        "removes a member with intact data",
    );
}

#[test]
fn promoting_before_a_learner_is_in_sync_is_caught() {
    check(
        |desired, observed, _| {
            let status =
                fake_status(observed).map(|it| Status { is_leader: false, raft_index: 100, ..it });
            seen_as(desired, observed, |it| {
                members(it)
                    .filter(|it| it.is_learner && it.status.is_some())
                    .for_each(|it| it.status = status);
            })
        },
        "promotes too early",
    );
}

#[test]
fn removing_a_member_for_one_silent_look_is_caught() {
    check(
        |desired, observed, _| {
            let answer = next(desired, observed);
            let Some(cluster) = observed.cluster.as_ref().filter(|it| it.is_settled) else {
                return answer;
            };
            let ill = cluster
                .members
                .iter()
                .find(|it| !it.is_learner && !it.is_healthy() && cluster.bears_removal_of(it));
            match ill {
                Some(it) => {
                    let host = it.name.parse().ok().filter(|it| desired.members.contains_key(it));
                    Next::Act(Step::RemoveMember { label: it.label(), member: it.id, host })
                }
                None => answer,
            }
        },
        "removes a member with intact data",
    );
}

#[test]
fn a_second_learner_is_caught() {
    check(
        |desired, observed, _| {
            seen_as(desired, observed, |it| {
                it.cluster.iter_mut().for_each(|it| it.members.retain(|it| !it.is_learner));
            })
        },
        "has two learners",
    );
}

#[test]
fn a_first_start_without_one_host_is_caught() {
    check(
        |desired, observed, _| {
            let is_first = observed.cluster.is_none() && observed.known.is_none();
            let other = observed.hosts.values().find_map(Host::seen).cloned();
            seen_as(desired, observed, |it| {
                let unseen = it.hosts.iter_mut().filter(|(_, it)| is_first && it.seen().is_none());
                for (name, host) in unseen {
                    if let Some(other) = &other {
                        let machine = MachineId(name.to_string());
                        *host = Host::Seen(Box::new(Facts { machine, ..other.clone() }));
                    }
                }
            })
        },
        "bootstraps while a host is unseen",
    );
}

#[test]
fn wiping_data_without_a_list_is_caught() {
    check(
        |desired, observed, _| {
            let stopped = |it: &&Name| {
                observed.hosts[*it]
                    .seen()
                    .is_some_and(|it| it.data.is_some() && it.unit == Unit::Stopped)
            };
            match observed.hosts.keys().find(stopped) {
                Some(host) => Next::Act(Step::MoveAside { host: host.clone() }),
                None => next(desired, observed),
            }
        },
        "wipes a member",
    );
}

#[test]
fn two_changes_in_a_row_are_caught() {
    check(
        |desired, observed, _| {
            seen_as(desired, observed, |it| {
                it.cluster.iter_mut().for_each(|it| it.is_settled = true);
            })
        },
        "changes twice at once",
    );
}

#[test]
fn going_on_without_a_snapshot_is_caught() {
    check(
        |desired, observed, _| seen_as(desired, observed, |it| it.done.snapshot = true),
        "without a snapshot",
    );
}

#[test]
fn going_on_with_the_old_log_is_caught() {
    check(
        |desired, observed, _| seen_as(desired, observed, |it| it.done.cut_logs = true),
        "on the log of 3.5",
    );
}

#[test]
fn starting_the_same_learner_for_ever_is_caught() {
    check(
        |desired, observed, _| seen_as(desired, observed, |it| it.done.started.clear()),
        "does not converge",
    );
}

#[test]
fn rolling_on_while_a_member_is_down_is_caught() {
    check(
        |desired, observed, _| {
            let status = fake_status(observed).map(|it| Status { is_leader: false, ..it });
            seen_as(desired, observed, |it| {
                members(it)
                    .filter(|it| !it.is_learner && it.status.is_none())
                    .for_each(|it| it.status = status);
            })
        },
        "stops a second member",
    );
}

#[test]
fn deciding_from_memory_is_caught() {
    check(
        |desired, observed, memory| {
            let before = memory.replace(observed.clone());
            next(desired, before.as_ref().unwrap_or(observed))
        },
        "by: ",
    );
}
