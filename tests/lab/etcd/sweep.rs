//! Providers that are killed after any of their steps: the next run comes to the same end.

use super::amid::{LIMIT, kill_provider, quota, try_amid};
use super::cluster::{ABC, Cluster, VERSIONS};
use crate::engine::Engine;
use crate::run::Run;

/// More runs than any of these operations has steps.
const MOST: usize = 60;

/// For each run, whether its provider is killed after its first step.
type Choice = fn(usize) -> bool;

/// Two steps of each operation: an early one, and one in the middle of it.
#[test]
fn a_provider_that_is_killed_is_continued_by_the_next() {
    let chosen: Choice = |run| run < 2;
    sweep(Engine::Terraform, chosen);
}

/// Every step of each operation, one run after the other. Minutes.
#[test]
#[ignore = "run by `make soak`"]
fn a_provider_that_is_killed_after_every_step_is_continued_by_the_next() {
    sweep(Engine::Tofu, |_| true);
}

fn sweep(engine: Engine, chosen: Choice) {
    let Some(on) = Cluster::new(engine, 4) else { return };
    let [_, now, next] = VERSIONS;
    let (less, renamed) = ([("a", 0), ("b", 1), ("d", 3)], [("a", 0), ("d", 3), ("z", 1)]);
    let more = [&ABC[..], &less[2..]].concat();
    let operations = [
        ("creation", now, &ABC[..], 0),
        ("one more", now, &more, 0),
        ("one less", now, &less, 0),
        ("another name", now, &renamed, 0),
        ("other settings", now, &renamed, 1),
        ("another version", next, &renamed, 1),
    ];
    for (what, version, members, setting) in operations {
        on.wish(version, members, &quota(setting));
        let killed = killed_after_steps(&on, &[], chosen);
        eprintln!("{what}: {killed} killed");
        assert!(1 <= killed, "{what}");
        on.at.plan_is_empty();
        let wished: Vec<_> = members.iter().map(|it| it.0.to_owned()).collect();
        assert_eq!(on.members(0).into_keys().collect::<Vec<_>>(), wished, "{what}");
        if what != "creation" {
            assert_eq!(on.etcdctl(0, &["get", "fruit", "--print-value-only"]), "apple", "{what}");
        }
        on.etcdctl(0, &["put", "fruit", "apple"]);
    }
    assert!(1 <= killed_after_steps(&on, &["-destroy"], chosen));
    for host in [0, 1, 3] {
        on.lab.ssh(host, "test ! -e /etc/etcd-prod && ! pgrep -x etcd");
    }
}

/// Applies until it succeeds; runs are killed as soon as they tell of a step. How many were killed.
fn killed_after_steps(on: &Cluster, arguments: &[&str], chosen: Choice) -> usize {
    for run in 0..MOST {
        let words = if chosen(run) { "" } else { "\u{0}" };
        let (running, has_stepped) = try_amid(on, arguments, words);
        if has_stepped {
            kill_provider(&running);
        }
        let ended = Run::new("apply", &running.end_within(LIMIT));
        assert!(!ended.has("tainted") && !ended.has("another run is at work"), "{}", ended.text);
        let state = std::fs::read_to_string(on.at.path("terraform.tfstate")).unwrap_or_default();
        assert!(!state.contains("tainted"), "{state}");
        if !has_stepped {
            ended.succeeds();
            return run;
        }
    }
    panic!("{MOST} applies did not suffice");
}
