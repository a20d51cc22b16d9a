//! Data that is brought back on real hosts: some are rebuilt, some lose their power, and whoever works on it is ended.

use std::fs;
use std::time::{Duration, SystemTime};

use super::cluster::{ABC, Cluster, UNPROTECTED, VERSION, Written};
use crate::amid::{Kills, LIMIT, amid, interrupt, kill_provider, killed_after_steps};
use crate::engine::Engine;
use crate::processes::until_within;
use crate::run::Run;

const ALL: [usize; 3] = [0, 1, 2];

/// A backup that is taken when it is asked for.
fn backup(number: u32) -> String {
    format!(
        "resource \"ha_etcd_backup\" \"this\" {{\n  name = \"x\"\n  cluster = ha_etcd_cluster.this.access\n  \
         schedule = \"0 0 1 1 *\"\n  retention = {{ last = 5 }}\n  directory = \"/srv/etcd\"\n  \
         triggers = {{ it = \"{number}\" }}\n}}\n"
    )
}

fn restore(generation: u32, more: &str) -> String {
    format!("restore = {{ generation = {generation}, {more} }}")
}

/// Over what is there.
fn of_backup(generation: u32) -> String {
    restore(generation, "directory = \"/srv/etcd\", discard_current_data = true")
}

/// The machines that are there now, whatever keys they have; `number` of snapshots that were asked for.
fn wish(on: &Cluster, number: u32, more: &str) {
    let keys = ALL.map(|it| on.host_key(it));
    let member = |(it, of_host): (&(&'static str, usize), _)| Written {
        key: it.0,
        host: it.1,
        of_host,
        of_member: "",
    };
    let keys = keys.iter().map(String::as_str);
    let members: Vec<_> = ABC.iter().zip(keys).map(member).collect();
    on.wish_of(VERSION, &members, &format!("{UNPROTECTED}\n  {more}"));
    let cluster = fs::read_to_string(on.at.path("main.tf")).unwrap();
    on.at.config(&(cluster + &backup(number)));
}

/// Each member has this under the key, and the three of them are the cluster.
#[track_caller]
fn hold(on: &Cluster, key: &str, value: &str) {
    for host in ALL {
        assert_eq!(on.etcdctl(host, &["get", key, "--print-value-only"]), value, "h{host}");
    }
    assert_eq!(on.members(0).len(), 3);
}

#[test]
fn data_comes_back_whoever_is_ended_meanwhile() {
    let Some(on) = Cluster::new(Engine::Terraform, 3) else { return };
    wish(&on, 0, "");
    on.at.settle();
    on.etcdctl(0, &["put", "fruit", "apple"]);

    // Two of three are other machines now: what the third has is all there is.
    for host in [1, 2] {
        on.lab.cut_power(host);
        on.lab.rebuild(host);
    }
    wish(&on, 0, &restore(1, "from = \"survivor\""));
    on.at.settle();
    hold(&on, "fruit", "apple");
    an_old_member_is_not_let_in(&on, 0);

    wish(&on, 1, &restore(1, "from = \"survivor\""));
    on.at.settle();
    on.etcdctl(0, &["put", "fruit", "pear"]);
    wish(&on, 1, &of_backup(2));
    let running = amid(&on.at, "stop etcd on");
    interrupt(&running);
    let ended = Run::new("interrupted", &running.end_within(LIMIT)).fails();
    ended.says("it was stopped after this step: stop etcd on a, b, c").never_says("tainted");
    // No member starts with its host.
    on.lab.cut_power(2);
    on.lab.start(2);
    for host in ALL {
        on.lab.ssh(
            host,
            "systemctl is-system-running --wait >&2; ! systemctl -q is-active etcd-prod",
        );
    }
    let running = amid(&on.at, "put the restored data in its place");
    kill_provider(&running);
    assert!(!running.end_within(LIMIT).status.success());
    // From here on there is no way back.
    wish(&on, 1, "");
    on.at.apply_fails().says("a restore of generation 2 was begun and is not at its end");
    wish(&on, 1, &of_backup(2));
    let running = amid(&on.at, "with that data");
    kill_provider(&running);
    assert!(!running.end_within(LIMIT).status.success());
    on.at.settle().never_says("tainted");
    hold(&on, "fruit", "apple");
    on.at.destroy();
}

/// What was there before the restore is started once more, in the place of what is there now.
fn an_old_member_is_not_let_in(on: &Cluster, host: usize) {
    let since = SystemTime::now();
    let data = "/var/lib/etcd/prod";
    let stop = "systemctl stop etcd-prod";
    on.lab.ssh(
        host,
        &format!("{stop} && mv {data} /var/lib/etcd/new && mv {data}.aside-before-* {data}"),
    );
    on.lab.ssh(host, "systemctl start --no-block etcd-prod");
    let others: Vec<_> = ALL.into_iter().filter(|it| *it != host).collect();
    let is_refused = || on.journal(&others, since).contains("cluster ID mismatch").then_some(());
    until_within(Duration::from_mins(1), "the old member is refused", is_refused);
    let alone = on.try_etcdctl(host, &["endpoint", "health"]);
    assert!(alone.is_err(), "it serves: {alone:?}");
    on.etcdctl(others[0], &["put", "without", "it"]);
    on.lab
        .ssh(host, &format!("{stop}; mv {data} /var/lib/etcd/old && mv /var/lib/etcd/new {data}"));
    on.lab.ssh(host, "systemctl start etcd-prod");
    hold(on, "without", "it");
}

/// One loses its power when all are stopped, and stays without: everything waits for it.
#[test]
#[ignore = "an apply waits for the host as long as one may boot; `make soak` runs it"]
fn a_restore_goes_on_when_a_host_is_back() {
    let Some(on) = Cluster::new(Engine::Tofu, 3) else { return };
    wish(&on, 0, "");
    on.at.settle();
    on.etcdctl(0, &["put", "fruit", "apple"]);
    wish(&on, 1, "");
    on.at.settle();
    on.etcdctl(0, &["put", "fruit", "pear"]);
    for (number, words) in
        (1..).zip(["make data of the snapshot", "stop etcd on", "with that data"])
    {
        wish(&on, 1, &of_backup(number));
        let running = amid(&on.at, words);
        on.lab.cut_power(1);
        let ended = Run::new(words, &running.end_within(LIMIT)).fails();
        ended.never_says("tainted");
        on.at.apply_fails().says("b cannot be reached, and every member is restored");
        on.lab.start(1);
        on.at.settle();
        hold(&on, "fruit", "apple");
        on.etcdctl(0, &["put", "fruit", "pear"]);
    }
    on.at.destroy();
}

/// Every step is the last of a provider.
#[test]
#[ignore = "run by `make soak`"]
fn a_restore_outlives_the_providers_that_work_on_it() {
    let Some(on) = Cluster::new(Engine::Terraform, 3) else { return };
    let kills = Kills { chosen: |_| true, limit: LIMIT, most: 60 };
    wish(&on, 0, "");
    on.at.settle();
    on.etcdctl(0, &["put", "fruit", "apple"]);
    wish(&on, 1, "");
    on.at.settle();
    on.etcdctl(0, &["put", "fruit", "pear"]);
    wish(&on, 1, &of_backup(1));
    let killed = killed_after_steps(&on.at, &[], &kills);
    eprintln!("over what was there: {killed} killed");
    assert!(8 <= killed, "{killed}");
    on.at.plan_is_empty();
    hold(&on, "fruit", "apple");

    for host in [0, 1] {
        on.lab.cut_power(host);
        on.lab.rebuild(host);
    }
    wish(&on, 1, &restore(2, "from = \"survivor\""));
    let killed = killed_after_steps(&on.at, &[], &kills);
    eprintln!("two of three: {killed} killed");
    assert!(8 <= killed, "{killed}");
    on.at.plan_is_empty();
    hold(&on, "fruit", "apple");
    on.at.destroy();
}
