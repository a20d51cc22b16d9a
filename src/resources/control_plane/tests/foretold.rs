//! What a plan knows and announces.

use serde_json::json;

use super::*;
use crate::domain::kubernetes::Step;

async fn steps(prior: Option<Json>, edit: Json) -> Vec<String> {
    let told = told(prior.as_ref(), &edit).await;
    assert!(!told.diags.has_errors(), "{:?}", told.diags);
    told.steps
}

#[tokio::test]
async fn a_create_is_told_from_claims_to_records() {
    let expected = [
        "claim a, b, c",
        "make or renew the keys and certificates of a, b, c",
        "bring Kubernetes 1.34.4 to a, b, c",
        "prepare a, b, c for Kubernetes 1.34.4",
        "start the first API servers on a, b, c",
        "bind the group of the administrators, through a",
        "start kube-controller-manager, kube-scheduler on a, b, c",
        "seal the keys in a recovery bundle, and keep it on a, b, c",
        "record on a, b, c what was applied",
    ];
    assert_eq!(steps(None, json!({})).await, expected);
}

#[tokio::test]
async fn what_follows_from_the_configuration_is_known_before_anything_is_built() {
    let mut late = nodes("a b");
    late["b"]["host"]["address"] = "?".into();
    let later = etcd(json!({"id": "?", "ca_certificate": "?"}));
    let told = told(None, &json!({"nodes": late, "etcd": later, "port": 443})).await;
    assert!(told.diags.is_empty(), "{:?}", told.diags);
    let servers = told.planned.api_servers.known().unwrap();
    let expected = BTreeMap::from([
        ("a".to_owned(), Value::Known("192.0.2.1:443".to_owned())),
        ("b".to_owned(), Value::Unknown),
    ]);
    assert_eq!(*servers, expected);
    let access = told.planned.access.known().unwrap();
    assert!(access.id.is_unknown() && access.ca_certificate.is_unknown());
    assert_eq!((&access.name, &access.port), (&"prod".into(), &443.into()));
    let hosts = access.hosts.known().unwrap();
    assert!(hosts["b"].address.is_unknown() && hosts["b"].host.is_known());
    let v6 = json!({"x": {"host": {"address": "h"}, "address": "2001:db8::1"}});
    let ranges = json!({
        "nodes": v6, "service_cidrs": ["fd00::/112"], "pod_cidrs": ["fd01::/56"],
    });
    let (state, _) = applied(&ranges);
    assert_eq!(state.api_servers.known().unwrap()["x"], "[2001:db8::1]:6443".into());
}

#[tokio::test]
async fn an_unknown_map_makes_its_results_unknown_and_lets_all_nodes_go() {
    let told = told(Some(&json!({})), &json!({"nodes": "?"})).await;
    assert!(told.planned.api_servers.is_unknown() && told.planned.access.is_unknown());
    let leave = |host: &str| Step::Retire { host: host.parse().unwrap(), was_whole: true };
    assert!(told.announced.allows(&leave("a")) && !told.announced.allows(&leave("d")));
}

#[tokio::test]
async fn a_change_restarts_the_components_that_read_it() {
    let check = async |edit: Json, expected: &[&str]| {
        let one = json!({"nodes": nodes("a")});
        let mut with = one.clone();
        for (key, value) in edit.as_object().unwrap() {
            with[key] = value.clone();
        }
        let steps = steps(Some(one), with).await;
        assert_eq!(steps, expected, "{edit}");
    };
    let restart = |what: &str| format!("restart {what} on a with 1.34.4 and new settings");
    let confirm = "note on a that Kubernetes 1.34.4 serves";
    let server = restart("kube-apiserver");
    let both = restart("kube-controller-manager, kube-scheduler");
    check(json!({}), &[]).await;
    let args = |flag: &str| json!({"extra_args": [flag]});
    check(json!({"api_server": args("--v=2")}), &[&server, confirm]).await;
    let scheduler = restart("kube-scheduler");
    check(json!({"scheduler": args("--v=2")}), &[&scheduler, confirm]).await;
    check(json!({"audit_log": false}), &[&server, confirm]).await;
    check(json!({"shutdown_delay": "6s"}), &[&server, confirm]).await;
    check(json!({"anonymous_paths": ["/readyz"]}), &[&server, confirm]).await;
    check(json!({"feature_gates": {"A": true}}), &[&server, &both, confirm]).await;
    let fewer = etcd(json!({"endpoints": ["https://198.51.100.1:2379"]}));
    check(json!({"etcd": fewer}), &[&server, confirm]).await;
    // Everybody forgets what was read before a restore.
    check(json!({"etcd": etcd(json!({"generation": 1}))}), &[&server, &both, confirm]).await;
    let certify = "make or renew the keys and certificates of a";
    check(json!({"endpoint": "other.example.test:6443"}), &[certify]).await;
    check(json!({"certificates": {"extra_sans": ["vip.example.test"]}}), &[certify]).await;
    for edit in [
        json!({"deletion_protection": false}),
        json!({"on_destroy": "purge"}),
        json!({"lost_hosts": ["a"]}),
        json!({"etcd": etcd(json!({"hosts": {"x": {"host": {"address": "h"}, "address": "h"}}}))}),
    ] {
        check(edit, &[]).await;
    }
}

#[tokio::test]
async fn an_upgrade_goes_from_node_to_node_and_the_first_leads_last() {
    let steps = steps(Some(json!({})), json!({"version": "1.35.1"})).await;
    assert_eq!(steps[0], "bring Kubernetes 1.35.1 to a, b, c");
    let at = |what: &str, host: &str| {
        let text = format!("restart {what} on {host} with 1.35.1 and new settings");
        steps.iter().position(|it| *it == text).unwrap_or_else(|| panic!("{text}: {steps:?}"))
    };
    let both = "kube-controller-manager, kube-scheduler";
    assert!(at("kube-apiserver", "b") < at(both, "b"));
    assert!(at(both, "b") < at("kube-apiserver", "c"));
    assert!(at(both, "c") < at("kube-apiserver", "a"));
}

#[tokio::test]
async fn nodes_come_before_others_go() {
    let told = told(Some(&json!({})), &json!({"nodes": nodes("a b d")})).await;
    let at = |text: &str| told.steps.iter().position(|it| it == text).unwrap();
    let leaves = at("stop the control plane on c for good and wipe its keys there");
    assert!(at("start the API server of the new node d") < leaves, "{:?}", told.steps);
    let leave = |host: &str| Step::Retire { host: host.parse().unwrap(), was_whole: true };
    assert!(told.announced.allows(&leave("c")) && !told.announced.allows(&leave("a")));
}

/// Whether it is another one shows when it answers.
#[tokio::test]
async fn a_host_that_was_edited_may_be_another_machine() {
    let leave = |host: &str| Step::Retire { host: host.parse().unwrap(), was_whole: true };
    let mut moved = nodes("a b c");
    moved["b"] = json!({"host": {"address": "b.example.test"}, "address": "192.0.2.2"});
    let told = told(Some(&json!({})), &json!({"nodes": moved})).await;
    assert!(told.announced.allows(&leave("b")) && !told.announced.allows(&leave("a")));
}

#[test]
fn private_data_of_before_is_read() {
    let text = r#"{"announced":{},"pins":{},"last":{"a":{"version":"1.34.4","is_current":true}}}"#;
    let kept: Kept = serde_json::from_str(text).unwrap();
    assert!(kept.last["a"].is_current && kept.bare.is_empty());
}

/// It is random: only what makes another one may change it.
#[tokio::test]
async fn the_bundle_is_known_until_another_one_is_made() {
    let bundle = async |prior: Option<Json>, edit: Json| {
        let told = told(prior.as_ref(), &edit).await;
        assert!(!told.diags.has_errors(), "{:?}", told.diags);
        told.planned.recovery_bundle
    };
    let with = |them: &[&str]| json!({"recovery_recipients": them});
    assert_eq!(bundle(None, json!({})).await, Value::Unknown);
    assert_eq!(bundle(None, with(&[])).await, Value::Null);
    assert_eq!(bundle(None, json!({"recovery_recipients": "?"})).await, Value::Unknown);
    let same = json!({"version": "1.34.5"});
    assert_eq!(bundle(Some(json!({})), same).await, BUNDLE.into());
    assert_eq!(bundle(Some(json!({})), with(&[])).await, Value::Null);
    assert_eq!(bundle(Some(with(&[])), json!({})).await, Value::Unknown);
    let two = [RECIPIENT, OTHER_RECIPIENT];
    assert_eq!(bundle(Some(json!({})), with(&two)).await, Value::Unknown);
    // In another order, it is for the same people.
    let turned = [OTHER_RECIPIENT, RECIPIENT];
    assert_eq!(bundle(Some(with(&two)), with(&turned)).await, BUNDLE.into());
    let seal = "seal the keys in a recovery bundle, and keep it on a, b, c";
    assert_eq!(steps(Some(json!({})), with(&two)).await, [seal]);
    let remove = "remove the recovery bundle from a, b, c";
    assert_eq!(steps(Some(json!({})), with(&[])).await, [remove]);
    let joins = steps(Some(json!({"nodes": nodes("a b")})), json!({})).await;
    assert!(joins.contains(&"keep the recovery bundle of a on c too".to_owned()), "{joins:?}");
}

/// Nobody who has answered the last read has the keys.
#[tokio::test]
async fn a_recovery_is_told_and_nothing_else_is_one() {
    let bare = |names: &[&str]| Kept {
        bare: names.iter().map(|it| (*it).to_owned()).collect(),
        ..Kept::default()
    };
    let from = json!({"recover_from": BUNDLE});
    let told = told_with(Some(&json!({})), &from, bare(&["a", "b", "c"])).await;
    // No identity is set in this test.
    expect(&told.diags, &from, "recover_from", "Neither `recovery_identity`");
    let begin = [
        "stop what is left of the control plane on a, b, c and move it aside",
        "claim a, b, c",
        "bring the keys of the recovery bundle to a, b, c",
        "make or renew the keys and certificates of a, b, c",
    ];
    assert_eq!(told.steps[..4], begin, "{:?}", told.steps);
    assert!(told.planned.recovery_bundle.is_unknown());
    let hosts = || ["a", "b", "c"].map(|it| it.parse().unwrap()).to_vec();
    assert!(told.announced.allows(&Step::Reset { hosts: hosts() }));
    assert!(told.announced.allows(&Step::Recover { hosts: hosts() }));
    // While one may have them it is ignored, and the identity is not asked for.
    let told = told_with(Some(&json!({})), &from, bare(&["a", "b"])).await;
    assert!(told.diags.is_empty() && told.steps.is_empty(), "{told:?}");
    assert_eq!(told.planned.recovery_bundle, BUNDLE.into());
    assert!(!told.announced.allows(&Step::Reset { hosts: hosts() }));
    // Those that were built anew do not answer, as long as nobody has agreed to their keys.
    let silent = |names: &[&str]| Kept {
        silent: names.iter().map(|it| (*it).to_owned()).collect(),
        ..bare(&["a"])
    };
    let told = told_with(Some(&json!({})), &from, silent(&["b", "c"])).await;
    assert_eq!(told.steps[..4], begin, "{:?}", told.steps);
    assert!(told.announced.allows(&Step::Reset { hosts: hosts() }));
    // Once one answers that has them, whatever is said of it.
    let lost = json!({"recover_from": BUNDLE, "lost_hosts": ["c"]});
    let told = told_with(Some(&lost), &lost, bare(&["a", "b"])).await;
    assert!(told.diags.is_empty() && told.steps.is_empty(), "{told:?}");
    // Without a bundle there is nothing to be done but a destroy, which no error may stop.
    let told = told_with(Some(&json!({})), &json!({}), bare(&["a", "b", "c"])).await;
    assert!(!told.diags.has_errors() && told.steps.is_empty(), "{told:?}");
    let way = "set recover_from to its recovery bundle";
    let said: Vec<_> = told.diags.iter().map(Diagnostic::detail).collect();
    assert!(said.iter().any(|it| it.contains(way)), "{said:?}");
    let told = told_with(Some(&json!({})), &json!({}), silent(&["b", "c"])).await;
    assert!(told.diags.is_empty() && told.steps.is_empty(), "{told:?}");
    // At create, on whatever lies in etcd.
    let told = told_with(None, &from, Kept::default()).await;
    assert_eq!(told.steps[..3], begin[1..], "{:?}", told.steps);
}
