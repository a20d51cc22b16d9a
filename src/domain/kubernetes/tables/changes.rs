//! Nodes that come and go, new versions and settings.

use super::*;
use crate::domain::host::Unit;
use crate::domain::{Kind, Step as _};

#[test]
fn new_nodes_join_one_at_a_time() {
    let four = want("a b c d", "1.34");
    let two = "a:1.34* b:1.34+";
    check(&four, &format!("{two} c: d:"), "claim c, d");
    let ready = |it: &mut Observed| {
        for name in ["c", "d"] {
            let it = facts(it, name);
            it.is_begun = false;
            for part in &mut it.parts {
                (part.unit, part.running) = (Unit::Stopped, None);
            }
        }
    };
    let prepared = format!("{two} c:1.34+u d:1.34+u");
    check_with(&four, &prepared, ready, "start the API server of the new node c");
    let joined = |it: &mut Observed| {
        ready(it);
        facts(it, "c").is_begun = true;
        facts(it, "c").parts[0].unit = Unit::Running;
    };
    let follow = "start kube-controller-manager, kube-scheduler on c";
    check_with(&four, &prepared, joined, follow);
    check(&four, &format!("{two} c:1.34+u d:1.34+u"), "record on c, d what was applied");
    check_with(
        &four,
        &format!("{two} c:1.34- d:1.34+u"),
        |it| facts(it, "d").is_begun = false,
        "start kube-apiserver on c",
    );
    // Keys of a try that was given up.
    let stray = |it: &mut Observed| {
        ready(it);
        facts(it, "d").keys = Some(KeysId("l".to_owned()));
    };
    check_with(&four, &prepared, stray, "clean what an unfinished creation left on d");
    check(
        &four,
        &format!("{two} c:1.34+ d"),
        "refuse: d cannot be reached to be changed: make it answer, or take it out of the map",
    );
}

#[test]
fn a_newcomer_runs_what_the_others_run() {
    let abc = want("a b c", "1.35");
    let claimed = |it: &mut Observed| {
        let it = facts(it, "c");
        (it.owner, it.keys) = (Owner::Unfinished, Some(KeysId("k".to_owned())));
        it.certificates = crate::domain::host::Certificates::Good;
    };
    check_with(&abc, "a:1.34* b:1.34+ c:", claimed, "bring Kubernetes 1.34.4 to c");
    check_with(&abc, "a:1.34* b:1.35+ c:", claimed, "bring Kubernetes 1.35.4 to c");
}

#[test]
fn a_node_leaves_once_all_others_serve() {
    let ab = want("a b", "1.34");
    let retire = "stop the control plane on c for good and wipe its keys there";
    check(&ab, "a:1.34* b:1.34+ (c:1.34+)", retire);
    check(&ab, "a:1.34+ b:1.34+ (c:1.34*)", retire);
    check(&ab, "a:1.34* b:1.34- (c:1.34+)", "start kube-apiserver on b");
    check(&ab, "a:1.34+ b:1.34+ (c:1.34+)", "wait for a kube-controller-manager to lead");
    check(&ab, "a:1.34+ b:1.34+ (c:1.34-)", retire);
    check(&ab, "a:1.34* b:1.34+ (c)", "done");
    check(&ab, "a:1.34* b:1.34+ (c:)", "done");
    // It may be that machine.
    check(&ab, "a:1.34* b (c:1.34+)", &format!("refuse: b {UNSEEN}"));
    let renamed = |it: &mut Observed| facts(it, "c").machine = MachineId("b".to_owned());
    check_with(&ab, "a:1.34* b:1.34+ (c:1.34+)", renamed, "done");
    // The leaders go last.
    let both = "a:1.34+ b:1.34+ (c:1.34*) (d:1.34+)";
    let leads_from_c = |it: &mut Observed| {
        let leader = Leader::Node("c".parse().unwrap());
        it.leaders = Some(Leaders { controller_manager: leader.clone(), scheduler: leader });
    };
    let retire_d = "stop the control plane on d for good and wipe its keys there";
    check_with(&ab, both, leads_from_c, retire_d);
}

#[test]
fn an_upgrade_goes_node_by_node_and_leaders_go_last() {
    let abc = want("a b c", "1.35");
    let mut observed = look("a:1.34* b:1.34+ c:1.34+");
    let mut texts = Vec::new();
    for _ in 0..30 {
        let Next::Act(step) = next(&abc, &observed) else { break };
        assert_ne!(step.kind(), Kind::Remove);
        believe(&abc, &mut observed, &step);
        texts.push(step.to_string());
    }
    let node = |name: &str| {
        [
            format!("restart kube-apiserver on {name} with 1.35.4 and new settings"),
            format!(
                "restart kube-controller-manager, kube-scheduler on {name} with 1.35.4 and new settings"
            ),
            format!("note on {name} that Kubernetes 1.35.4 serves"),
        ]
    };
    let mut expected = vec!["bring Kubernetes 1.35.4 to a, b, c".to_owned()];
    expected.extend(["b", "c", "a"].map(node).concat());
    assert_eq!(texts, expected);
    assert_eq!(text(&next(&abc, &observed)), "done");
}

#[test]
fn an_upgrade_that_is_not_one_is_refused() {
    let check_to =
        |to: &str, nodes: &str, expected: &str| check(&want("a b c", to), nodes, expected);
    let skips = "refuse: Kubernetes 1.34.4 runs: go to 1.35 before 1.36.3";
    check_to("1.36", "a:1.34* b:1.34+ c:1.34+", skips);
    check_to("1.36", "a:1.35* b:1.35+ c:1.34+", skips);
    let lower = "refuse: Kubernetes 1.34.4 runs, and going back to 1.34.3 is not supported";
    check_to("1.34.3", "a:1.34* b:1.34+ c:1.34+", lower);
    let silent =
        "refuse: c cannot be reached to be changed: make it answer, or take it out of the map";
    check_to("1.36", "a:1.35* b:1.35+ c:1.34x", silent);
    check_to("1.35", "a:1.35* b:1.35+ c:1.34x", silent);
    check_to("1.35", "a:1.34* b:1.34+ c:1.34x", "bring Kubernetes 1.35.4 to a, b");
}

fn staged(observed: &mut Observed) {
    for node in observed.nodes.values_mut() {
        if let Node::Seen(facts) = node {
            facts.staged.insert(Version::new(35, 4));
        }
    }
}

#[test]
fn only_the_component_concerned_restarts_and_never_the_last_one() {
    let abc = want("a b c", "1.34");
    let other = |names: &'static [&'static str], component: usize| {
        move |it: &mut Observed| {
            for name in names {
                let part = &mut facts(it, name).parts[component];
                part.running = part.running.map(|it| Settings { is_current: false, ..it });
            }
        }
    };
    let all = "a:1.34* b:1.34+ c:1.34+";
    let scheduler = "restart kube-scheduler on b with 1.34.4 and new settings";
    check_with(&abc, all, other(&["a", "b"], 2), scheduler);
    let server = "restart kube-apiserver on c with 1.34.4 and new settings";
    check_with(&abc, all, other(&["a", "c"], 0), server);
    let lead = "wait for a kube-controller-manager to lead";
    check_with(&abc, "a:1.34+ b:1.34+ c:1.34+", other(&["a"], 0), lead);
    let last = "refuse: without a no API server would serve: make the other nodes answer first";
    check_with(&abc, "a:1.34* b:1.34x c:1.34x", other(&["a"], 0), last);
    let single = "restart kube-apiserver on a with 1.34.4 and new settings";
    check_with(&want("a", "1.34"), "a:1.34*", other(&["a"], 0), single);
    // Files alone are written without a restart.
    let files = "write the files of the control plane on b anew";
    check(&abc, "a:1.34* b:1.34+e c:1.34+", files);
}

#[test]
fn a_node_that_was_begun_is_finished_first() {
    let abc = want("a b c", "1.35");
    let finish =
        "restart kube-controller-manager, kube-scheduler on a with 1.35.4 and new settings";
    check_with(&abc, "a:1.35*mp b:1.34+ c:1.34+", staged, finish);
    let confirm = "note on a that Kubernetes 1.35.4 serves";
    check_with(&abc, "a:1.35*p b:1.34+ c:1.34+", staged, confirm);
}

#[test]
fn a_node_that_does_not_serve_with_what_it_was_given_gets_back_what_it_had() {
    let abc = want("a b c", "1.35");
    let back = "put b back to Kubernetes 1.34.4 and the settings that it had";
    check(&abc, "a:1.35* b:1.35#p c:1.34+", back);
    check(&abc, "a:1.35* b:1.35#kp c:1.34+", back);
    check(&abc, "a:1.35* b:1.35-p c:1.34+", "start kube-apiserver on b");
    check(&abc, "a:1.35* b:1.35sp c:1.34+", "wait for the kube-apiserver on b to serve");
    // The only one that serves is not stopped for a controller manager.
    let last = "refuse: without b no API server would serve: make the other nodes answer first";
    check(&abc, "a:1.35x b:1.35#kp c:1.34x", last);
    let failed = |it: &mut Observed| {
        staged(it);
        it.failed.insert("b".parse().unwrap());
    };
    let stops = "refuse: b did not serve with what is wished, and runs again as before: look into the journal of its units, and apply again";
    check_with(&abc, "a:1.35* b:1.34+ c:1.34+", failed, stops);
    check_with(
        &abc,
        "a:1.35* b:1.34s c:1.34+",
        failed,
        "wait for the kube-apiserver on b to serve",
    );
    // The next run tries again.
    let again = "restart kube-apiserver on b with 1.35.4 and new settings";
    check_with(&abc, "a:1.35* b:1.34+ c:1.34+", staged, again);
}

#[test]
fn certificates_and_records_restart_nothing() {
    let abc = want("a b c", "1.34");
    let renew = "make or renew the keys and certificates of b";
    for sign in ["c", "i", "n"] {
        let nodes = format!("a:1.34* b:1.34+{sign} c:1.34+");
        check(&abc, &nodes, renew);
        let Next::Act(step) = next(&abc, &look(&nodes)) else { panic!("{nodes}") };
        assert_eq!(step.kind(), Kind::Prepare);
    }
    check(&abc, "a:1.34* b:1.34+r c:1.34+", "record on b what was applied");
}

#[test]
fn only_what_leaves_is_destructive() {
    let kind = |nodes: &str, names: &str| {
        let Next::Act(step) = next(&want(names, "1.34"), &look(nodes)) else { panic!("{nodes}") };
        (step.kind(), step.hosts().join(" "))
    };
    assert_eq!(kind("a:1.34* (b:1.34+)", "a"), (Kind::Remove, "b".to_owned()));
    assert_eq!(kind("a:1.34* (b:1.34+u)", "a"), (Kind::Prepare, "b".to_owned()));
    assert_eq!(kind("a:1.34* b:1.34-", "a b"), (Kind::Restart, "b".to_owned()));
    let Next::Act(step) = leave(&want("a", "1.34"), &look("a:1.34*")) else { panic!() };
    assert_eq!(step.kind(), Kind::MoveAside);
}
