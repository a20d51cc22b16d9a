//! What is refused and in which order things are done, in tables.

use std::collections::BTreeSet;

use super::*;
use crate::domain::Next;
use crate::domain::etcd::Desired;
use crate::domain::etcd::notation::{look, want};
use crate::domain::etcd::observed::{Facts, Host};

fn wanted() -> Wanted {
    Wanted {
        generation: 1,
        source: "the snapshot x".to_owned(),
        is_of_survivor: false,
        discards: true,
        clients_stopped: false,
        resource: Some("7".to_owned()),
    }
}

fn observed(fleet: &str) -> Observed {
    let etcd = look(fleet);
    let seen = etcd.hosts.iter().filter(|it| it.1.seen().is_some());
    let progress = seen.map(|(name, _)| (name.clone(), Progress::default())).collect();
    let (heard, clients) = (BTreeSet::new(), Clients::default());
    Observed { etcd, progress, found: None, heard, clients }
}

/// All steps until the end, and how it ended.
fn steps(desired: &Desired, wanted: &Wanted, mut observed: Observed) -> (Vec<String>, String) {
    let mut steps = Vec::new();
    loop {
        match next(desired, wanted, &observed) {
            Next::Act(step) => {
                assert!(steps.len() < 30, "{steps:#?}");
                believe(desired, wanted, &mut observed, &step);
                steps.push(step.to_string());
            }
            Next::Done => return (steps, "done".to_owned()),
            Next::Wait(what) => return (steps, format!("waits for {what}")),
            Next::Refuse(refusal) => return (steps, refusal.to_string()),
        }
    }
}

#[test]
fn a_cluster_that_runs_goes_on_until_all_is_prepared() {
    let desired = want("a b c", "3.6");
    let fleet = "a:3.6* b:3.6+ c:3.6+";
    let (steps, end) = steps(&desired, &wanted(), observed(fleet));
    assert_eq!(
        steps,
        [
            "prove the snapshot x",
            "note on a, b, c what is restored",
            "bring the snapshot to b, c",
            "make data of the snapshot on a, b, c, beside what is there",
            "stop etcd on a, b, c",
            "put the restored data in its place on a, b, c, and keep what was there beside",
            "start etcd on a, b, c with that data",
            "note on a, b, c that generation 1 is restored",
        ]
    );
    assert_eq!(end, "done");
}

#[test]
fn hosts_that_were_rebuilt_are_outfitted_first() {
    let desired = want("a b c", "3.6");
    let (steps, end) = steps(&desired, &wanted(), observed("a: b: c:"));
    assert_eq!(
        steps[..5],
        [
            "prove the snapshot x",
            "note on a, b, c what is restored",
            "claim a, b, c",
            "make or renew the certificates of a, b, c",
            "bring etcd 3.6.16 to a, b, c",
        ]
    );
    assert_eq!(end, "done");
}

#[test]
fn what_must_not_be_restored_is_refused_before_anything_else() {
    let check = |fleet: &str, edit: &dyn Fn(&mut Wanted, &mut Observed), expected: &str| {
        let (mut wanted, mut observed) = (wanted(), observed(fleet));
        edit(&mut wanted, &mut observed);
        let (steps, end) = steps(&want("a b c", "3.6"), &wanted, observed);
        assert!(end.starts_with(expected), "{fleet}: {end}");
        assert!(steps.iter().all(|it| it.starts_with("prove ")), "{steps:?}");
    };
    let all = "a:3.6* b:3.6+ c:3.6+";
    let same = |_: &mut Wanted, _: &mut Observed| ();
    check(all, &|it, _| it.discards = false, "the cluster has a quorum");
    check("a:3.6* b c:3.6+", &same, "b cannot be reached, and every member is restored");
    check("a:3.6* b:3.6+ c:3.6+ (d)", &same, "d cannot be reached to be stopped");
    let used = |_: &mut Wanted, it: &mut Observed| {
        it.clients.unknown = BTreeSet::from(["k".to_owned()]);
    };
    check(all, &used, "API servers of k use the cluster");
    let foreign = |_: &mut Wanted, it: &mut Observed| {
        on(it, "b", |it| it.owner = crate::domain::etcd::Owner::Foreign("x".to_owned()));
    };
    check(all, &foreign, "b belongs to x");
    let of = |resource: &str, version: &str| {
        let (resource, version) = (resource.to_owned(), version.parse().ok());
        move |_: &mut Wanted, it: &mut Observed| {
            let (name, cluster) = ("s".to_owned(), "prod".to_owned());
            let (resource, origin_version) = (resource.clone(), version);
            let origin = Origin { name, cluster, resource, version: origin_version };
            let digest = String::new();
            it.found = Some(Found { digest, size: 1, revision: 1, origin: Some(origin) });
        }
    };
    check(all, &of("8", "3.6.14"), "s is of another cluster (prod, 8)");
    check(all, &of("7", "3.5.33"), "s is of etcd 3.5.33, and 3.6.16 is wished");
    check(all, &of("7", "?"), "s is of etcd an unknown version");
}

fn on(observed: &mut Observed, name: &str, edit: impl Fn(&mut Facts)) {
    let host = observed.etcd.hosts.get_mut(&name.parse().unwrap());
    if let Some(Host::Seen(facts)) = host {
        edit(facts);
    }
}

#[test]
fn what_is_given_up_on_purpose_is_no_obstacle() {
    let mut wanted = wanted();
    wanted.clients_stopped = true;
    let mut observed = observed("a:3.6* b:3.6+ c:3.6+ (d)");
    observed.clients.unknown = BTreeSet::from(["k".to_owned()]);
    let mut wish = crate::domain::etcd::notation::wish("a b c", "3.6");
    wish.lost_hosts = BTreeSet::from(["d".parse().unwrap()]);
    let (_, end) = steps(&Desired::new(wish).unwrap(), &wanted, observed);
    assert_eq!(end, "done");
}

#[test]
fn clients_are_stopped_first_and_started_last() {
    let mut observed = observed("a:3.6* b:3.6+ c:3.6+");
    observed.clients.up = BTreeSet::from(["k".to_owned()]);
    let (steps, _) = steps(&want("a b c", "3.6"), &wanted(), observed);
    let at = |step: &str| steps.iter().position(|it| it.starts_with(step)).unwrap();
    assert!(at("make data") < at("stop the API servers of k"));
    assert!(at("stop the API servers of k") < at("stop etcd"));
    assert!(at("start etcd") < at("start the API servers of k again"));
}

#[test]
fn of_a_survivor_the_newest_is_taken_once_all_have_answered() {
    let check = |fleet: &str, heard: &str, expected: &str| {
        let wanted = Wanted { is_of_survivor: true, ..wanted() };
        let mut observed = observed(fleet);
        observed.etcd.cluster = None;
        observed.heard = heard.split_whitespace().map(|it| it.parse().unwrap()).collect();
        let said = match next(&want("a b c", "3.6"), &wanted, &observed) {
            Next::Act(step) => step.to_string(),
            Next::Wait(what) => format!("waits for {what}"),
            Next::Refuse(refusal) => refusal.to_string(),
            Next::Done => "done".to_owned(),
        };
        assert_eq!(said, expected, "{fleet}");
    };
    check("a: b: c:3.6-", "", "start etcd on c");
    check("a: b: c:3.6+", "c", "prove the snapshot x");
    check("a: b:3.6+ c:3.6+", "c", "waits for b to tell how far its data goes");
    check("a: b:3.6# c:3.6+", "c", "prove the snapshot x");
    check("a: b: c:", "", "no host that answers holds data of the cluster: restore a snapshot");
}

#[test]
fn revisions_never_come_again() {
    assert_eq!(bump(1, 500, 600), BUMP + 100);
    assert_eq!(bump(1, 500, 0), BUMP);
    // A snapshot of before the last restore, when nobody remembers that any more.
    assert_eq!(bump(2, 500, 0), 2 * BUMP);
    assert_eq!(bump(2, 500, 2 * BUMP), 3 * BUMP - 500);
    assert_eq!(bump(MOST_GENERATION, 1, 0), MOST_GENERATION * BUMP);
}

#[test]
fn a_restore_is_half_done_from_the_first_switch_to_the_end() {
    let begun = |generation| Begun {
        generation,
        source: String::new(),
        token: Token(String::new()),
        digest: String::new(),
        size: 0,
        bump: 0,
        cluster: ClusterId(0),
    };
    let at = |generation, begun_with, is_switched| Progress {
        generation,
        begun: Some(begun(begun_with)),
        is_switched,
        ..Progress::default()
    };
    let none = Progress::default();
    assert_eq!(half_done([none.clone()].iter()), None);
    assert_eq!(half_done([at(0, 1, false), none.clone()].iter()), None);
    assert_eq!(half_done([at(0, 1, true), none].iter()), Some(1));
    let done = Progress { generation: 1, ..Progress::default() };
    assert_eq!(half_done([at(0, 1, true), done].iter()), None);
}

/// What is noted on one host is not taken from another.
#[test]
fn a_host_that_was_told_something_else_is_told_again() {
    let mut observed = observed("a:3.6* b:3.6+ c:3.6+");
    let names: Vec<Name> = observed.progress.keys().cloned().collect();
    let begun = |token: &str| Begun {
        generation: 1,
        source: "the snapshot x".to_owned(),
        token: Token(token.to_owned()),
        digest: "d".to_owned(),
        size: 1,
        bump: BUMP,
        cluster: ClusterId(9),
    };
    let set = |observed: &mut Observed, at: usize, token: &str, has_file| {
        let progress = Progress { begun: Some(begun(token)), has_file, ..Progress::default() };
        observed.progress.insert(names[at].clone(), progress);
    };
    let planned = |observed: &Observed| next(&want("a b c", "3.6"), &wanted(), observed);
    set(&mut observed, 0, "1", false);
    set(&mut observed, 1, "1", false);
    // Nobody has it: it is found once more.
    assert!(matches!(planned(&observed), Next::Act(Step::Find { .. })));
    set(&mut observed, 1, "1", true);
    let like = Some(begun("1"));
    let expected = Step::Begin { hosts: vec![names[2].clone()], like: like.clone() };
    assert_eq!(planned(&observed), Next::Act(expected));
    set(&mut observed, 2, "2", false);
    let expected = Step::Begin { hosts: vec![names[2].clone()], like };
    assert_eq!(planned(&observed), Next::Act(expected));
}
