//! What happens to members: killed, frozen, parted, full, without their data.

use std::thread;
use std::time::Duration;

use super::amid::{amid_a_roll, quota};
use super::client::Client;
use super::cluster::{ABC, Cluster, VERSION};
use crate::amid::{amid, converges};
use crate::engine::Engine;
use crate::processes::until_within;

const ALL: [usize; 3] = [0, 1, 2];
/// An election by timeout takes up to two times the timeout, and a client its patience.
const ELECTED: Duration = Duration::from_secs(4);

#[test]
fn members_that_suffer_are_waited_for_and_never_removed() {
    let Some(on) = Cluster::new(Engine::Terraform, 4) else { return };
    on.wish(VERSION, &ABC, &quota(0));
    on.at.settle();
    let client = Client::start(&on, &ALL);

    // The leader dies while a member comes.
    on.wish(VERSION, &[&ABC[..], &[("d", 3)]].concat(), &quota(0));
    let running = amid(&on.at, "add d as a learner");
    let leader = leader(&on);
    client.lap();
    on.lab.ssh(leader, &format!("kill -KILL {}", on.pid(leader)));
    converges(&on.at, running);
    let lap = client.lap();
    eprintln!("a leader killed: {lap:?}");
    assert!(lap.gap < ELECTED, "{lap:?}");
    on.wish(VERSION, &ABC, &quota(0));
    on.at.settle();
    assert_eq!(on.members(0).len(), 3);

    // One hangs: nobody is restarted beside it, and it is not removed.
    let hung = follower(&on);
    let ids = on.etcdctl(0, &["member", "list"]);
    on.lab.ssh(hung, "systemctl kill -s STOP etcd-prod");
    on.wish(VERSION, &ABC, &quota(1));
    let before = ALL.map(|it| on.pid(it));
    let running = crate::processes::Running::new(on.at.spawn_apply(|_| ()));
    thread::sleep(Duration::from_secs(10));
    assert_eq!(ALL.map(|it| on.pid(it)), before, "nothing restarts meanwhile");
    on.lab.ssh(hung, "systemctl kill -s CONT etcd-prod");
    converges(&on.at, running);
    assert_eq!(on.etcdctl(0, &["member", "list"]), ids);
    eprintln!("a member that hangs: {:?}", client.lap());

    // The leader is alone. The others elect another, and no second one is taken away.
    let alone = self::leader(&on);
    let rest: Vec<_> = ALL.into_iter().filter(|it| *it != alone).collect();
    let running = amid_a_roll(&on, 2);
    on.lab.partition(&[alone], &rest);
    thread::sleep(Duration::from_secs(8));
    on.lab.heal();
    converges(&on.at, running);
    assert_eq!(on.etcdctl(0, &["member", "list"]), ids);
    eprintln!("a leader parted from the others: {:?}", client.lap());

    // All are alone.
    let running = amid_a_roll(&on, 3);
    on.lab.partition(&[0], &[1, 2]);
    on.lab.partition(&[1], &[2]);
    thread::sleep(Duration::from_secs(8));
    on.lab.heal();
    converges(&on.at, running);
    assert_eq!(on.etcdctl(0, &["member", "list"]), ids);
    eprintln!("all parted: {:?}", client.lap());

    data_is_lost_and_comes_back(&on, &client);
    eprintln!("{} writes", client.end());
    the_quota_is_used_up(&on);
    an_old_state_is_refused(&on);
    on.at.destroy();
}

/// Its member must not found a cluster of its own, and neither may the data of a former member be used.
fn data_is_lost_and_comes_back(on: &Cluster, client: &Client) {
    let lost = follower(on);
    let name = ABC[lost].0;
    let ids = on.etcdctl((lost + 1) % 3, &["endpoint", "status", "--cluster", "-w=fields"]);
    let cluster = field(&ids, "\"ClusterID\"");
    on.lab.ssh(lost, "systemctl stop etcd-prod && mv /var/lib/etcd/prod /var/lib/etcd/old");
    // It fails, for it has been bootstrapped before.
    on.lab.ssh(lost, "systemctl start --no-block etcd-prod");
    thread::sleep(Duration::from_secs(3));
    let alone = on.try_etcdctl(lost, &["endpoint", "status"]);
    assert!(alone.is_err(), "it serves without its data: {alone:?}");
    on.at.plan().run.says(&format!("{name}: the data of the member is not there"));
    on.at.settle();
    assert_eq!(on.members(0).len(), 3);
    let after = on.etcdctl(lost, &["endpoint", "status", "-w=fields"]);
    assert_eq!(field(&after, "\"ClusterID\""), cluster);

    on.lab.ssh(lost, "systemctl stop etcd-prod && mv /var/lib/etcd/prod /var/lib/etcd/new");
    on.lab.ssh(lost, "mv /var/lib/etcd/old /var/lib/etcd/prod");
    on.lab.ssh(lost, "systemctl start --no-block etcd-prod");
    thread::sleep(Duration::from_secs(3));
    let old = on.try_etcdctl(lost, &["endpoint", "health"]);
    assert!(old.is_err(), "it serves with the data of a member that was removed: {old:?}");
    on.lab.ssh(lost, "systemctl stop etcd-prod; mv /var/lib/etcd/prod /var/lib/etcd/old");
    on.lab.ssh(lost, "mv /var/lib/etcd/new /var/lib/etcd/prod && systemctl start etcd-prod");
    on.at.settle();
    assert_eq!(on.members(0).len(), 3);
    eprintln!("data lost, and old data back: {:?}", client.lap());
}

/// Membership is not changed meanwhile, and the message has the remedy in its order.
fn the_quota_is_used_up(on: &Cluster) {
    let small = "deletion_protection = false\n  quota_backend_bytes = 16777216";
    on.wish(VERSION, &ABC, small);
    on.at.settle();
    let value = "x".repeat(60_000);
    let is_full = (0..600).any(|it| {
        on.try_etcdctl(0, &["put", &format!("big/{it}"), &value])
            .is_err_and(|err| err.contains("database space exceeded"))
    });
    assert!(is_full, "the quota is never used up");
    on.at.plan().run.says("the quota is used up, and writes are refused: compact");
    on.wish(VERSION, &[&ABC[..], &[("d", 3)]].concat(), small);
    on.at.apply_fails().says("compact, defragment each member, and disarm the alarm");
    assert_eq!(on.members(0).len(), 3);

    on.etcdctl(0, &["del", "--prefix", "big/"]);
    let status = on.etcdctl(0, &["endpoint", "status", "-w=fields"]);
    on.etcdctl(0, &["compact", &field(&status, "\"Revision\"")]);
    for host in ALL {
        on.etcdctl(host, &["defrag"]);
    }
    on.etcdctl(0, &["alarm", "disarm"]);
    on.wish(VERSION, &ABC, small);
    on.at.settle();
}

/// The state of a cluster that was there before, on the same hosts.
fn an_old_state_is_refused(on: &Cluster) {
    let old = std::fs::read(on.at.path("terraform.tfstate")).unwrap();
    on.at.destroy();
    on.wish(VERSION, &ABC, &quota(9));
    on.at.settle();
    let state = on.at.path("terraform.tfstate");
    let now = std::fs::read(&state).unwrap();
    std::fs::write(&state, old).unwrap();
    on.wish(VERSION, &ABC, &quota(10));
    let before = ALL.map(|it| on.pid(it));
    on.at.apply_fails().says("the members belong to cluster").says("and the state knows");
    assert_eq!(ALL.map(|it| on.pid(it)), before);
    std::fs::write(&state, now).unwrap();
}

/// The host whose member leads.
fn leader(on: &Cluster) -> usize {
    let leads = |host: &usize| {
        let said = on.try_etcdctl(*host, &["endpoint", "status", "-w=fields"]).unwrap_or_default();
        !said.is_empty() && field(&said, "\"MemberID\"") == field(&said, "\"Leader\"")
    };
    until_within(Duration::from_secs(30), "a leader", || ALL.into_iter().find(leads))
}

fn follower(on: &Cluster) -> usize {
    (leader(on) + 1) % ALL.len()
}

/// A value of etcdctl's output by fields.
fn field(said: &str, name: &str) -> String {
    let line = said.lines().find(|it| it.starts_with(name)).unwrap_or_else(|| panic!("{said}"));
    line.split(" : ").nth(1).unwrap().trim().to_owned()
}
