//! What a plan tells of a restore, and what it refuses. No host is asked.

use serde_json::json;

use super::*;
use crate::domain::etcd::restore::Step;

fn restore(more: Json) -> Json {
    let usual = json!({"generation": 1, "directory": "/srv/etcd"});
    json!({"restore": edited(usual, &more)})
}

/// Of a cluster that had a quorum when it was last asked.
async fn of_healthy(prior: Json, edit: Json) -> Told {
    told(Some(&prior), &edit, Kept { has_quorum: true, ..Kept::default() }).await
}

#[tokio::test]
async fn one_source_is_named() {
    let check = async |more: Json, path: &str, words: &str| {
        let edit = restore(more);
        expect(&plan_of(Some(&json!({})), &edit).await, &edit, path, words);
    };
    check(json!({"directory": null}), "restore.directory", "None of `file`, `directory`").await;
    check(json!({"file": "/x.db"}), "restore.directory", "More than one of").await;
    let both = json!({"store": "s"});
    check(both, "restore.directory", "More than one of").await;
    let store = json!({"directory": null, "store": "s"});
    check(store, "restore.store", "no `object_stores[\"s\"]`").await;
    let file = json!({"directory": null, "file": "/x.db", "snapshot": "x"});
    check(file, "restore.snapshot", "`file` names the snapshot already").await;
    check(json!({"from": "survivor"}), "restore.directory", "from a member that is left").await;
    check(json!({"from": "backup"}), "restore.from", "survivor").await;
    check(json!({"generation": 0}), "restore.generation", "1").await;
    check(json!({"directory": "srv"}), "restore.directory", "an absolute path").await;
    check(json!({"snapshot": "a/b"}), "restore.snapshot", "a name without `/`").await;
}

#[tokio::test]
async fn a_generation_may_only_grow() {
    let prior = restore(json!({"generation": 3}));
    let edit = restore(json!({"generation": 2}));
    let found = plan_of(Some(&prior), &edit).await;
    expect(&found, &edit, "restore.generation", "Generation 3 was restored already");
    // Left out and written again, it is the same.
    for more in [json!({}), restore(json!({"generation": 3, "snapshot": "y"}))] {
        let told = told(Some(&prior), &more, Kept::default()).await;
        assert!(told.diags.is_empty() && told.steps.is_empty(), "{:?}", told.steps);
    }
}

#[tokio::test]
async fn a_cluster_with_a_quorum_is_not_replaced_by_the_way() {
    let told = of_healthy(json!({}), restore(json!({}))).await;
    let edit = restore(json!({}));
    expect(&told.diags, &edit, "restore.discard_current_data", "the cluster has a quorum");
    let told = of_healthy(json!({}), restore(json!({"discard_current_data": true}))).await;
    assert!(!told.diags.has_errors(), "{:?}", told.diags);
    // Without one nothing has to be given up.
    let told = super::told(Some(&json!({})), &restore(json!({})), Kept::default()).await;
    assert!(!told.diags.has_errors(), "{:?}", told.diags);
}

#[tokio::test]
async fn a_plan_tells_all_steps() {
    let told = of_healthy(json!({}), restore(json!({"discard_current_data": true}))).await;
    assert_eq!(told.steps[0], "prove the newest verified snapshot in /srv/etcd");
    let steps: Vec<_> = told.steps.iter().map(String::as_str).collect();
    assert!(steps.contains(&"stop etcd on a, b, c"), "{steps:?}");
    assert_eq!(steps.last(), Some(&"note on a, b, c that generation 1 is restored"));
    let hosts = ["a", "b", "c"].map(|it| it.parse().unwrap()).to_vec();
    assert!(told.announced.allows(&Step::Switch { hosts }));
    let named = restore(json!({"snapshot": "prod.n.1", "discard_current_data": true}));
    let told = of_healthy(json!({}), named).await;
    assert_eq!(told.steps[0], "prove the snapshot prod.n.1 in /srv/etcd");
    let file = restore(json!({"directory": null, "file": "x.db"}));
    let told = super::told(None, &file, Kept::default()).await;
    assert_eq!(told.steps[0], "prove the snapshot in the file x.db");
    assert!(told.steps.contains(&"claim a, b, c".to_owned()), "{:?}", told.steps);
}

/// All machines are others.
#[tokio::test]
async fn no_machine_needs_to_stay() {
    let edit = json!({"members": members("d e f")});
    let found = plan_of(Some(&json!({})), &edit).await;
    expect(&found, &edit, "members", "no member of the present cluster is in the map");
    let edit = edited(restore(json!({})), &edit);
    let told = super::told(Some(&json!({})), &edit, Kept::default()).await;
    assert!(!told.diags.has_errors(), "{:?}", told.diags);
    assert!(told.steps.contains(&"stop etcd on a, b, c".to_owned()), "{:?}", told.steps);
    let retired = crate::domain::etcd::Step::Retire { host: "a".parse().unwrap() };
    assert!(told.announced.allows(&retired));
}

#[tokio::test]
async fn what_changes_with_a_restore_is_unknown_until_then() {
    let planned = async |prior: Json, edit: Json| {
        let prior = applied(&prior);
        let config = cluster(&edit);
        let (diags, change) = planned(&EtcdCluster, &config, Some(prior), Kept::default()).await;
        assert!(!diags.has_errors(), "{diags:?}");
        change.unwrap().planned
    };
    let access = |it: &EtcdClusterModel| it.access.known().unwrap().clone();
    let grown = planned(restore(json!({})), restore(json!({"generation": 4}))).await;
    assert!(grown.cluster_id.is_unknown() && grown.ca_certificate.is_unknown());
    assert!(access(&grown).ca_certificate.is_unknown());
    assert_eq!(access(&grown).generation, 4.into());
    let same = planned(restore(json!({"generation": 4})), json!({})).await;
    assert_eq!((same.cluster_id, same.ca_certificate), ("c1".into(), "PEM".into()));
    let same = planned(restore(json!({"generation": 4})), json!({})).await;
    assert_eq!(access(&same).generation, 4.into());
}
