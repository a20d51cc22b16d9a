//! Tables of members that change, and of the end.

use super::super::notation::{look, want};
use super::super::*;
use super::{check, check_with, cluster, facts, text};

#[test]
fn members_change_one_by_one_and_the_leader_last() {
    let abc = want("a b c", "3.6");
    let with = |name: &str| format!("restart etcd on {name} with 3.6.16 and its new settings");
    check(&abc, "a:3.6*o b:3.6+o c:3.6+o", &with("b"));
    check(&abc, "a:3.6*o b:3.6+ c:3.6+o", &with("c"));
    check(&abc, "a:3.6*o b:3.6+ c:3.6+", "move the lead from a to b");
    check(&abc, "a:3.6+o b:3.6* c:3.6+", &with("a"));
    check(&abc, "a:3.6*e b:3.6+ c:3.6+", "write the files of etcd on a anew");
    check(
        &abc,
        "a:3.6*o b:3.6+o c:3.6x",
        "refuse: without b, 1 of 3 voters would serve, which is no quorum: mend the others first",
    );
    check(&want("a", "3.6"), "a:3.6*o", &with("a"));
    check(&want("a b", "3.6"), "a:3.6* b:3.6+o", &with("b"));
    check(
        &abc,
        "a:3.6* b:3.6+ c:3.6xo",
        "refuse: c cannot be reached to be changed: make it answer, or take it out of the map",
    );
    check(&abc, "a:3.6*u b:3.6+ c:3.6+", "move the lead from a to b");
    check(
        &abc,
        "a:3.6+u b:3.6* c:3.6+",
        "tell the members that a will be at https://192.0.2.1:2380",
    );
    check(&abc, "a:3.6+un b:3.6* c:3.6+", "make or renew the certificates of a");
    // Two that swap their addresses would have the same one in between.
    check_with(
        &abc,
        "a:3.6+ b:3.6* c:3.6+",
        |it| {
            let members = &mut cluster(it).members;
            let (a, b) = (members[0].peer_urls.clone(), members[2].peer_urls.clone());
            (members[0].peer_urls, members[2].peer_urls) = (b, a);
        },
        "refuse: the address of a is still that of c: give one of them another address in between",
    );
}

#[test]
fn a_key_renamed_over_its_machine_is_a_rename() {
    let abd = want("a b d", "3.6");
    let renamed = |observed: &mut Observed| {
        let c = observed.former[&"c".parse().unwrap()].host.clone();
        let url = abd.peer_url(abd.members[&"d".parse().unwrap()]);
        observed.hosts.insert("d".parse().unwrap(), c);
        let it = facts(observed, "d");
        it.running = Some(Settings { is_current: false, ..it.running.unwrap() });
        it.on_disk = it.running;
        cluster(observed).members[2].peer_urls = vec![url];
    };
    check_with(
        &abd,
        "a:3.6* b:3.6+ (c:3.6+) d:",
        renamed,
        "restart etcd on d with 3.6.16 and its new settings",
    );
}

#[test]
fn an_upgrade_goes_one_minor_after_a_snapshot_and_with_all_members_well() {
    let abc = want("a b c", "3.6");
    check(&abc, "a:3.5* b:3.5+ c:3.5+", "bring etcd 3.6.16 to a, b, c");
    let staged = |it: &mut Observed| {
        for name in ["a", "b", "c"] {
            facts(it, name).staged.insert(Version::new(6, 16));
        }
    };
    check_with(
        &abc,
        "a:3.5* b:3.5+ c:3.5+",
        staged,
        "keep a verified snapshot of c on its host, in /var/lib/ha/etcd-prod/snapshots",
    );
    let ready = |it: &mut Observed| {
        staged(it);
        it.done.snapshot = true;
    };
    let with = |name: &str| format!("restart etcd on {name} with 3.6.16 and its new settings");
    check_with(&abc, "a:3.5* b:3.5+ c:3.5+", ready, &with("b"));
    check_with(&abc, "a:3.5* b:3.6+ c:3.5+", ready, &with("c"));
    // What 3.5 wrote into the log, 3.7 could not read.
    let new = |it: &mut Observed| {
        for name in ["a", "b", "c"] {
            facts(it, name).staged.insert(Version::new(7, 1));
        }
        it.done.snapshot = true;
    };
    let (to, old) = (want("a b c", "3.7"), "a:3.6* b:3.6+ c:3.6+");
    let cut = |names: &str| {
        format!("let {names} write down where they are, for etcd 3.7.1 cannot read the logs of 3.5")
    };
    check_with(&to, old, new, &cut("a, b, c"));
    check_with(&to, "a:3.6* b:3.7+ c:3.6+", new, &cut("a, c"));
    let cut = |it: &mut Observed| {
        new(it);
        it.done.cut_logs = true;
    };
    check_with(&to, old, cut, "restart etcd on b with 3.7.1 and its new settings");
    // A patch needs neither.
    check(&abc, "a:3.6.15* b:3.6.15+ c:3.6.15+", "bring etcd 3.6.16 to a, b, c");
    check_with(&abc, "a:3.6.15* b:3.6.15+ c:3.6.15+", staged, &with("b"));
    check(
        &abc,
        "a:3.5* b:3.5+ c:3.5x",
        "refuse: c does not serve, and members are not changed meanwhile: mend it, or take it out of the map",
    );
    check(
        &want("a b c", "3.7"),
        "a:3.5* b:3.5+ c:3.5+",
        "refuse: etcd 3.5.35 runs: go to 3.6 before 3.7.1",
    );
    // A newcomer runs what the others run, until the upgrade has begun.
    let abcd = want("a b c d", "3.6");
    let claimed = |it: &mut Observed| {
        let it = facts(it, "d");
        (it.owner, it.certificates) = (Owner::Unfinished, Certificates::Good);
    };
    check_with(&abcd, "a:3.5* b:3.5+ c:3.5+ d:", claimed, "bring etcd 3.5.35 to d");
    check_with(&abcd, "a:3.5* b:3.6+ c:3.5+ d:", claimed, "bring etcd 3.6.16 to d");
}

#[test]
fn a_corrupt_member_is_replaced_and_its_alarm_cleared() {
    let abc = want("a b c", "3.6");
    let corrupt = |id| {
        move |it: &mut Observed| assert!(cluster(it).alarms.insert((MemberId(id), Alarm::Corrupt)))
    };
    check_with(&abc, "a:3.6* b:3.6+ c:3.6+", corrupt(3), "remove c from the cluster");
    check_with(&abc, "a:3.6* b:3.6+ c:3.6+", corrupt(1), "move the lead from a to b");
    // All the others are to leave: one of them leads until a has the data again.
    check_with(
        &want("a", "3.6"),
        "a:3.6* (b:3.6+) (c:3.6+)",
        |it| {
            corrupt(1)(it);
            it.done.snapshot = true;
        },
        "move the lead from a to b",
    );
    check_with(&abc, "a:3.6* b:3.6+ c:3.6d", corrupt(3), "clear the alarm of the former member 3");
    let aside = "stop what is left on c of a former member and move its data aside";
    check(&abc, "a:3.6* b:3.6+ c:3.6d", aside);
    // Its data was lost, and systemd starts it again and again.
    let looping = |it: &mut Observed| {
        let it = facts(it, "c");
        (it.data, it.unit) = (None, Unit::Stuck);
    };
    check_with(&abc, "a:3.6* b:3.6+ c:3.6d", looping, aside);
}

/// Rows of NOSPACE, which blocks what changes members or versions, and nothing that mends.
#[test]
fn a_quota_that_is_used_up_blocks_changes_and_no_repair() {
    let full =
        |it: &mut Observed| assert!(cluster(it).alarms.insert((MemberId(1), Alarm::NoSpace)));
    let refused = "refuse: the quota is used up (NOSPACE): compact, defragment each member, and disarm the alarm, in this order";
    let abc = want("a b c", "3.6");
    check_with(&abc, "a:3.5* b:3.5+ c:3.5+", full, refused);
    check_with(&abc, "a:3.6.15* b:3.6.15+ c:3.6.15+", full, refused);
    check_with(&abc, "a:3.6* b:3.6+ c:3.60", full, refused);
    check_with(&abc, "a:3.6* b:3.6+ (c:3.6x) c:", full, refused);
    check_with(&abc, "a:3.6* b:3.6+ c:3.6-", full, "start etcd on c");
    // A larger quota is a way out.
    let with = "restart etcd on b with 3.6.16 and its new settings";
    check_with(&abc, "a:3.6*o b:3.6+o c:3.6+o", full, with);
    // A corrupt member goes before an upgrade begins.
    check_with(
        &abc,
        "a:3.5* b:3.5+ c:3.5+",
        |it| assert!(cluster(it).alarms.insert((MemberId(3), Alarm::Corrupt))),
        "remove c from the cluster",
    );
}

#[test]
fn a_quota_is_below_the_memory_of_each_host() {
    let abc = want("a b c", "3.6");
    let small =
        |name: &'static str| move |it: &mut Observed| facts(it, name).memory = Some(2 << 30);
    let refused = |name: &str| {
        format!(
            "refuse: {name} has 2147483648 bytes of memory, and a quota of 2147483648 is not below that: lower it, or give that machine more"
        )
    };
    check_with(&abc, "a: b: c:", small("b"), &refused("b"));
    check_with(&abc, "a: b: c:", |it| facts(it, "b").memory = Some((2 << 30) + 1), "claim a, b, c");
    check_with(&abc, "a:3.6* b:3.6+ c:", small("c"), &refused("c"));
    check_with(&abc, "a:3.6*o b:3.6+o c:3.6+o", small("c"), &refused("c"));
    // What runs is mended, and stays as it is.
    check_with(&abc, "a:3.6* b:3.6+ c:3.6-", small("c"), "start etcd on c");
    check_with(&abc, "a:3.6* b:3.6+ c:3.6+", small("c"), "done");
}

#[test]
fn certificates_and_records_come_last_unless_nobody_accepts_them() {
    let abc = want("a b c", "3.6");
    check(&abc, "a:3.6*c b:3.6+ c:3.6+c", "make or renew the certificates of a, c");
    check(&abc, "a:3.6*r b:3.6+ c:3.6+", "record on a what was applied");
    check(&abc, "a:3.6* b:3.6+i c:3.6-", "make or renew the certificates of b");
    // The one that does not serve may be rejected for its name; the other may wait.
    check(&abc, "a:3.6* b:3.6+n c:3.6#n", "make or renew the certificates of c");
    check(&abc, "a:3.6*c b:3.6+o c:3.6+", "restart etcd on b with 3.6.16 and its new settings");
    check_with(
        &abc,
        "a:3.6* b:3.6+ c:3.6+",
        |it| facts(it, "b").is_formed = false,
        "note on b that the cluster was formed",
    );
    check_with(
        &abc,
        "a:3.6* b:3.6+ c:3.6+",
        |it| it.known = Some(ClusterId(5)),
        "refuse: the members belong to cluster c1, and the state knows 5: nothing is changed until that is clear",
    );
}

#[test]
fn an_end_waits_for_every_host_that_is_not_lost() {
    let check = |fleet: &str, edit: fn(&mut Wish), expected: &str| {
        let mut wish = notation::wish("a b c", "3.6");
        edit(&mut wish);
        let desired = Desired::new(wish).unwrap();
        assert_eq!(text(&leave(&desired, &look(fleet))), expected, "{fleet}");
    };
    let three = "a:3.6* b:3.6+ c:3.6+";
    check(three, |_| (), "stop etcd on a, b, c for good and move its data aside");
    let purge = |it: &mut Wish| it.on_destroy = OnDestroy::Purge;
    check(three, purge, "stop etcd on a, b, c for good and delete its data");
    check(
        three,
        |it| it.is_protected = true,
        "refuse: deletion_protection is on: set it to false and apply before destroying",
    );
    check(
        "a:3.6* b:3.6+ c:3.6x",
        |_| (),
        "refuse: c cannot be reached to be cleaned: make it answer, or put it into lost_hosts",
    );
    let lost = |it: &mut Wish| assert!(it.lost_hosts.insert("c".parse().unwrap()));
    check("a:3.6* b:3.6+ c:3.6x", lost, "stop etcd on a, b for good and move its data aside");
    check("a: b: c:3.6x", lost, "done");
}

#[test]
fn warnings_say_what_nobody_refuses() {
    let check = |names: &str, fleet: &str, expected: &[&str]| {
        let found = warnings(&want(names, "3.6"), &look(fleet));
        let texts: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(texts, expected, "{fleet}");
    };
    check("a b c", "a:3.6* b:3.6+ c:3.6+", &[]);
    check(
        "a b",
        "a:3.6*o b:3.6x (c)",
        &[
            "b does not answer and is left as it is: wait for it, or take it out of the map",
            "c does not answer: its data and its copy of the cluster's keys stay on that machine",
            "2 members bear no more losses than 1",
            "with 2 of them, members cannot restart without a pause of all writes",
        ],
    );
    check(
        "a",
        "a:3.5.2* (b:3.5.2+) (c:3.5.2+)",
        &[
            "3 members become one, whose loss would be that of the cluster",
            "with 1 of them, members cannot restart without a pause of all writes",
            "etcd 3.5.2 can corrupt its data: upgrade soon",
        ],
    );
}
