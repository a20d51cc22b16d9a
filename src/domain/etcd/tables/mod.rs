//! What the planner decides, in tables. Where each promise is proven (`bugs` has planners that break one, and are caught):
//!
//! | promise | proven by |
//! |---|---|
//! | a quorum is one of all voters, healthy or not | `a_member_leaves_…`, `bugs::counting_healthy_members_…` |
//! | one change of membership at a time, once the members have settled | `bugs::two_changes_in_a_row_…` |
//! | a dead member goes before its successor comes | `a_dead_member_…`, `bugs::adding_before_…` |
//! | a learner first, one at a time, in sync before its vote; one that is of no use goes | `growth::growth_is_…`, `bugs::a_second_learner_…`, `bugs::promoting_before_…` |
//! | a lost answer is neither done nor failed | `simulate`: outcomes `Half` and `Nothing` |
//! | the lead is moved before its member leaves or restarts | `members_change_…`, `bugs::stopping_the_leader_first_…` |
//! | data is put aside only when its member is in no list | `growth::growth_is_…`, `bugs::wiping_data_…` |
//! | `new` is on a disk only until a quorum was seen; then nothing is cleaned any more | `certificates_and_records_…`, `an_unfinished_creation_…` |
//! | two incarnations never share a token or a cluster id | `an_unfinished_creation_…`, `certificates_and_records_…` |
//! | a key is a name: renamed, moved and reordered members stay | `a_key_renamed_…`, `a_member_goes_where_…` |
//! | first members are odd in number, and all looked at | `a_first_cluster_…`, `bugs::a_first_start_without_…` |
//! | intact data is never removed unasked; silence is no absence | `a_member_that_is_down_…`, `bugs::removing_a_member_…`, `bugs::taking_an_unseen_host_…` |
//! | one member away at most, the leader last | `members_change_…`, `bugs::rolling_on_…` |
//! | without a quorum members are started, and nothing else | `silence` |
//! | one minor at a time, all well, after a snapshot; never back | `an_upgrade_goes_…`, `version`, `bugs::going_on_without_…` |
//! | NOSPACE blocks changes, CORRUPT replaces its member | `a_quota_that_is_used_up_…`, `a_corrupt_member_…` |
//! | the quota is at most 8 GiB, and below the memory of each host | `desired`, `a_quota_is_below_…` |
//! | what risks the data cannot be said | `arguments`, `render` |

mod changes;
mod growth;
mod silence;

use std::net::IpAddr;

use super::notation::{fresh, look, want};
use super::*;
use crate::domain::Next;

fn text(next: &Next<Step, Refusal>) -> String {
    match next {
        Next::Done => "done".to_owned(),
        Next::Act(step) => step.to_string(),
        Next::Wait(reason) => format!("wait for {reason}"),
        Next::Refuse(refusal) => format!("refuse: {refusal}"),
    }
}

fn check(desired: &Desired, fleet: &str, expected: &str) {
    check_with(desired, fleet, |_| (), expected);
}

fn check_with(desired: &Desired, fleet: &str, edit: impl Fn(&mut Observed), expected: &str) {
    let mut observed = look(fleet);
    edit(&mut observed);
    assert_eq!(text(&next(desired, &observed)), expected, "{fleet}");
}

fn facts<'a>(observed: &'a mut Observed, name: &str) -> &'a mut Facts {
    match observed.hosts.get_mut(&name.parse::<Name>().unwrap()).unwrap() {
        Host::Seen(facts) => facts,
        Host::Unseen { .. } => panic!("{name} is unseen"),
    }
}

fn cluster(observed: &mut Observed) -> &mut Cluster {
    observed.cluster.as_mut().unwrap()
}

#[test]
fn a_first_cluster_needs_every_host_and_an_odd_number() {
    let abc = want("a b c", "3.6");
    check(&abc, "a: b: c: ", "claim a, b, c");
    check(
        &abc,
        "a: b: c",
        "refuse: c cannot be looked at, and may hold data of this cluster: make it answer, or change the map",
    );
    check(
        &want("a b", "3.6"),
        "a: b:",
        "refuse: a new cluster has 1, 3, 5 or 7 members, not 2: an even one bears no more losses than one member less",
    );
    check(&want("a", "3.6.13"), "a:", "refuse: etcd 3.6.13 has known faults: use 3.6.14 or later");
    let data = Data { cluster: ClusterId(9), member: MemberId(9) };
    check_with(
        &abc,
        "a: b: c:",
        |it| facts(it, "b").data = Some(data),
        "refuse: b holds data of an etcd cluster that is not this one: import that cluster, or clean the host",
    );
    check_with(
        &abc,
        "a: b: c:",
        |it| facts(it, "b").owner = Owner::Foreign("etcd_cluster prod (id 7)".to_owned()),
        "refuse: b belongs to etcd_cluster prod (id 7): import that cluster, or clean the host",
    );
    check_with(
        &abc,
        "a: b: c:",
        |it| facts(it, "b").owner = Owner::Newer(4),
        "refuse: the record on b has format 4: use a later provider",
    );
    check_with(
        &abc,
        "a: b: c:",
        |it| facts(it, "c").machine = MachineId("a".to_owned()),
        "refuse: a and c are the same machine: each member needs one of its own",
    );
}

#[test]
fn an_unfinished_creation_is_continued_or_cleaned() {
    let abc = want("a b c", "3.6");
    let seeds = |it: &Desired| -> std::collections::BTreeMap<Name, PeerUrl> {
        it.members.iter().map(|(name, at)| (name.clone(), it.peer_url(*at))).collect()
    };
    let half = |observed: &mut Observed, of: &Desired, token: &[&str]| {
        for (name, token) in ["a", "b", "c"].iter().zip(token) {
            let it = facts(observed, name);
            it.owner = Owner::Unfinished;
            it.token = Some(Token((*token).to_owned()));
            it.certificates = Certificates::Good;
            it.staged.insert(of.version);
            let address = [192, 0, 2, 1].into();
            it.on_disk = Some(Settings { version: of.version, address, is_current: true });
            it.seeds = Some(seeds(of));
        }
    };
    let three = "a: b: c:";
    check_with(
        &abc,
        three,
        |it| half(it, &abc, &["t", "t", "t"]),
        "start the first members a, b, c",
    );
    check_with(
        &abc,
        three,
        |it| {
            half(it, &abc, &["t", "t", "t"]);
            facts(it, "b").unit = Unit::Starting;
        },
        "start the first members a, c",
    );
    // Two tries, or other members: a token that no process has heard of.
    let cleaned = "clean what an unfinished creation left on a, b, c";
    check_with(&abc, three, |it| half(it, &abc, &["t", "t", "u"]), cleaned);
    let other = want("a b d", "3.6");
    check_with(&abc, three, |it| half(it, &other, &["t", "t", "t"]), cleaned);
    check_with(
        &abc,
        three,
        |it| {
            half(it, &abc, &["t", "t", "t"]);
            for name in ["a", "b", "c"] {
                facts(it, name).unit = Unit::Starting;
            }
        },
        "wait for the first members to find each other",
    );
    // What was once seen to have a quorum is never cleaned.
    check_with(
        &abc,
        three,
        |it| {
            half(it, &abc, &["t", "t", "u"]);
            facts(it, "a").is_formed = true;
            facts(it, "a").data = Some(Data { cluster: ClusterId(1), member: MemberId(1) });
        },
        "start etcd on a",
    );
}

#[test]
fn a_member_that_is_down_is_started_and_never_thrown_away() {
    let abc = want("a b c", "3.6");
    check(&abc, "a:3.6* b:3.6+ c:3.6+", "done");
    check(&abc, "a:3.6* b:3.6+ c:3.6-", "start etcd on c");
    check(&abc, "a:3.6* b:3.6+ c:3.6#", "restart etcd on c, where it hangs");
    check(&abc, "a:3.6* b:3.6+ c:3.6-o", "restart etcd on c with 3.6.16 and its new settings");
    check(&abc, "a:3.6* b:3.6+ c:3.6x", "done");
    check(&abc, "a:3.6* b:3.6+ c:3.6!", "done");
    check(&abc, "a:3.6* b:3.6+ c:3.60", "remove c from the cluster");
    let starting = |it: &mut Observed| facts(it, "c").unit = Unit::Starting;
    check_with(&abc, "a:3.6* b:3.6+ c:3.6-", starting, "wait for c to serve");
    check_with(&abc, "a:3.6* b:3.6+ c:3.60", starting, "wait for c to join");
    let unsettled = |it: &mut Observed| cluster(it).is_settled = false;
    let settling = "wait for the members to be connected for 5 s";
    check_with(&abc, "a:3.6* b:3.6+ c:3.60", unsettled, settling);
    // It serves, so its data is somewhere.
    let serves = |it: &mut Observed| {
        let status = cluster(it).members[1].status;
        cluster(it).members[2].status = status;
    };
    check_with(
        &abc,
        "a:3.6* b:3.6+ c:3.60",
        serves,
        "refuse: c serves, but the machine behind that key holds no data of it: look which machine answers there",
    );
}

#[test]
fn a_member_goes_where_the_others_were_told_to_look_for_it() {
    let (wished, old) = ([192, 0, 2, 1].into(), [198, 51, 100, 1].into());
    let moved = |told: IpAddr, runs: IpAddr, unit| {
        move |it: &mut Observed| {
            it.cluster = None;
            let it = facts(it, "a");
            let settings = Settings {
                version: Version::new(6, 16),
                address: runs,
                is_current: runs == wished,
            };
            (it.told, it.on_disk, it.unit) = (Some(told), Some(settings), unit);
            it.running = it.on_disk.filter(|_| unit == Unit::Running);
        }
    };
    let abc = want("a b c", "3.6");
    let check = |told, runs, unit, expected| {
        check_with(&abc, "a:3.6+ b:3.6+ c:3.6x", moved(told, runs, unit), expected);
    };
    let restart = "restart etcd on a with 3.6.16 and its new settings";
    let wait = "wait for the members to find a leader";
    check(wished, old, Unit::Running, restart);
    check(wished, old, Unit::Stopped, restart);
    check(wished, wished, Unit::Running, wait);
    // Of a new address nobody can be told now.
    check(old, old, Unit::Running, wait);
    check(old, old, Unit::Stopped, "start etcd on a");
    check(
        [203, 0, 113, 1].into(),
        old,
        Unit::Running,
        "refuse: there is no quorum, and the members look for a at 203.0.113.1: give it that address again, apply, and change it then",
    );
    check_with(
        &want("a b", "3.6"),
        "a:3.6+u b:3.6*",
        |_| (),
        "refuse: a cannot get another address while there are two members: add a third one before, or remove one",
    );
    // Before a second member comes that would not find it.
    check_with(
        &want("a b", "3.6"),
        "a:3.6* b:",
        |it| {
            let runs = Settings { version: Version::new(6, 16), address: old, is_current: false };
            facts(it, "a").running = Some(runs);
        },
        restart,
    );
}

#[test]
fn nobody_is_removed_while_a_moved_key_may_be_that_member() {
    let moved = |it: &mut Observed| {
        let was = Former { peer_url: PeerUrl::listed("x"), host: Host::Unseen { last: None } };
        it.former.insert("b".parse().unwrap(), was);
        it.done.snapshot = true;
    };
    check_with(
        &want("a b", "3.6"),
        "a:3.6* b:3.6! (c:3.6!)",
        moved,
        "refuse: b cannot be looked at, and may hold data of this cluster: make it answer, or change the map",
    );
}

#[test]
fn a_key_that_went_to_another_machine_is_replaced_after_what_is_broken() {
    let moved = |it: &mut Observed| {
        let host =
            it.hosts.insert("a".parse().unwrap(), Host::Seen(Box::new(fresh("new")))).unwrap();
        let peer_url = PeerUrl::listed("x");
        it.former.insert("a".parse().unwrap(), Former { peer_url, host });
    };
    let abc = want("a b c", "3.6");
    check_with(&abc, "a:3.6+ b:3.6* c:3.60", moved, "remove c from the cluster");
    check_with(
        &abc,
        "a:3.6+ b:3.6* c:3.6+",
        moved,
        "keep a verified snapshot of c on its host, in /var/lib/ha/etcd-prod/snapshots",
    );
}
