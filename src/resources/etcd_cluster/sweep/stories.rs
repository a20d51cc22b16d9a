//! One operation after the other.

use serde_json::{Value as Json, json};

use super::{HOSTS, Story, wish};

const UNIT: &str = "etcd-prod.service";

fn plain(members: &str) -> Json {
    wish(members, json!({}))
}

fn of(version: &str) -> Json {
    wish("a1 b2 c3", json!({ "version": version }))
}

async fn changes(before: &str, last: &str) {
    Story::new(&[plain(before)], plain(last)).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_first_member_comes_up() {
    Story::new(&[], plain("a1")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn three_members_come_up() {
    Story::new(&[], plain("a1 b2 c3")).sweep().await;
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
async fn an_address_changes() {
    changes("a1 b2 c3", "a1@9 b2 c3").await;
}

#[tokio::test(start_paused = true)]
async fn arguments_change() {
    let last = wish("a1 b2 c3", json!({"heartbeat_interval": "200ms", "election_timeout": "2s"}));
    Story::new(&[plain("a1 b2 c3")], last).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_patch_is_installed() {
    Story::new(&[of("3.6.14")], of("3.6.16")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_minor_is_installed() {
    Story::new(&[of("3.5.33")], of("3.6.16")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_down_is_started() {
    let event = |it: &super::Machines| it.host(HOSTS[0]).crash(UNIT);
    Story { event, ..Story::new(&[plain("a1 b2 c3")], plain("a1 b2 c3")) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_destroyed_and_its_data_kept() {
    Story { last: None, ..Story::new(&[plain("a1 b2 c3")], Json::Null) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_destroyed_with_its_data() {
    let before = wish("a1 b2 c3", json!({"on_destroy": "purge"}));
    Story { last: None, ..Story::new(&[before], Json::Null) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_imported_and_changed() {
    let last = wish("a1 b2 c3", json!({"heartbeat_interval": "200ms", "election_timeout": "2s"}));
    Story { is_imported: true, ..Story::new(&[plain("a1 b2 c3")], last) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn without_space_nothing_changes() {
    let machines = super::Machines::new(&HOSTS);
    let mut terraform = super::Terraform::new();
    terraform.apply(&machines, Some(&plain("a1 b2 c3"))).await.unwrap();
    machines.raise(crate::remote::etcd::AlarmType::Nospace);
    let before = machines.moments().remove(0).picture();
    let why = terraform.apply(&machines, Some(&plain("a1 b2 c3 d4 e5"))).await.unwrap_err();
    assert!(why.contains("NOSPACE"), "{why}");
    assert_eq!(machines.moments().remove(0).picture(), before);
}
