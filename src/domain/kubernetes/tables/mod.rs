//! What the planner decides, in tables.

mod changes;
mod recovery;

use super::notation::{look, want};
use super::*;
use crate::domain::Next;
use crate::domain::host::{MachineId, Owner};
use crate::domain::name::{Name, OnDestroy};

fn text(next: &Next<Step, Refusal>) -> String {
    match next {
        Next::Done => "done".to_owned(),
        Next::Act(step) => step.to_string(),
        Next::Wait(reason) => format!("wait for {reason}"),
        Next::Refuse(refusal) => format!("refuse: {refusal}"),
    }
}

/// All steps until none follows, each as if it had done what it is for.
fn steps(desired: &Desired, observed: &mut Observed) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..20 {
        let Next::Act(step) = next(desired, observed) else { break };
        believe(desired, observed, &step);
        texts.push(step.to_string());
    }
    texts
}

fn check(desired: &Desired, nodes: &str, expected: &str) {
    check_with(desired, nodes, |_| (), expected);
}

fn check_with(desired: &Desired, nodes: &str, edit: impl Fn(&mut Observed), expected: &str) {
    let mut observed = look(nodes);
    edit(&mut observed);
    assert_eq!(text(&next(desired, &observed)), expected, "{nodes}");
}

fn facts<'a>(observed: &'a mut Observed, name: &str) -> &'a mut Facts {
    let name: Name = name.parse().unwrap();
    let node = observed.nodes.get_mut(&name).or(observed.former.get_mut(&name)).unwrap();
    match node {
        Node::Seen(facts) => facts,
        Node::Unseen { .. } => panic!("{name} is unseen"),
    }
}

const UNSEEN: &str = "cannot be looked at, and may hold keys of this control plane: make it answer, or change the map";

#[test]
fn a_first_start_needs_every_host_and_nobodys_data() {
    let abc = want("a b c", "1.34");
    check(&abc, "a: b: c:", "claim a, b, c");
    check(&abc, "a: b: c", &format!("refuse: c {UNSEEN}"));
    check_with(
        &abc,
        "a: b: c:",
        |it| it.data = Data::Present,
        "refuse: etcd holds objects below /registry that no host of this control plane has begun to write: choose another etcd_prefix, import that control plane, or delete them with etcdctl",
    );
    check_with(
        &abc,
        "a: b: c:",
        |it| it.data = Data::Unknown,
        "wait for etcd to tell what lies below /registry",
    );
    check_with(
        &abc,
        "a: b: c:",
        |it| facts(it, "b").owner = Owner::Foreign("control_plane prod (id 7)".to_owned()),
        "refuse: b belongs to control_plane prod (id 7): import that control plane, or clean the host",
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
        "refuse: a and c are the same machine: each node needs one of its own",
    );
}

#[test]
fn a_first_start_goes_from_keys_to_the_record() {
    let ab = want("a b", "1.34");
    let mut observed = look("a: b:");
    let texts = steps(&ab, &mut observed);
    let expected = [
        "claim a, b",
        "make or renew the keys and certificates of a, b",
        "bring Kubernetes 1.34.4 to a, b",
        "prepare a, b for Kubernetes 1.34.4",
        "start the first API servers on a, b",
        "bind the group of the administrators, through a",
        "start kube-controller-manager, kube-scheduler on a, b",
        "record on a, b what was applied",
    ];
    assert_eq!(texts, expected);
    assert_eq!(text(&next(&ab, &observed)), "done");
}

#[test]
fn an_unfinished_creation_is_continued() {
    let ab = want("a b", "1.34");
    // What was begun by us may have written what lies in etcd.
    let both = "a:1.34+u b:1.34+u";
    let bind = "bind the group of the administrators, through a";
    check_with(&ab, both, |it| it.data = Data::Present, bind);
    let admins = |it: &mut Observed| it.has_admins = Some(true);
    check_with(&ab, both, admins, "wait for a kube-controller-manager to lead");
    check_with(&ab, "a:1.34*u b:1.34+u", admins, "record on a, b what was applied");
    check(&ab, "a:1.34+u b:1.34#u", "restart kube-apiserver on b, where it hangs");
    check(&ab, "a:1.34+u b:1.34su", "wait for the API server on b to be ready");
    check(&ab, "a:1.34+u b:1.34-u", "start the first API servers on b");
    check(&ab, "a:1.34+u b:", "claim b");
    // Started by an earlier try, with what is not wished any more: one that serves waits until the others do.
    let on_a = "restart kube-apiserver, kube-controller-manager, kube-scheduler on a with 1.34.4 and new settings";
    let wait = "wait for the API server on b to be ready";
    for (nodes, expected) in
        [("a:1.34u b:1.34su", wait), ("a:1.34su b:1.34u", on_a), ("a:1.34u b:1.34u", on_a)]
    {
        let runs_other = |it: &mut Observed| {
            for part in &mut facts(it, "a").parts {
                part.running = part.running.map(|it| Settings { is_current: false, ..it });
            }
        };
        check_with(&ab, nodes, runs_other, expected);
    }
    // Keys of two tries, with which nothing was started.
    let strays = |it: &mut Observed| {
        for (name, key) in [("a", "k"), ("b", "l")] {
            facts(it, name).is_begun = false;
            facts(it, name).keys = Some(KeysId(key.to_owned()));
        }
    };
    check_with(&ab, both, strays, "clean what an unfinished creation left on b");
    // Whose address was taken out of the map meanwhile.
    let left = "a:1.34*u b:1.34+u (c:1.34+u)";
    let retire = "stop the control plane on c for good and wipe its keys there";
    check_with(&ab, left, admins, retire);
}

#[test]
fn nothing_goes_on_without_the_keys() {
    let abc = want("a b c", "1.34");
    check(&abc, "a:1.34x b:1.34x c:1.34x", &format!("refuse: a, b, c {UNSEEN}"));
    check(&abc, "a: b:1.34x c:", &format!("refuse: b {UNSEEN}"));
    let lost = "refuse: no host holds the keys of this control plane any more: set recover_from to its recovery bundle, or restore /etc/kubernetes-<name> of one host from a copy";
    check_with(&abc, "a: b: c:", |it| it.is_known = true, lost);
    let other = |it: &mut Observed| facts(it, "c").keys = Some(KeysId("l".to_owned()));
    let differ = "refuse: a and c were started with different keys: clean the one that does not belong to this control plane";
    check_with(&abc, "a:1.34* b:1.34+ c:1.34+", other, differ);
    let nothing = "refuse: no present node is in the map: keep one, apply, and remove it then";
    check(&want("d e", "1.34"), "(a:1.34*) d: e:", nothing);
}

#[test]
fn nodes_that_do_not_serve_come_first() {
    let abc = want("a b c", "1.34");
    check(&abc, "a:1.34* b:1.34+ c:1.34+", "done");
    check(&abc, "a:1.34* b:1.34- c:1.34-", "start kube-apiserver on b, c");
    check(&abc, "a:1.34* b:1.34+ c:1.34#", "restart kube-apiserver on c, where it hangs");
    check(&abc, "a:1.34* b:1.34+ c:1.34s", "wait for the kube-apiserver on c to serve");
    check(&abc, "a:1.34* b:1.34+ c:1.34-k", "start kube-controller-manager on c");
    let hangs = "restart kube-controller-manager on c, where it hangs";
    check(&abc, "a:1.34* b:1.34+ c:1.34#k", hangs);
    check(&abc, "a:1.34* b:1.34+ c:1.34x", "done");
    // What is wished may be the remedy; a later minor is none.
    let settings = "restart kube-apiserver on c with 1.34.4 and new settings";
    check(&abc, "a:1.34* b:1.34+ c:1.34-o", settings);
    let patch = |it: &mut Observed| facts(it, "c").staged.extend([Version::new(34, 4)]);
    check_with(&abc, "a:1.34* b:1.34+ c:1.34.3#", patch, settings);
    check(&abc, "a:1.34* b:1.34+ c:1.34.3#", "bring Kubernetes 1.34.4 to c");
    let later = want("a b c", "1.35");
    check(&later, "a:1.34* b:1.34+ c:1.34-", "start kube-apiserver on c");
    let renewed = "make or renew the keys and certificates of b";
    check(&abc, "a:1.34* b:1.34#i c:1.34-", renewed);
    // A record without a unit.
    let gone = |it: &mut Observed| facts(it, "c").parts = [Part::ABSENT; 3];
    check_with(&abc, "a:1.34* b:1.34+ c:1.34+", gone, settings);
}

#[test]
fn a_destroy_waits_for_every_host_that_is_not_lost() {
    let mut wish = notation::wish("a b", "1.34");
    let check = |wish: &Wish, nodes: &str, expected: &str| {
        let desired = Desired::new(wish.clone()).unwrap();
        assert_eq!(text(&leave(&desired, &look(nodes))), expected, "{nodes}");
    };
    let keep = "stop the control plane on a, b, c for good and move its keys aside";
    check(&wish, "a:1.34* b:1.34+ (c:1.34+)", keep);
    check(&wish, "a: b:", "done");
    check(
        &wish,
        "a:1.34* b:1.34x",
        "refuse: b cannot be reached to be cleaned: make it answer, or put it into lost_hosts",
    );
    wish.lost_hosts = ["b".parse().unwrap()].into();
    wish.on_destroy = OnDestroy::Purge;
    let purge = "stop the control plane on a for good and delete its keys";
    check(&wish, "a:1.34* b:1.34x", purge);
    wish.is_protected = true;
    let protected =
        "refuse: deletion_protection is on: set it to false and apply before destroying";
    check(&wish, "a:1.34*", protected);
}

#[test]
fn warnings_are_for_people() {
    let check = |names: &str, nodes: &str, expected: &[&str]| {
        let mut wish = notation::wish(names, "1.34");
        wish.recipients.insert(notation::recipient());
        let found = warnings(&Desired::new(wish).unwrap(), &look(nodes));
        let texts: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), expected.len(), "{texts:?}");
        for (text, begin) in texts.iter().zip(expected) {
            assert!(text.starts_with(begin), "{text}");
        }
    };
    check("a", "a:1.34*", &[]);
    check("a", "a:1.34*o", &["a is the only node, so the API is away"]);
    check(
        "a b",
        "a:1.34* b:1.34x (c)",
        &["b does not answer and is left", "c does not answer: its"],
    );
    let mut wish = notation::wish("a", "1.34");
    wish.anonymous_paths.clear();
    let closed = Desired::new(wish).unwrap();
    let both = [Warning::NoReadyz, Warning::NoRecipients];
    assert_eq!(warnings(&closed, &look("a:1.34*")), both);
}
