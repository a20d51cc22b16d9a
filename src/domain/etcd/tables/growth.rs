//! Tables of fleets that grow and shrink.

use super::super::notation::want;
use super::super::*;
use super::{check, check_with, cluster};

#[test]
fn growth_is_a_learner_first_one_at_a_time() {
    let five = want("a b c d e", "3.6");
    let three = "a:3.6* b:3.6+ c:3.6+";
    check(&five, &format!("{three} d: e:"), "claim d, e");
    check(&five, &format!("{three} d:3.6~ e:"), "start the learner d");
    check(&five, &format!("{three} d:3.6? e:"), "give d a vote");
    check_with(
        &five,
        &format!("{three} d:3.6? e:"),
        |it| cluster(it).members[3].status.as_mut().unwrap().raft_index = 89,
        "wait for d to catch up",
    );
    check(
        &five,
        &format!("{three} d: e"),
        "refuse: e cannot be looked at, and may hold data of this cluster: make it answer, or change the map",
    );
    check(
        &five,
        &format!("{three} d:3.6d e:"),
        "stop what is left on d of a former member and move its data aside",
    );
    check(
        &want("a b c d", "3.6"),
        "a:3.6* b:3.6+ c:3.6x d:",
        "refuse: c does not serve, and members are not changed meanwhile: mend it, or take it out of the map",
    );
    check_with(
        &five,
        &format!("{three} d: e:"),
        |it| assert!(cluster(it).alarms.insert((MemberId(1), Alarm::NoSpace))),
        "refuse: the quota is used up (NOSPACE): compact, defragment each member, and disarm the alarm, in this order",
    );
    // Looked at before its data was made, and asked after it had told its name.
    let started = |unit: Unit| {
        move |it: &mut Observed| {
            cluster(it).members[3].name = "d".to_owned();
            let d = it.hosts.get_mut(&"d".parse().unwrap());
            let Some(Host::Seen(facts)) = d else { panic!() };
            facts.unit = unit;
        }
    };
    let joining = format!("{three} d:3.6~ e:");
    check_with(&five, &joining, started(Unit::Starting), "wait for d to join");
    check_with(&five, &joining, started(Unit::Stuck), "drop the learner d");
    check_with(&five, &joining, started(Unit::Stopped), "drop the learner d");
    // One that has its data, and does not serve after it was started again, is made anew.
    let spoilt = format!("{three} d:3.6?# e:");
    let ill = |unit: Unit| {
        move |it: &mut Observed| {
            cluster(it).members[3].status = None;
            started(unit)(it);
        }
    };
    let again = |unit: Unit| {
        move |it: &mut Observed| {
            ill(unit)(it);
            it.done.started.insert("d".parse().unwrap());
        }
    };
    check_with(&five, &spoilt, ill(Unit::Stuck), "restart etcd on d, where it hangs");
    check_with(&five, &spoilt, ill(Unit::Stopped), "start etcd on d");
    check_with(&five, &spoilt, again(Unit::Starting), "wait for d to serve");
    let anew = "drop the learner d, which does not serve, and move its data aside";
    check_with(&five, &spoilt, again(Unit::Stuck), anew);
    check_with(&five, &spoilt, again(Unit::Stopped), anew);
    // A learner that nobody waits for goes before anything else.
    check(&want("a b c", "3.6"), &format!("{three} (d:3.6?)"), "drop the learner d");
    check(&five, &format!("{three} d:3.6~ e:3.6~"), "drop the learner member 5");
}

#[test]
fn a_dead_member_is_removed_before_its_successor_joins() {
    let abd = want("a b d", "3.6");
    check(&abd, "a:3.6* b:3.6+ (c:3.6x) d:", "remove c from the cluster");
    check(&abd, "a:3.6* b:3.6+ (c:3.6+) d:", "claim d");
    check(
        &abd,
        "a:3.6* b:3.6+ (c:3.6x) d",
        "refuse: d cannot be looked at, and may hold data of this cluster: make it answer, or change the map",
    );
    check(
        &want("d e f", "3.6"),
        "(a:3.6*) (b:3.6+) (c:3.6+) d: e: f:",
        "refuse: no member of the present cluster is in the map: keep one, apply, and remove it then",
    );
}

#[test]
fn a_member_leaves_after_a_snapshot_and_without_the_lead() {
    let ab = want("a b", "3.6");
    check(
        &ab,
        "a:3.6+ b:3.6+ (c:3.6*)",
        "keep a verified snapshot of a on its host, in /var/lib/ha/etcd-prod/snapshots",
    );
    let snapshot = |it: &mut Observed| it.done.snapshot = true;
    check_with(&ab, "a:3.6+ b:3.6+ (c:3.6*)", snapshot, "move the lead from c to a");
    check_with(&ab, "a:3.6* b:3.6+ (c:3.6+)", snapshot, "remove c from the cluster");
    check_with(&ab, "a:3.6* b:3.6+ (c:3.6!)", snapshot, "remove c from the cluster");
    check(&ab, "a:3.6* b:3.6+ (c:3.6d)", "stop etcd on c for good and move its data aside");
    check(&ab, "a:3.6* b:3.6+ (c)", "done");
    let stranger = |it: &mut Observed| it.former.clear();
    check_with(
        &ab,
        "a:3.6* b:3.6+ (c:3.6+)",
        stranger,
        "refuse: c is a voter that this resource has not made: add it to the map by its address, or remove it with etcdctl",
    );
    check_with(
        &want("a b c", "3.6"),
        "a:3.6* b:3.6+ c:3.6x (d:3.6+) (e:3.6x)",
        snapshot,
        "remove e from the cluster",
    );
    // Of four, two would serve: that is no quorum of three, and none of four either.
    check_with(
        &want("a b", "3.6"),
        "a:3.6* b:3.6x (c:3.6+)",
        snapshot,
        "refuse: without c, 1 of 2 voters would serve, which is no quorum: mend the others first",
    );
}
