//! Tables of clusters without a list of members, or of whose members few are heard.

use super::super::notation::want;
use super::super::*;
use super::{check, check_with, facts};

#[test]
fn without_a_list_intact_members_are_started_and_nothing_else() {
    let abc = want("a b c", "3.6");
    let lost = |it: &mut Observed| it.cluster = None;
    check_with(&abc, "a:3.6- b:3.6- c:3.6-", lost, "start etcd on a, b, c");
    check_with(&abc, "a:3.6- b:3.6- c:3.60", lost, "start etcd on a, b");
    check_with(&abc, "a:3.6i b:3.6+ c:3.6-", lost, "make or renew the certificates of a");
    check_with(&abc, "a:3.6+ b:3.6#n c:3.6-", lost, "make or renew the certificates of b");
    check_with(&abc, "a:3.6+ b:3.6# c:3.6x", lost, "restart etcd on b, where it hangs");
    check_with(&abc, "a:3.6+ b:3.6+ c:3.6x", lost, "wait for the members to find a leader");
    check_with(
        &abc,
        "a:3.6+ b:3.6x c:3.6x",
        lost,
        "refuse: 1 of 3 voters can serve, and 2 are needed: bring hosts back, or restore",
    );
    // A learner that hangs is no reason for it.
    check_with(
        &abc,
        "a:3.6+ b:3.6?# c:3.6x",
        lost,
        "refuse: 1 of 2 voters can serve, and 2 are needed: bring hosts back, or restore",
    );
    check(&abc, "a:3.6* b:3.6-i c:3.6x", "make or renew the certificates of b");
    check(
        &abc,
        "a:3.6* b:3.6x c:3.6x",
        "refuse: 1 of 3 voters can serve, and 2 are needed: bring hosts back, or restore",
    );
}

/// What nobody remembers is not counted: "0 of 0 voters" would tell nothing.
#[test]
fn without_anybody_who_remembers_the_voters_hosts_are_asked_for() {
    let forgotten = |it: &mut Observed| {
        it.cluster = None;
        it.last_voters.clear();
    };
    let abc = want("a b c", "3.6");
    check_with(
        &abc,
        "a:3.6x b:3.6x c:3.6x",
        forgotten,
        "refuse: none of a, b, c answers: bring their machines back, or correct the way to them in `host`",
    );
    check_with(
        &abc,
        "a: b:3.6x c:3.6x",
        forgotten,
        "refuse: b, c cannot be looked at, and may hold data of this cluster: make it answer, or change the map",
    );
    check_with(
        &want("a b", "3.6"),
        "a: b: (c:3.6x)",
        forgotten,
        "refuse: c cannot be looked at, and may hold data of this cluster: make it answer, or change the map",
    );
    check_with(
        &want("a", "3.6"),
        "a: (a:3.6x)",
        forgotten,
        "refuse: no host that answers holds data of the cluster, and the former one of a does not answer: bring it back, or set `host` back",
    );
    check_with(
        &abc,
        "a: b: c:",
        |it| it.known = Some(ClusterId(1)),
        "refuse: every host answers, and none holds data of the cluster any more: bring back the disk of one, or restore a snapshot",
    );
}

/// Three members had just been started on a busy machine, and only one answered in time; the list came from there.
#[test]
fn with_a_list_members_that_were_not_heard_are_waited_for() {
    let abc = want("a b c", "3.6");
    let starting = |it: &mut Observed| {
        for name in ["b", "c"] {
            facts(it, name).unit = Unit::Starting;
        }
    };
    check_with(&abc, "a:3.6* b:3.6- c:3.6-", starting, "wait for b to serve");
    check(&abc, "a:3.6* b:3.6- c:3.6x", "start etcd on b");
}
