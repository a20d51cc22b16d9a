//! Every refusal of a plan: the attribute at fault, and the way out. No host is asked.
//!
//! | what is written | test |
//! |---|---|
//! | one attribute by itself | `what_cannot_be_is_refused_where_it_is_written` |
//! | ranges of addresses | `ranges_overlap_nothing_that_they_must_reach` |
//! | arguments and variables of components | `what_the_provider_sets_is_no_argument` |
//! | what is fixed at create | `what_is_fixed_at_create_cannot_be_changed` |
//! | `version` of a control plane that runs | `a_version_goes_up_by_one_minor` |
//! | `nodes` | `each_node_is_a_machine_with_an_address_of_its_own` |
//! | `etcd` | `another_etcd_is_refused_and_a_restored_one_is_not` |
//! | what is allowed with a warning | `what_is_allowed_and_bears_less_is_told` |
//! | values that are not known yet | `what_is_known_is_judged_while_the_rest_is_not` |
//! | a destroy | `a_protected_control_plane_is_not_destroyed` |
//!
//! What only hosts can tell (objects of somebody else in etcd, lost keys, a silent host, two keys of one machine, a version
//! of which there is no program, a flag that a program does not know) is refused by the planner or by the step that finds it:
//! the tables are in `domain/kubernetes`. Two hosts alike, roots and connections: `hosts`.

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
    check(json!({"name": "a".repeat(41)}), "name", name).await;
    check(json!({"version": "v1.34.4"}), "version", "a version such as `1.34.4`").await;
    let known = "this provider knows 1.34 to 1.36";
    check(json!({"version": "1.33.9"}), "version", known).await;
    check(json!({"version": "1.37.0"}), "version", known).await;
    for endpoint in ["api.example.test", "https://a:1", "a:0", "*.a:1", "2001:db8::1"] {
        check(json!({"endpoint": endpoint}), "endpoint", "`host:port`, such as").await;
    }
    for prefix in ["registry", "/", "/a/../b", "/a b"] {
        check(json!({"etcd_prefix": prefix}), "etcd_prefix", "a path of letters").await;
    }
    check(json!({"port": 0}), "port", "a port is not 0").await;
    check(json!({"port": 65_536}), "port", "65535").await;
    let domain = "labels of lower-case letters";
    check(json!({"cluster_domain": "Cluster.local"}), "cluster_domain", domain).await;
    let issuer = "service_account_issuer";
    check(json!({issuer: "http://a"}), issuer, "a URL that begins with `https://`").await;
    check(json!({"feature_gates": {"A=": true}}), "feature_gates[\"A=\"]", "letters and digits")
        .await;
    for attribute in ["enable_admission_plugins", "disable_admission_plugins"] {
        check(json!({attribute: ["A,B"]}), attribute, "\"A,B\"").await;
    }
    let both = json!({"enable_admission_plugins": ["A"], "disable_admission_plugins": ["A"]});
    check(both, "disable_admission_plugins", "A is to be both on and off").await;
    let admit = json!({"enable_admission_plugins": ["AlwaysAdmit"]});
    check(admit, "enable_admission_plugins", "switches all admission control off").await;
    let audit = async |edit: Json, path: &str, words: &str| {
        check(json!({"audit": edit}), &format!("audit.{path}"), words).await;
    };
    audit(json!({"policy": "rules: []"}), "policy", "`kind: Policy`").await;
    audit(json!({"max_age": 0}), "max_age", "from 1 to").await;
    audit(json!({"max_backups": -1}), "max_backups", "from 1 to").await;
    audit(json!({"max_size": 0}), "max_size", "from 1 to").await;
    let at_rest = "encryption_at_rest";
    check(json!({at_rest: "aescbc"}), at_rest, "one of `secretbox`, `none`").await;
    check(json!({"anonymous_paths": ["/*"]}), "anonymous_paths", "\"/*\"").await;
    check(json!({"tls_min_version": "1.1"}), "tls_min_version", "one of `1.2`, `1.3`").await;
    let suites = async |suites: Json, version: &str, path: &str, words: &str| {
        let edit = json!({"tls_cipher_suites": suites, "tls_min_version": version});
        check(edit, path, words).await;
    };
    let at = "tls_cipher_suites";
    suites(json!(["AES"]), "1.2", "tls_cipher_suites[0]", "named as in Go").await;
    suites(json!(["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]), "1.2", at, "HTTP/2 needs").await;
    suites(json!(["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]), "1.3", at, "leave them out").await;
    check(json!({"shutdown_delay": "601s"}), "shutdown_delay", "above 10 minutes").await;
    check(json!({"shutdown_delay": "1500us"}), "shutdown_delay", "in whole milliseconds").await;
    let certificates = async |edit: Json, path: &str, words: &str| {
        check(json!({"certificates": edit}), &format!("certificates.{path}"), words).await;
    };
    certificates(json!({"validity": "5m"}), "validity", "between 10 minutes and 100 years").await;
    certificates(json!({"ca_validity": "8759h"}), "ca_validity", "not below `validity`").await;
    certificates(json!({"extra_sans": ["a", "b_c"]}), "extra_sans[1]", "Leave it out").await;
    check(json!({"on_destroy": "delete"}), "on_destroy", "one of `keep`, `purge`").await;
    let recipients = async |text: &str, words: &str| {
        let edit = json!({"recovery_recipients": [RECIPIENT, text]});
        check(edit, "recovery_recipients[1]", words).await;
    };
    recipients("age1x", "is no public key of age").await;
    recipients("AGE-SECRET-KEY-1X", "this is a private key").await;
    let from = "-----BEGIN AGE ENCRYPTED FILE-----";
    check(json!({"recover_from": "prod.age"}), "recover_from", from).await;
}

#[tokio::test]
async fn ranges_overlap_nothing_that_they_must_reach() {
    let ranges = async |services: &[&str], pods: &[&str], path: &str, words: &str| {
        check(json!({"service_cidrs": services, "pod_cidrs": pods}), path, words).await;
    };
    let (services, pods) = (&["10.96.0.0/12"][..], &["10.244.0.0/16"][..]);
    passes(None, json!({"service_cidrs": ["10.96.0.0/12", "fd00::/108"]})).await;
    ranges(services, &["10.96.0.0/16"], "pod_cidrs", "overlaps 10.96.0.0/12").await;
    ranges(services, &["192.0.0.0/16"], "pod_cidrs", "overlaps 192.0.2.1 of a").await;
    let etcd = "overlaps 198.51.100.1 of etcd";
    ranges(&["198.51.100.0/24"], pods, "service_cidrs", etcd).await;
    let edit = json!({"endpoint": "203.0.113.1:443", "service_cidrs": ["203.0.113.0/24"]});
    check(edit, "service_cidrs", "overlaps 203.0.113.1 of the endpoint").await;
    let inside = "write 10.96.0.0/12";
    ranges(&["10.96.0.1/12"], pods, "service_cidrs[0]", inside).await;
    ranges(services, &["x"], "pod_cidrs[0]", "is no range of addresses").await;
    let families = "one range, or one of each family";
    ranges(&[], pods, "service_cidrs", families).await;
    ranges(services, &["10.244.0.0/16", "10.245.0.0/16"], "pod_cidrs", families).await;
    ranges(&["10.0.0.0/11"], pods, "service_cidrs", "is not between /12 and /28").await;
    ranges(services, &["10.244.0.0/25"], "pod_cidrs", "is not between /8 and /24").await;
    let other = "is of another family than fd00::/112, the first of service_cidrs";
    ranges(&["fd00::/112"], &["fd01::/56"], "nodes[\"a\"].address", other).await;
}

#[tokio::test]
async fn what_the_provider_sets_is_no_argument() {
    let argument = async |component: &str, text: &str, words: &str| {
        let edit = json!({component: {"extra_args": ["--v=2", text]}});
        check(edit, &format!("{component}.extra_args[1]"), words).await;
    };
    let all = ["api_server", "controller_manager", "scheduler"];
    for component in all {
        passes(None, json!({component: {"extra_args": ["--profiling=true"]}})).await;
        argument(component, "--profiling", "is not written as --flag=value").await;
        argument(component, "--v=3", "--v is given twice").await;
        argument(component, "--feature-gates=A=true", "use feature_gates").await;
        argument(component, "--tls_min_version=x", "use tls_min_version").await;
        let edit = json!({component: {"environment": {"HA_X": "1"}}});
        let path = format!("{component}.environment[\"HA_X\"]");
        check(edit, &path, "belong to the provider").await;
    }
    argument("api_server", "--etcd-servers=x", "use etcd").await;
    argument("api_server", "--anonymous-auth=true", "use anonymous_paths").await;
    argument("api_server", "--token-auth-file=/x", "is never passed on").await;
    argument("controller_manager", "--cluster-cidr=x", "use pod_cidrs").await;
    argument("scheduler", "--leader-elect=false", "it stays on").await;
}

#[tokio::test]
async fn what_is_fixed_at_create_cannot_be_changed() {
    let way_out = "Set it back, or create a second resource beside this one and move over.";
    let fixed = async |edit: Json, path: &str| {
        check_change(json!({}), edit, path, way_out).await;
    };
    fixed(json!({"name": "other"}), "name").await;
    fixed(json!({"etcd_prefix": "/other"}), "etcd_prefix").await;
    fixed(json!({"port": 443}), "port").await;
    fixed(json!({"service_cidrs": ["10.97.0.0/16"]}), "service_cidrs").await;
    fixed(json!({"pod_cidrs": ["10.245.0.0/16"]}), "pod_cidrs").await;
    fixed(json!({"cluster_domain": "example.test"}), "cluster_domain").await;
    fixed(json!({"service_account_issuer": "https://a.test"}), "service_account_issuer").await;
    fixed(json!({"encryption_at_rest": "none"}), "encryption_at_rest").await;
    fixed(json!({"certificates": {"ca_validity": "99999h"}}), "certificates.ca_validity").await;
    // The same time in other words.
    passes(Some(json!({})), json!({"certificates": {"ca_validity": "5256000m"}})).await;
}

#[tokio::test]
async fn a_version_goes_up_by_one_minor() {
    let from_to = async |from: &str, to: &str, words: &str| {
        let version = |it: &str| json!({"version": it});
        check_change(version(from), version(to), "version", words).await;
    };
    from_to("1.34.4", "1.34.3", "going back to 1.34.3 is not supported").await;
    from_to("1.35.0", "1.34.4", "going back to 1.34.4 is not supported").await;
    from_to("1.34.4", "1.36.1", "go to 1.35 before 1.36.1").await;
    from_to("1.36.1", "1.37.0", "this provider knows 1.34 to 1.36").await;
    for to in ["1.34.5", "1.35.0"] {
        let found = plan_of(Some(&json!({})), &json!({"version": to})).await;
        assert!(!found.has_errors(), "{to}: {found:?}");
    }
}

#[tokio::test]
async fn each_node_is_a_machine_with_an_address_of_its_own() {
    check(json!({"nodes": {}}), "nodes", "at least one node").await;
    let named = json!({"a b": {"host": {"address": "192.0.2.1"}}});
    check(json!({"nodes": named}), "nodes[\"a b\"]", "no name of a host").await;
    let at = |name: &str, address: &str| {
        let mut all = nodes("a b c");
        all[name]["address"] = address.into();
        json!({"nodes": all})
    };
    let path = "nodes[\"c\"].address";
    check(at("c", "192.0.2.1"), path, "Give each its own").await;
    check(at("c", "127.0.0.1"), path, "allowed only where every host is local").await;
    check(at("c", "0.0.0.0"), path, "that the others reach it at").await;
    check(at("c", "node-c"), path, "must be an IP address").await;
    let mut twice = nodes("a b");
    twice["b"] = json!({"host": {"address": "192.0.2.1"}, "address": "192.0.2.2"});
    let path = "nodes[\"b\"].host.address";
    check(json!({"nodes": twice}), path, "Two hosts are the same machine").await;
    let change = async |to: &str, words: &str| {
        check_change(json!({}), json!({"nodes": nodes(to)}), "nodes", words).await;
    };
    change("d e f", "keep one, apply, and remove it then").await;
}

#[tokio::test]
async fn another_etcd_is_refused_and_a_restored_one_is_not() {
    let other = "-----BEGIN CERTIFICATE-----\nOTHER\n-----END CERTIFICATE-----\n";
    let moved = |generation: i64| json!({"etcd": etcd(json!({"ca_certificate": other, "generation": generation}))});
    check_change(json!({}), moved(0), "etcd", "create a second control plane").await;
    let found = plan_of(Some(&json!({})), &moved(1)).await;
    assert!(!found.has_errors(), "{found:?}");
    let endpoints = async |edit: Json, path: &str, words: &str| {
        check(json!({"etcd": etcd(json!({"endpoints": edit}))}), path, words).await;
    };
    endpoints(json!([]), "etcd", "has no endpoint").await;
    let text = "written https://192.0.2.1:2379";
    endpoints(json!(["http://192.0.2.1:2379"]), "etcd.endpoints[0]", text).await;
    let authority = json!({"etcd": etcd(json!({"ca_certificate": "x"}))});
    check(authority, "etcd.ca_certificate", "PEM that begins with").await;
}

#[tokio::test]
async fn what_is_allowed_and_bears_less_is_told() {
    let check = async |from: Json, to: Json, expected: &[&str]| {
        let found = plan_of(Some(&from), &to).await;
        let told: Vec<_> = found.iter().map(Diagnostic::detail).collect();
        assert_eq!(told, expected);
        assert!(!found.has_errors());
    };
    let one = |edit: Json| {
        let mut edit = edit;
        edit["nodes"] = nodes("a");
        edit
    };
    let pauses = "a is the only node, so the API is away while it restarts.";
    check(one(json!({})), one(json!({"audit_log": false})), &[pauses]).await;
    check(json!({}), json!({"audit_log": false}), &[]).await;
    let closed = json!({"anonymous_paths": []});
    let ready =
        "`anonymous_paths` lacks `/readyz`, which balancers ask to learn whether a node is ready.";
    check(closed.clone(), closed, &[ready]).await;
    let nobody = json!({"recovery_recipients": []});
    let lost = "`recovery_recipients` is empty: once no node has the key of Secrets any more, no snapshot of etcd can be read.";
    check(nobody.clone(), nobody.clone(), &[lost]).await;
    let open = edited(nobody, &json!({"encryption_at_rest": "none"}));
    check(open.clone(), open, &[]).await;
}

#[tokio::test]
async fn what_is_known_is_judged_while_the_rest_is_not() {
    let later = |names: &str| {
        let mut all = nodes(names);
        for node in all.as_object_mut().unwrap().values_mut() {
            node["host"]["address"] = "?".into();
        }
        all
    };
    let with = |edit: Json| {
        let mut with = edit;
        with["nodes"] = later("a b c");
        with
    };
    for edit in [
        with(json!({})),
        json!({"nodes": "?"}),
        json!({"etcd": "?"}),
        json!({"etcd": etcd(json!({"endpoints": "?"}))}),
        json!({"etcd": etcd(json!({"endpoints": ["?", "https://198.51.100.2:2379"]}))}),
        json!({"name": "?"}),
        json!({"version": "?"}),
        json!({"endpoint": "?"}),
        json!({"service_cidrs": "?", "pod_cidrs": ["10.96.0.0/12"]}),
        json!({"pod_cidrs": "?", "service_cidrs": ["10.244.0.0/16"]}),
        json!({"tls_min_version": "?", "tls_cipher_suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]}),
        json!({"api_server": {"extra_args": "?"}, "audit": {"policy": "?", "max_age": "?"}}),
        json!({"recovery_recipients": "?"}),
        json!({"scheduler": "?", "feature_gates": "?", "anonymous_paths": "?"}),
    ] {
        passes(None, edit).await;
    }
    let mut v6 = nodes("a b");
    v6["a"]["address"] = "2001:db8::1".into();
    v6["b"]["address"] = "?".into();
    passes(None, json!({"nodes": v6, "service_cidrs": "?", "pod_cidrs": ["fd01::/56"]})).await;
    let mut half = nodes("a b c");
    half["b"]["host"] = "?".into();
    half["c"]["host"]["transport"] = "?".into();
    passes(None, json!({"nodes": half})).await;

    check(with(json!({"pod_cidrs": ["10.96.0.0/16"]})), "pod_cidrs", "overlaps").await;
    let owned = json!({"api_server": {"extra_args": ["--secure-port=1"]}});
    check(with(owned), "api_server.extra_args[0]", "use port").await;
    check(with(json!({"version": "1.33.1"})), "version", "this provider knows").await;
    check(json!({"nodes": "?", "shutdown_delay": "1h"}), "shutdown_delay", "10 minutes").await;
    check_change(json!({}), with(json!({"version": "1.36.1"})), "version", "go to 1.35").await;
    check_change(json!({}), with(json!({"version": "1.34.1"})), "version", "going back").await;
}

#[test]
fn a_protected_control_plane_is_not_destroyed() {
    let object = |edit: Json| Object::<ControlPlane> {
        state: applied(&edit).0,
        private: Kept::default(),
        identity: None,
    };
    let found = ControlPlane.protects(&object(json!({})));
    let hint = "Set it to `false`, apply, and destroy then.";
    expect(&found, &json!({}), "deletion_protection", hint);
    assert!(ControlPlane.protects(&object(json!({"deletion_protection": false}))).is_empty());
}
