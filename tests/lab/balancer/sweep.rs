//! Providers that are killed after any of their steps: the next run comes to the same end, and clients notice nothing.

use std::time::Duration;

use super::front::{Front, LBS};
use super::load::{Load, Silent};
use crate::amid::{Kills, killed_after_steps};
use crate::engine::Engine;

/// More runs than any of these operations has steps.
const MOST: usize = 40;
const LIMIT: Duration = Duration::from_mins(2);

/// Two steps of each operation: an early one, and one in the middle of it.
#[test]
fn a_provider_that_is_killed_is_continued_by_the_next() {
    sweep(Engine::Terraform, |run| run < 2);
}

/// Every step of each operation, one run after the other. Minutes.
#[test]
#[ignore = "run by `make soak`"]
fn a_provider_that_is_killed_after_every_step_is_continued_by_the_next() {
    sweep(Engine::Tofu, |_| true);
}

fn sweep(engine: Engine, chosen: fn(usize) -> bool) {
    let Some(on) = Front::new(engine, 4) else { return };
    let other = [LBS[0], ("lb3", 2)];
    // The first is a creation, and in the last the virtual IP moves.
    let operations = [
        ("creation", &LBS, &[0, 1][..], ""),
        ("backends", &LBS, &[1, 2], ""),
        ("parameters", &LBS, &[1, 2], "balance = \"roundrobin\""),
        ("a node", &other, &[1, 2], "balance = \"roundrobin\""),
    ];
    let kills = Kills { chosen, limit: LIMIT, most: MOST };
    let mut load: Option<Load> = None;
    for (what, nodes, servers, more) in operations {
        on.wish(nodes, servers, more);
        let began = load.as_ref().map(Load::begin);
        let killed = killed_after_steps(&on.at, &[], &kills);
        assert!(1 <= killed, "{what}");
        on.at.plan_is_empty();
        let hosts: Vec<_> = nodes.iter().map(|it| it.1).collect();
        on.settled_on(&hosts);
        if let (Some(load), Some(began)) = (&load, began) {
            let lap = load.lap(&began);
            eprintln!("{what}: {killed} killed, {lap:?}");
            assert!(lap.failed == 0 || what == "a node", "{what}: {lap:?}");
            assert!(lap.gap < Duration::from_secs(3), "{what}: {lap:?}");
        }
        load = load.or_else(|| Some(Load::start(on.to(), &on.trust)));
    }
    drop(load);
    assert!(1 <= killed_after_steps(&on.at, &["-destroy"], &kills));
    for host in 0..3 {
        on.is_bare(host);
    }
}

/// As many connections as a small cluster has watches, and as many changes as it sees in a year.
#[test]
#[ignore = "run by `make soak`"]
fn a_hundred_changes_cut_nothing() {
    let Some(on) = Front::new(Engine::Terraform, 3) else { return };
    on.wish(&LBS, &[0, 1, 2], "");
    on.settle("bring-up");
    on.settled_on(&[0, 1]);
    let load = Load::start(on.to(), &on.trust);
    let mut silent = Silent::open(on.to(), &on.trust, 200);
    let began = load.begin();
    for change in 0..100 {
        // A backend comes and goes, and every third change is a reload.
        let servers: &[usize] = if change % 2 == 0 { &[0, 1] } else { &[0, 1, 2] };
        on.wish(&LBS, servers, &format!("proxy_timeouts = {{ idle = \"{}m\" }}", 60 + change / 3));
        on.at.apply();
    }
    on.at.plan_is_empty();
    let lap = load.lap(&began);
    eprintln!("a hundred changes: {lap:?}");
    assert_eq!((lap.failed, silent.cut()), (0, 0), "{lap:?}");
    drop(load);
    on.at.destroy();
}
