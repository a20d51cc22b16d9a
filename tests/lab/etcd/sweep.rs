//! Providers that are killed after any of their steps: the next run comes to the same end.

use super::amid::quota;
use super::cluster::{ABC, Cluster, VERSIONS};
use crate::amid::{Kills, LIMIT, killed_after_steps};
use crate::engine::Engine;

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
    let Some(on) = Cluster::new(engine, 4) else { return };
    let kills = Kills { chosen, limit: LIMIT, most: 60 };
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
        let killed = killed_after_steps(&on.at, &[], &kills);
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
    assert!(1 <= killed_after_steps(&on.at, &["-destroy"], &kills));
    for host in [0, 1, 3] {
        on.lab.ssh(host, "test ! -e /etc/etcd-prod && ! pgrep -x etcd");
    }
}
