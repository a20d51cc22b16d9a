//! The life of a cluster, from bare hosts to none.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use super::certificates::{Wrong, spoil, yesterday};
use super::client::{Client, PATIENCE};
use super::cluster::{ABC, Cluster, UNPROTECTED, VERSION, Written, written};
use crate::engine::Engine;

/// Generous, for hosts that share two cores with each other and with another lab, of five hosts with Kubernetes: on idle
/// ones it is below 150 ms. That nobody is elected is what shows whether a change was planned.
const PLANNED_GAP: Duration = Duration::from_secs(2);

/// One planned change: nobody is elected, no write waits for long, and what is written stays.
pub(crate) fn planned(on: &Cluster, client: &Client, hosts: &[usize], what: &str) {
    within(PLANNED_GAP, on, client, hosts, what);
}

/// The same where members leave. One that has been removed goes on listening for a second and answers nothing (etcd
/// v3.6, server/etcdserver/server.go, `stopWithDelay`): a client that is connected to it waits as long as it is willing to.
fn planned_leave(on: &Cluster, client: &Client, hosts: &[usize], what: &str) {
    within(PATIENCE + PLANNED_GAP, on, client, hosts, what);
}

fn within(bound: Duration, on: &Cluster, client: &Client, hosts: &[usize], what: &str) {
    let (since, began) = (SystemTime::now(), Instant::now());
    client.lap();
    on.at.settle();
    let lap = client.lap();
    eprintln!("{what}: {:?}, {lap:?}", began.elapsed());
    on.elected_nobody(hosts, since);
    assert!(lap.gap < bound, "{what}: {lap:?}");
}

#[test]
fn a_cluster_lives_and_ends_under_terraform() {
    let Some(on) = Cluster::new(Engine::Terraform, 5) else { return };
    let all = [0, 1, 2, 3, 4];
    let began = Instant::now();
    on.wish(VERSION, &ABC, "");
    on.at.plan().run.says("start the first members a, b, c");
    on.at.settle();
    eprintln!("bring-up: {:?}", began.elapsed());
    let client = Client::start(&on, &all);

    on.wish(VERSION, &[&ABC[..], &[("d", 3), ("e", 4)]].concat(), "");
    planned(&on, &client, &all, "from three to five");
    assert_eq!(on.members(4).len(), 5);
    assert!(on.members(4).values().all(|is_learner| !is_learner));

    on.wish(VERSION, &[("a", 0), ("d", 3), ("e", 4)], "");
    planned_leave(&on, &client, &all, "from five to three");
    assert_eq!(on.members(0).len(), 3);
    is_bare(&on, 1);

    on.wish(VERSION, &[("z", 0), ("d", 3), ("e", 4)], "");
    on.at.plan().run.says("restart etcd on z");
    planned(&on, &client, &all, "a key renamed");
    assert!(on.members(0).contains_key("z"));

    let more = "quota_backend_bytes = 1073741824";
    on.wish(VERSION, &[("z", 0), ("d", 3), ("e", 4)], more);
    planned(&on, &client, &all, "an argument changed");

    certificates_are_renewed(&on, &client);
    a_lost_state_comes_back(&on, &client);
    an_address_changes(&on, &client, more);
    machines_die(&on, &client, more);

    eprintln!("{} writes", client.end());
    a_lost_host_does_not_stop_the_end(&on);
}

/// Also when no member accepts anybody any more.
fn certificates_are_renewed(on: &Cluster, client: &Client) {
    let all = [0, 3, 4];
    let before = all.map(|it| on.pid(it));
    spoil(on, 0, Wrong::OtherAddress);
    assert!(on.try_etcdctl(0, &["member", "list"]).is_err());
    on.at.plan().run.says("z: server certificate is for 192.0.2.1 instead of");
    planned(on, client, &all, "one certificate for another address");
    on.members(0);

    spoil(on, 0, Wrong::Expired);
    spoil(on, 3, Wrong::OtherAddress);
    spoil(on, 4, Wrong::OtherAuthority);
    for host in all {
        assert!(on.try_etcdctl(host, &["member", "list"]).is_err());
    }
    let plan = on.at.plan().run;
    let plan = plan.says(&format!("z: server certificate expired on {}", yesterday()));
    let plan = plan.says("d: server certificate is for 192.0.2.1 instead of");
    plan.says("e: server certificate was signed by another authority");
    planned(on, client, &all, "certificates renewed");
    for host in all {
        on.members(host);
    }
    assert_eq!(all.map(|it| on.pid(it)), before, "nothing restarts");
}

/// By any host. Nobody founds another cluster on these, and nothing restarts.
fn a_lost_state_comes_back(on: &Cluster, client: &Client) {
    let all = [0, 3, 4];
    let before = all.map(|it| on.pid(it));
    let state = on.at.path("terraform.tfstate");
    fs::rename(&state, on.at.path("lost.tfstate")).unwrap();
    let command = |host| format!("ha_etcd_cluster.NAME prod@{}", on.lab.address(host));
    on.at.apply_fails().says("belongs to the etcd_cluster \"prod\"").says(&command(3));
    assert_eq!(all.map(|it| on.pid(it)), before, "nothing restarts");

    let id = command(4).replace("ha_etcd_cluster.NAME ", "");
    on.at.run(&["import", "ha_etcd_cluster.this", &id]).succeeds().says("Import successful!");
    on.at.plan_is_empty();
    assert_eq!(all.map(|it| on.pid(it)), before, "nothing restarts");
    eprintln!("a state lost: {:?}", client.lap());
}

fn an_address_changes(on: &Cluster, client: &Client, more: &str) {
    let other = on.lab.address(3).replace(".13", ".43");
    on.lab.ssh(3, &format!("ip address add {other}/24 dev host0"));
    let of_member = format!("address = \"{other}\"");
    let d = Written { of_member: &of_member, ..written("d", 3) };
    on.wish_of(VERSION, &[written("z", 0), d, written("e", 4)], more);
    on.at.plan().run.says(&format!("tell the members that d will be at https://{other}:2380"));
    planned(on, client, &[0, 3, 4], "an address changed");
    assert!(on.etcdctl(0, &["member", "list"]).contains(&format!("https://{other}:2379")));
    on.wish(VERSION, &[("z", 0), ("d", 3), ("e", 4)], more);
    planned(on, client, &[0, 3, 4], "and changed back");
}

fn machines_die(on: &Cluster, client: &Client, more: &str) {
    on.lab.cut_power(3);
    on.at.plan().run.says("d cannot be looked at");
    on.wish(VERSION, &[("z", 0), ("b", 1), ("e", 4)], more);
    // One that is gone without a word may have led.
    on.at.settle();
    assert_eq!(on.members(0).into_keys().collect::<Vec<_>>(), ["b", "e", "z"]);
    eprintln!("a dead host replaced: {:?}", client.lap());

    // Another machine with the same name and address.
    on.lab.cut_power(1);
    on.lab.rebuild(1);
    let refused = on.at.plan().run.says("b cannot be looked at");
    assert!(2 <= refused.text.matches("SHA256:").count(), "{}", refused.text);
    let key = on.host_key(1);
    let b = Written { of_host: &key, ..written("b", 1) };
    on.wish_of(VERSION, &[written("z", 0), b, written("e", 4)], more);
    on.at.settle();
    assert_eq!(on.members(1).len(), 3);
    eprintln!("a rebuilt machine: {:?}", client.lap());
    // From now on the new key is the one that is pinned.
    on.wish(VERSION, &[("z", 0), ("b", 1), ("e", 4)], more);
    on.at.settle();
}

fn a_lost_host_does_not_stop_the_end(on: &Cluster) {
    let zbe = [("z", 0), ("b", 1), ("e", 4)];
    on.wish(VERSION, &zbe, UNPROTECTED);
    on.at.settle();
    on.lab.cut_power(1);
    let refused = on.at.run(&["destroy", "-auto-approve"]).fails();
    refused.says("b cannot be reached to be cleaned: make it answer, or put it into lost_hosts");
    on.wish(VERSION, &zbe, &format!("{UNPROTECTED}\n  lost_hosts = [\"b\"]"));
    on.at.settle();
    on.at.destroy().says("The data of the etcd cluster was kept");
    for host in [0, 4] {
        is_bare(on, host);
    }
}

/// No member is there, nor anything that could become one.
fn is_bare(on: &Cluster, host: usize) {
    on.lab.ssh(
        host,
        "test ! -e /etc/etcd-prod && test ! -e /etc/systemd/system/etcd-prod.service && \
         test ! -e /var/lib/etcd/prod && ! pgrep -x etcd && test -z \"$(ls /var/lib/ha-agent/records 2>/dev/null)\"",
    );
}
