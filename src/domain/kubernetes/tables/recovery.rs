//! The recovery bundle, and the way back with one.

use super::*;

fn kept(observed: &mut Observed, name: &str, text: &str) {
    facts(observed, name).bundle = KeptBundle::Current(text.to_owned());
}

fn without_keys(observed: &mut Observed, name: &str) {
    facts(observed, name).keys = None;
}

fn sealed(names: &str) -> Desired {
    let mut wish = notation::wish(names, "1.34");
    wish.recipients.insert(notation::recipient());
    Desired::new(wish).unwrap()
}

#[test]
fn every_node_keeps_the_same_bundle() {
    let (abc, three) = (sealed("a b c"), "a:1.34* b:1.34+ c:1.34+");
    let fresh = "seal the keys in a recovery bundle, and keep it on a, b, c";
    check(&abc, three, fresh);
    let one = |it: &mut Observed| kept(it, "b", "1");
    check_with(&abc, three, one, "keep the recovery bundle of b on a, c too");
    let other = |it: &mut Observed| {
        kept(it, "a", "1");
        kept(it, "b", "2");
        facts(it, "c").bundle = KeptBundle::Stale;
    };
    check_with(&abc, three, other, "keep the recovery bundle of a on b, c too");
    let all = |it: &mut Observed| {
        for name in ["a", "b", "c"] {
            kept(it, name, "1");
        }
    };
    check_with(&abc, three, all, "done");
    // Who does not answer gets it later, and a node that is about to restart does that first.
    check_with(
        &abc,
        "a:1.34* b:1.34+ c:1.34x",
        |it| kept(it, "a", "1"),
        "keep the recovery bundle of a on b too",
    );
    check(&abc, "a:1.34* b:1.34- c:1.34+", "start kube-apiserver on b");
    let remove = "remove the recovery bundle from b";
    check_with(&want("a b c", "1.34"), three, one, remove);
}

#[test]
fn nodes_without_any_keys_are_set_up_anew_with_those_of_a_bundle() {
    let (abc, three) = (want("a b c", "1.34"), "a:1.34* b:1.34- c:1.34+");
    let bundle = |it: &mut Observed| it.recovery = Some(KeysId("k".to_owned()));
    let lost = |it: &mut Observed| {
        bundle(it);
        for name in ["a", "b", "c"] {
            without_keys(it, name);
        }
    };
    let reset = "stop what is left of the control plane on a, b, c and move it aside";
    check_with(&abc, three, lost, reset);
    // What one has, nobody needs to recover.
    let one = |it: &mut Observed| {
        lost(it);
        facts(it, "b").keys = Some(KeysId("k".to_owned()));
    };
    check_with(&abc, three, one, "start kube-apiserver on b");
    // All were built anew.
    let known = |it: &mut Observed| {
        bundle(it);
        (it.is_known, it.data) = (true, Data::Present);
    };
    check_with(&abc, "a: b: c:", known, "claim a, b, c");
    check_with(
        &abc,
        "a:1.34* b: c:",
        |it| {
            known(it);
            without_keys(it, "a");
        },
        "stop what is left of the control plane on a and move it aside",
    );
    // A former one has lost them too.
    let former = |it: &mut Observed| {
        known(it);
        without_keys(it, "d");
        for name in ["a", "b"] {
            facts(it, name).owner = Owner::Unfinished;
        }
    };
    let bring = "bring the keys of the recovery bundle to a, b";
    check_with(&want("a b", "1.34"), "a: b: (d:1.34+)", former, bring);
    // Who does not answer may have them.
    check_with(&abc, "a: b: c:1.34x", known, &format!("refuse: c {UNSEEN}"));
    let silent = "refuse: d cannot be looked at, and may hold keys of this control plane still: make it answer, or put it into lost_hosts";
    check_with(&abc, "a: b: c: (d)", known, silent);
    let mut wish = notation::wish("a b c", "1.34");
    wish.lost_hosts.insert("d".parse().unwrap());
    check_with(&Desired::new(wish).unwrap(), "a: b: c: (d)", known, "claim a, b, c");
}

#[test]
fn a_recovery_goes_from_claims_to_the_bundle_and_the_record() {
    let ab = sealed("a b");
    let mut observed = look("a:1.34* b:1.34+");
    observed.recovery = Some(KeysId("k".to_owned()));
    observed.data = Data::Present;
    for name in ["a", "b"] {
        without_keys(&mut observed, name);
    }
    let texts = steps(&ab, &mut observed);
    let expected = [
        "stop what is left of the control plane on a, b and move it aside",
        "claim a, b",
        "bring the keys of the recovery bundle to a, b",
        "make or renew the keys and certificates of a, b",
        "prepare a, b for Kubernetes 1.34.4",
        "start the first API servers on a, b",
        "start kube-controller-manager, kube-scheduler on a, b",
        "seal the keys in a recovery bundle, and keep it on a, b",
        "record on a, b what was applied",
    ];
    assert_eq!(texts, expected);
    assert_eq!(text(&next(&ab, &observed)), "done");
    assert_eq!(facts(&mut observed, "b").keys, Some(KeysId("k".to_owned())));
}

#[test]
fn a_creation_takes_the_keys_of_a_bundle_and_discards_others_of_its_own() {
    let ab = want("a b", "1.34");
    let bundle = |it: &mut Observed| {
        it.recovery = Some(KeysId("of the bundle".to_owned()));
        it.data = Data::Present;
    };
    check_with(&ab, "a: b:", bundle, "claim a, b");
    // Of a try without the bundle, which has started nothing.
    let strays = |it: &mut Observed| {
        bundle(it);
        facts(it, "a").is_begun = false;
    };
    check_with(&ab, "a:1.34-u b:", strays, "clean what an unfinished creation left on a");
    // What was started has written with its own.
    let bind = "bind the group of the administrators, through a";
    check_with(&ab, "a:1.34+u b:1.34+u", bundle, bind);
}
