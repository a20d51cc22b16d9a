//! One operation after the other.

use serde_json::{Value as Json, json};

use super::{HOSTS, Story, story, wish};
use crate::host::fake::FakeHost;
use crate::host::messages::Subject;

const UNIT: &str = "etcd-prod.service";

fn plain(members: &str) -> Json {
    wish(members, json!({}))
}

fn of(version: &str) -> Json {
    wish("a1 b2 c3", json!({ "version": version }))
}

async fn changes(before: &str, last: &str) {
    story(&[plain(before)], plain(last)).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_first_member_comes_up() {
    story(&[], plain("a1")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn three_members_come_up() {
    story(&[], plain("a1 b2 c3")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn one_member_becomes_three() {
    changes("a1", "a1 b2 c3").await;
}

#[tokio::test(start_paused = true)]
async fn three_members_become_five() {
    changes("a1 b2 c3", "a1 b2 c3 d4 e5").await;
}

#[tokio::test(start_paused = true)]
async fn five_members_become_three() {
    changes("a1 b2 c3 d4 e5", "b2 c3 e5").await;
}

#[tokio::test(start_paused = true)]
async fn three_members_become_one() {
    changes("a1 b2 c3", "b2").await;
}

#[tokio::test(start_paused = true)]
async fn a_key_is_renamed() {
    changes("a1 b2 c3", "a1 b2 d3").await;
}

#[tokio::test(start_paused = true)]
async fn another_machine_takes_a_place() {
    changes("a1 b2 c3", "a1 b2 c4").await;
}

#[tokio::test(start_paused = true)]
async fn the_first_machine_is_replaced_under_another_name() {
    changes("a1 b2 c3", "b2 c3 d4").await;
}

#[tokio::test(start_paused = true)]
async fn an_address_changes() {
    changes("a1 b2 c3", "a1@9 b2 c3").await;
}

#[tokio::test(start_paused = true)]
async fn a_rebuilt_machine_joins_anew() {
    let mut last = plain("a1 b2 c3");
    last["members"]["c"]["host"]["host_key"] = FakeHost::new("new").host_key().into();
    let event = |it: &super::Machines| it.host(HOSTS[2]).rebuild("new");
    Story { event, ..story(&[plain("a1 b2 c3")], last) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn arguments_change() {
    let last = wish("a1 b2 c3", json!({"heartbeat_interval": "200ms", "election_timeout": "2s"}));
    story(&[plain("a1 b2 c3")], last).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_patch_is_installed() {
    story(&[of("3.6.14")], of("3.6.16")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_minor_is_installed() {
    story(&[of("3.5.33")], of("3.6.16")).sweep().await;
}

/// What 3.5 has left in the logs is written down first.
#[tokio::test(start_paused = true)]
async fn a_minor_that_reads_no_old_log_is_installed() {
    story(&[of("3.5.33"), of("3.6.16")], of("3.7.1")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn certificates_get_another_name() {
    let last = wish("a1 b2 c3", json!({"certificates": {"extra_sans": ["etcd.example"]}}));
    story(&[plain("a1 b2 c3")], last).sweep().await;
}

/// Nobody believes any member any more.
#[tokio::test(start_paused = true)]
async fn certificates_that_have_expired_are_renewed() {
    let event = |it: &super::Machines| {
        for (number, host) in HOSTS.iter().enumerate().take(3) {
            let (home, address) = ("/etc/etcd-prod", format!("10.0.0.{}", number + 1));
            for leaf in ["server", "peer"] {
                let subject = Subject {
                    common_name: format!("etcd-{leaf}"),
                    addresses: vec![address.clone()],
                    ..Subject::default()
                };
                it.host(host).expire(
                    &format!("{home}/{leaf}.crt"),
                    &format!("{home}/ca"),
                    &subject,
                );
            }
        }
    };
    Story { event, ..story(&[plain("a1 b2 c3")], plain("a1 b2 c3")) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_down_is_started() {
    let event = |it: &super::Machines| it.host(HOSTS[0]).crash(UNIT);
    Story { event, ..story(&[plain("a1 b2 c3")], plain("a1 b2 c3")) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_of_a_lost_host_leaves() {
    let event = |it: &super::Machines| it.host(HOSTS[2]).set_silent(true);
    Story { event, ..story(&[plain("a1 b2 c3")], plain("a1 b2")) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_host_is_replaced() {
    let event = |it: &super::Machines| it.host(HOSTS[0]).set_silent(true);
    Story { event, ..story(&[plain("a1 b2 c3")], plain("b2 c3 d4")) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_destroyed_and_its_data_kept() {
    Story { last: None, ..story(&[plain("a1 b2 c3")], Json::Null) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_destroyed_with_its_data() {
    let before = wish("a1 b2 c3", json!({"on_destroy": "purge"}));
    Story { last: None, ..story(&[before], Json::Null) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_with_a_lost_host_is_destroyed() {
    let before = wish("a1 b2 c3", json!({"lost_hosts": ["c"]}));
    let event = |it: &super::Machines| it.host(HOSTS[2]).set_silent(true);
    Story { event, last: None, ..story(&[before], Json::Null) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_imported_and_changed() {
    let last = wish("a1 b2 c3", json!({"heartbeat_interval": "200ms", "election_timeout": "2s"}));
    Story { is_imported: true, ..story(&[plain("a1 b2 c3")], last) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn without_space_nothing_changes() {
    let machines = super::Machines::new(&HOSTS);
    let mut terraform = super::new_engine();
    terraform.apply(&machines, Some(&plain("a1 b2 c3"))).await.unwrap();
    machines.raise(crate::remote::etcd::AlarmType::Nospace);
    let before = machines.moments().remove(0).picture();
    let why = terraform.apply(&machines, Some(&plain("a1 b2 c3 d4 e5"))).await.unwrap_err();
    assert!(why.contains("NOSPACE"), "{why}");
    assert_eq!(machines.moments().remove(0).picture(), before);
}

/// Open ports are no proof.
#[tokio::test(start_paused = true)]
async fn what_answers_for_a_member_is_told_before_anybody_joins() {
    let machines = super::Machines::new(&HOSTS);
    let mut terraform = super::new_engine();
    terraform.apply(&machines, Some(&plain("a1"))).await.unwrap();
    let newcomer = machines.host(HOSTS[1]);
    newcomer.put_between("10.0.0.1:2379", "no TLS session comes about");
    let why = terraform.apply(&machines, Some(&plain("a1 b2"))).await.unwrap_err();
    let told = "b reaches 10.0.0.1:2379, where a should answer: no TLS session comes about";
    assert!(why.contains(told), "{why}");
    assert_eq!(machines.clusters().values().map(Vec::len).collect::<Vec<_>>(), [1]);
    newcomer.clear_the_way();
    terraform.apply(&machines, Some(&plain("a1 b2"))).await.unwrap();
    assert_eq!(machines.clusters().values().map(Vec::len).collect::<Vec<_>>(), [2]);
}
