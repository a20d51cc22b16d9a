//! Runs that are interrupted, killed, cut off and held up, and those that come after them.

use std::thread;
use std::time::{Duration, Instant};

use super::amid::{amid_a_roll, quota};
use super::client::Client;
use super::cluster::{ABC, Cluster, VERSION};
use crate::amid::{
    Deed, LIMIT, amid, converges, interrupt, interrupt_twice, kill_engine, kill_provider,
};
use crate::engine::Engine;
use crate::network::End;
use crate::processes::until_within;
use crate::remote::apply_elsewhere;
use crate::run::Run;

const ALL: [usize; 3] = [0, 1, 2];

#[test]
fn a_run_that_is_interrupted_is_continued_by_the_next() {
    let Some(on) = Cluster::new(Engine::Terraform, 3) else { return };
    hosts_that_are_not_fit_stay_as_they_are(&on);
    // A creation leaves no state: one with a fault in it would be replaced, and that would end the cluster.
    let ways: [(&str, Deed); 3] =
        [("claim", interrupt), ("bring etcd", interrupt_twice), ("start the first", kill_engine)];
    for (words, way) in ways {
        on.wish(VERSION, &ABC, &quota(0));
        let running = amid(&on.at, words);
        way(&running);
        assert!(!running.end_within(LIMIT).status.success(), "{words}");
        assert!(!is_in_state(&on), "{words}");
    }
    on.at.settle();
    assert_eq!(on.members(0).len(), 3);

    let client = Client::start(&on, &ALL);
    let ways: [(&str, Deed); 4] = [
        ("interrupted", interrupt),
        ("interrupted twice", interrupt_twice),
        ("an engine killed", kill_engine),
        ("a provider killed", kill_provider),
    ];
    for (number, (what, way)) in ways.into_iter().enumerate() {
        let running = amid_a_roll(&on, number + 1);
        way(&running);
        let ended = Run::new(what, &running.end_within(LIMIT));
        assert!(!ended.has("tainted"), "{what}: {}", ended.text);
        if what == "interrupted" {
            ended.fails().says("it was stopped after this step: restart etcd on");
        }
        // A member that was being restarted comes up by itself.
        serve_by_themselves(&on);
        on.at.plan().run.says("restart etcd on");
        on.at.settle().never_says("tainted");
        eprintln!("{what}: {:?}", client.lap());
    }
    eprintln!("{} writes", client.end());
    on.at.destroy();
}

/// Each is told before anything is changed anywhere.
fn hosts_that_are_not_fit_stay_as_they_are(on: &Cluster) {
    on.wish(VERSION, &ABC, &quota(0));
    on.lab.ssh(1, "systemd-run --quiet --unit=taken systemd-socket-activate -l 2380 true");
    on.lab.small_disk(2, "/var/lib/etcd", 64);
    on.at
        .apply_fails()
        .says("b is not fit: something listens on port 2380 of")
        .says("c is not fit: /var/lib/etcd/prod has")
        .says("and 268435456 are needed")
        .says("Nothing was changed.");
    for host in ALL {
        on.lab.ssh(host, "test ! -e /etc/etcd-prod && test ! -e /usr/local/lib/ha/etcd");
    }
    on.lab.ssh(1, "systemctl stop taken");
    on.lab.ssh(2, "umount /var/lib/etcd");
}

#[test]
fn an_apply_outlives_what_happens_to_its_connections() {
    let Some(on) = Cluster::new(Engine::Tofu, 3) else { return };
    on.wish(VERSION, &ABC, &quota(0));
    on.at.settle();
    let client = Client::start(&on, &ALL);

    // The last to be reached: its member serves all the time, and nobody says goodbye.
    let running = amid_a_roll(&on, 1);
    on.lab.block(End::Here, End::Host(2));
    on.lab.block(End::Host(2), End::Here);
    thread::sleep(Duration::from_secs(20));
    on.lab.heal();
    converges(&on.at, running);
    eprintln!("a connection lost without a word: {:?}", client.lap());

    let running = amid_a_roll(&on, 2);
    // Its own connection goes with the others.
    on.lab.ssh_as("root", 2, "pkill -KILL -f '^sshd: root'");
    converges(&on.at, running);
    eprintln!("a connection closed: {:?}", client.lap());

    // A host stalls, and meanwhile somebody else applies.
    let running = amid_a_roll(&on, 3);
    on.lab.freeze(2);
    let began = Instant::now();
    let elsewhere = tempfile::tempdir().unwrap();
    let turned_away = apply_elsewhere(&on.at, elsewhere.path()).fails();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    turned_away.says("another run is at work").says("holds it (run ");
    thread::sleep(Duration::from_secs(17).saturating_sub(began.elapsed()));
    on.lab.thaw(2);
    converges(&on.at, running);
    eprintln!("a host frozen: {:?}", client.lap());

    // Packets get lost on all ways.
    for host in ALL {
        on.lab.lose(5, End::Host(host), End::Anyone);
    }
    on.wish(VERSION, &ABC, &quota(4));
    on.at.settle();
    on.lab.heal();
    eprintln!("packets lost: {:?}", client.lap());

    // Down and up again in the middle.
    let running = amid_a_roll(&on, 5);
    on.lab.reboot(1);
    Run::new("apply", &running.end_within(LIMIT)).succeeds();
    serve_by_themselves(&on);
    on.at.plan_is_empty();
    eprintln!("a host rebooted: {:?}", client.lap());
    eprintln!("{} writes", client.end());

    for host in ALL {
        on.lab.cut_power(host);
    }
    for host in ALL {
        on.lab.start(host);
    }
    serve_by_themselves(&on);
    on.at.plan_is_empty();
    on.at.destroy();
}

/// Nobody but systemd starts them.
fn serve_by_themselves(on: &Cluster) {
    until_within(Duration::from_secs(90), "all members", || {
        ALL.iter().all(|it| on.try_etcdctl(*it, &["endpoint", "health"]).is_ok()).then_some(())
    });
}

fn is_in_state(on: &Cluster) -> bool {
    std::fs::read_to_string(on.at.path("terraform.tfstate"))
        .is_ok_and(|it| it.contains("ha_etcd_cluster"))
}
