//! Every refusal of a plan: the attribute at fault, and the way out. No host is asked.
//!
//! | what is written | test |
//! |---|---|
//! | one attribute by itself | `what_cannot_be_is_refused_where_it_is_written` |
//! | a first cluster | `a_first_cluster_is_of_an_odd_size_and_a_safe_version` |
//! | what is fixed at create | `what_is_fixed_at_create_cannot_be_changed` |
//! | `version` of a cluster that runs | `a_version_goes_up_by_one_minor_and_from_a_safe_patch` |
//! | `members` of a cluster that runs | `members_leave_and_move_only_so_that_others_can_follow` |
//! | what is allowed with a warning | `what_is_allowed_and_bears_less_is_told` |
//! | values that are not known yet | `what_is_known_is_judged_while_the_rest_is_not` |
//! | a destroy | `a_protected_cluster_is_not_destroyed` |
//!
//! What only hosts can tell (foreign data, no quorum, a silent host, two keys of one machine) is refused by the planner:
//! its tables are in `domain/etcd`. Two hosts alike, roots and connections: `hosts`. Arguments: `domain/etcd/arguments`.

use serde_json::{Value as Json, json};

use super::*;

async fn check(edit: Json, path: &str, words: &str) {
    expect(&plan_of(None, &edit).await, &edit, path, words);
}

async fn check_change(prior: Json, edit: Json, path: &str, words: &str) {
    expect(&plan_of(Some(&prior), &edit).await, &edit, path, words);
}

async fn passes(prior: Option<Json>, edit: Json) {
    let found = plan_of(prior.as_ref(), &edit).await;
    assert!(found.is_empty(), "{edit}: {found:?}");
}

#[tokio::test]
async fn what_cannot_be_is_refused_where_it_is_written() {
    passes(None, json!({})).await;
    let name = "1 to 40 lower-case letters, digits and `-`, none at the ends";
    check(json!({"name": "Prod"}), "name", name).await;
    check(json!({"name": "-a"}), "name", name).await;
    check(json!({"name": "a".repeat(41)}), "name", name).await;
    check(json!({"version": "v3.6.16"}), "version", "a version such as `3.6.16`").await;
    let known = "this provider knows 3.5, 3.6 and 3.7";
    check(json!({"version": "3.4.40"}), "version", known).await;
    check(json!({"version": "3.8.0"}), "version", known).await;

    check(json!({"members": {}}), "members", "to end it, destroy it").await;
    check(json!({"members": members("a b c d e f g h i")}), "members", "take some out of the map")
        .await;
    let named = json!({"a b": {"host": {"address": "192.0.2.1"}}});
    check(json!({"members": named}), "members[\"a b\"]", "no name of a host").await;

    let ports = "the three ports differ, and none is 0";
    check(json!({"client_port": 2380}), "client_port", ports).await;
    check(json!({"peer_port": 2379}), "peer_port", ports).await;
    check(json!({"metrics_port": 2380}), "metrics_port", ports).await;
    check(json!({"peer_port": 0}), "peer_port", ports).await;
    check(json!({"client_port": 65_536}), "client_port", "65535").await;

    let folder = "an absolute path of letters, digits, `-`, `_`, `.` and `/`";
    for path in ["etcd", "/a/../b", "/a b", "/a%b", "/"] {
        check(json!({"data_dir": path}), "data_dir", folder).await;
        check(json!({"wal_dir": path}), "wal_dir", folder).await;
    }
    check(json!({"wal_dir": "/var/lib/etcd/prod"}), "wal_dir", "leave wal_dir out").await;

    let election = "election_timeout";
    check(json!({"election_timeout": "499ms"}), election, "or lower heartbeat_interval").await;
    check(json!({"heartbeat_interval": "201ms"}), election, "raise it").await;
    check(json!({"election_timeout": "50001ms"}), election, "is above 50 s: lower it").await;
    check(json!({"election_timeout": "1000500us"}), election, "a whole number").await;
    check(json!({"heartbeat_interval": "0s"}), "heartbeat_interval", "at least one").await;

    let quota = "not between 1 and 8589934592";
    check(json!({"quota_backend_bytes": 8_589_934_593_u64}), "quota_backend_bytes", quota).await;
    check(json!({"quota_backend_bytes": 0}), "quota_backend_bytes", quota).await;
    passes(None, json!({"quota_backend_bytes": 8_589_934_592_u64})).await;

    let retention = "auto_compaction_retention";
    check(json!({"auto_compaction_retention": "1500ms"}), retention, "or `0s` to let").await;

    let argument = async |text: &str, words: &str| {
        check(json!({"extra_args": ["--max-txn-ops=256", text]}), "extra_args[1]", words).await;
    };
    argument("--max-wals", "not written as --flag=value").await;
    argument("--data-dir=/x", "use data_dir").await;
    argument("--wal-dir=/x", "use wal_dir").await;
    argument("--name=x", "use the key of the member").await;
    argument("--initial-cluster=x", "use members").await;
    argument("--listen-client-urls=x", "use client_port").await;
    argument("--listen-peer-urls=x", "use peer_port").await;
    argument("--listen-metrics-urls=x", "use metrics_port").await;
    argument("--heartbeat-interval=1", "use heartbeat_interval").await;
    argument("--election-timeout=1", "use election_timeout").await;
    argument("--quota-backend-bytes=1", "use quota_backend_bytes").await;
    argument("--auto-compaction-retention=1", "use auto_compaction_retention").await;
    argument("--cert-file=x", "use certificates").await;
    argument("--strict-reconfig-check=false", "it stays on").await;
    argument("--unsafe-no-fsync=true", "never passed on: it risks the data").await;
    argument("--unsafe-anything=true", "never passed on").await;
    argument("--force-new-cluster=true", "never passed on").await;
    argument("--max-txn-ops=1", "given twice").await;
    argument("--enable-v2=true", "etcd 3.6 has no flag --enable-v2").await;

    let variable = async |name: &str, words: &str| {
        let path = format!("environment[\"{name}\"]");
        check(json!({"environment": {name: "x"}}), &path, words).await;
    };
    variable("ETCD_UNSAFE_NO_FSYNC", "use extra_args").await;
    variable("A-B", "is no name of a variable").await;

    let certificates = async |edit: Json, path: &str, words: &str| {
        check(json!({"certificates": edit}), &format!("certificates.{path}"), words).await;
    };
    certificates(json!({"validity": "5m"}), "validity", "between 10 minutes and 100 years").await;
    certificates(json!({"ca_validity": "23h", "validity": "1h"}), "ca_validity", "Raise it").await;
    certificates(json!({"ca_validity": "8759h"}), "ca_validity", "not below `validity`").await;
    certificates(json!({"extra_sans": ["a", "b_c"]}), "extra_sans[1]", "Leave it out").await;
    certificates(json!({"key_algorithm": "rsa-2048"}), "key_algorithm", "`ecdsa-p256`").await;

    check(json!({"on_destroy": "delete"}), "on_destroy", "one of `keep`, `purge`").await;
}

#[tokio::test]
async fn a_first_cluster_is_of_an_odd_size_and_a_safe_version() {
    for names in ["a b", "a b c d", "a b c d e f"] {
        check(json!({"members": members(names)}), "members", "has 1, 3, 5 or 7 members").await;
    }
    for names in ["a", "a b c d e", "a b c d e f g"] {
        passes(None, json!({"members": members(names)})).await;
    }
    check(json!({"version": "3.5.32"}), "version", "use 3.5.33 or later").await;
    check(json!({"version": "3.6.13"}), "version", "use 3.6.14 or later").await;
    check(json!({"version": "3.7.0"}), "version", "use 3.7.1 or later").await;
    for version in ["3.5.33", "3.6.14", "3.7.1"] {
        passes(None, json!({"version": version})).await;
    }
}

#[tokio::test]
async fn what_is_fixed_at_create_cannot_be_changed() {
    let way_out = "Set it back, or create a second resource beside this one and move over.";
    let fixed = async |prior: Json, edit: Json, path: &str| {
        check_change(prior, edit, path, way_out).await;
    };
    fixed(json!({}), json!({"name": "other"}), "name").await;
    fixed(json!({}), json!({"client_port": 1}), "client_port").await;
    fixed(json!({}), json!({"peer_port": 1}), "peer_port").await;
    fixed(json!({}), json!({"metrics_port": 1}), "metrics_port").await;
    fixed(json!({}), json!({"data_dir": "/data"}), "data_dir").await;
    fixed(json!({"data_dir": "/data"}), json!({}), "data_dir").await;
    fixed(json!({}), json!({"wal_dir": "/wal"}), "wal_dir").await;
    fixed(json!({"wal_dir": "/wal"}), json!({}), "wal_dir").await;
    let certificates = |edit: Json| json!({"certificates": edit});
    let longer = certificates(json!({"ca_validity": "99999h"}));
    fixed(json!({}), longer, "certificates.ca_validity").await;
    let local = |transport: Json, root: Json| {
        let host = json!({"address": "127.0.0.2", "transport": transport, "root": root});
        json!({"members": {"a": {"host": host, "address": "127.0.0.2"}}})
    };
    let at = |what: &str| format!("members[\"a\"].host.{what}");
    let host = json!({"address": "h"});
    let by_ssh = json!({"members": {"a": {"host": host, "address": "192.0.2.1"}}});
    let found = plan_of(Some(&by_ssh), &local(json!("local"), json!("/a"))).await;
    let paths: Vec<_> = found.iter().map(|it| it.path().to_string()).collect();
    assert!(paths.contains(&at("transport")), "{paths:?}");
    fixed(local(json!("local"), json!("/a")), local(json!("local"), json!("/b")), &at("root"))
        .await;
    // The same time in other words.
    passes(Some(json!({})), certificates(json!({"ca_validity": "5256000m"}))).await;
}

#[tokio::test]
async fn a_version_goes_up_by_one_minor_and_from_a_safe_patch() {
    let from_to = async |from: &str, to: &str, words: &str| {
        let version = |it: &str| json!({"version": it});
        check_change(version(from), version(to), "version", words).await;
    };
    from_to("3.6.16", "3.6.15", "restore a snapshot instead").await;
    from_to("3.7.1", "3.6.16", "restore a snapshot instead").await;
    from_to("3.5.33", "3.7.1", "go to 3.6 before 3.7.1").await;
    from_to("3.5.31", "3.6.16", "go to 3.5.32 or later before 3.6.16").await;
    from_to("3.6.10", "3.7.1", "go to 3.6.11 or later before 3.7.1").await;
    from_to("3.5.33", "3.6.13", "use 3.6.14 or later").await;
    from_to("3.5.30", "3.5.32", "use 3.5.33 or later").await;
    let found = plan_of(Some(&json!({})), &json!({"version": "3.7.1"})).await;
    assert!(!found.has_errors(), "{found:?}");
}

#[tokio::test]
async fn members_leave_and_move_only_so_that_others_can_follow() {
    let change = async |from: &str, to: Json, path: &str, words: &str| {
        let from = json!({"members": members(from)});
        check_change(from, json!({"members": to}), path, words).await;
    };
    change("a b c", members("d e f"), "members", "keep one, apply, and remove it then").await;
    change("a", members("d"), "members", "keep one, apply, and remove it then").await;
    change("a b c", members("a b c d e f g h"), "members", "take some out of the map").await;
    let at = |name: &str, address: &str| {
        let mut all = members("a b c");
        all[name]["address"] = address.into();
        all
    };
    let path = |name: &str| format!("members[\"{name}\"].address");
    change("a b c", at("c", "192.0.2.1"), &path("c"), "Give each its own").await;
    change("a b c", at("c", "127.0.0.1"), &path("c"), "allowed only where every host is local")
        .await;
    change("a b c", at("c", "0.0.0.0"), &path("c"), "that the others reach it at").await;
    change("a b c", at("c", "node-c"), &path("c"), "must be an IP address").await;
    let mut swapped = at("a", "192.0.2.2");
    swapped["b"]["address"] = "192.0.2.1".into();
    let between = "give one of them another address in between";
    change("a b c", swapped, &path("b"), between).await;
    let mut moved = members("a b");
    moved["b"]["address"] = "198.51.100.2".into();
    change("a b", moved, &path("b"), "add a third one before, or remove one").await;
}

#[tokio::test]
async fn what_is_allowed_and_bears_less_is_told() {
    let check = async |from: &str, to: &str, expected: &[&str]| {
        let (from, to) = (json!({"members": members(from)}), json!({"members": members(to)}));
        let found = plan_of(Some(&from), &to).await;
        let told: Vec<_> = found.iter().map(Diagnostic::detail).collect();
        assert_eq!(told, expected);
        assert!(!found.has_errors());
    };
    check("a b c", "a b c", &[]).await;
    check("a b c", "a b c d", &["4 members bear no more losses than 3."]).await;
    check("a b c", "a b", &["2 members bear no more losses than 1."]).await;
    check("a b c", "a", &["3 members become one, whose loss would be that of the cluster."]).await;
}

#[tokio::test]
async fn what_is_known_is_judged_while_the_rest_is_not() {
    let later = |names: &str| {
        let mut all = members(names);
        for member in all.as_object_mut().unwrap().values_mut() {
            member["host"]["address"] = "?".into();
        }
        all
    };
    let with = |edit: Json| {
        let mut with = edit;
        with["members"] = later("a b c");
        with
    };
    passes(None, with(json!({}))).await;
    passes(None, json!({"members": "?"})).await;
    check(
        with(json!({"quota_backend_bytes": 9_000_000_000_u64})),
        "quota_backend_bytes",
        "between",
    )
    .await;
    check(with(json!({"extra_args": ["--name=x"]})), "extra_args[0]", "the key of the member")
        .await;
    check(with(json!({"version": "3.6.13"})), "version", "use 3.6.14 or later").await;
    check(json!({"members": later("a b")}), "members", "has 1, 3, 5 or 7 members").await;
    check(json!({"members": "?", "election_timeout": "60s"}), "election_timeout", "lower it").await;
    check_change(json!({}), with(json!({"version": "3.6.15"})), "version", "restore").await;
    // What depends on a value that is not known is not judged.
    passes(None, json!({"version": "?", "extra_args": ["--experimental-corrupt-check-time=1h"]}))
        .await;
    passes(None, json!({"heartbeat_interval": "?", "election_timeout": "60s"})).await;
    passes(None, json!({"client_port": "?", "peer_port": 2379})).await;
    passes(None, json!({"data_dir": "?", "wal_dir": "/var/lib/etcd/prod"})).await;
    passes(None, json!({"name": "?"})).await;
    let mut half = members("a b c");
    half["b"]["host"] = "?".into();
    half["c"]["host"]["transport"] = "?".into();
    passes(None, json!({"members": half})).await;
}

#[test]
fn a_protected_cluster_is_not_destroyed() {
    let object = |edit: Json| Object::<EtcdCluster> {
        state: applied(&edit).0,
        private: Kept::default(),
        identity: None,
    };
    let found = EtcdCluster.protects(&object(json!({})));
    expect(
        &found,
        &json!({}),
        "deletion_protection",
        "Set it to `false`, apply, and destroy then.",
    );
    let found = EtcdCluster.protects(&object(json!({"deletion_protection": false})));
    assert!(found.is_empty());
}
