//! What somebody deleted comes back, and everybody who works with it notices.

use std::fs;

use serde_json::{Value, json};
use terraform_provider_ha::domain::kubernetes::EncryptionKey;

use crate::engine::Engine;
use crate::plane::{NODES, Plane};

const SHOP: [&str; 4] = ["get", "namespace", "shop", "-o"];

/// With a backup, and with this in the block of the cluster.
fn wish(on: &Plane, trigger: &str, cluster: &str) {
    let backup = format!(
        "resource \"ha_etcd_backup\" \"this\" {{\n  name = \"x\"\n  cluster = ha_etcd_cluster.this.access\n  \
         schedule = \"0 0 1 1 *\"\n  retention = {{ last = 3 }}\n  directory = \"/srv/etcd\"\n  \
         triggers = {{ it = \"{trigger}\" }}\n  on_destroy = \"purge\"\n}}\n"
    );
    on.wish(&NODES[..2], "", &backup);
    let text = fs::read_to_string(on.path("main.tf")).unwrap();
    let version = "  deletion_protection = false\n";
    on.config(&text.replacen(version, &format!("{version}  {cluster}\n"), 1));
}

fn version_of_shop(on: &Plane, node: &str) -> u64 {
    on.kubectl(node, &[&SHOP[..], &["jsonpath={.metadata.resourceVersion}"]].concat())
        .parse()
        .unwrap()
}

#[test]
fn a_namespace_comes_back_and_controllers_see_it() {
    let Some(on) = Plane::new(Engine::Terraform) else { return };
    wish(&on, "0", "");
    on.settle();
    let account = ["get", "serviceaccount", "default", "-n", "shop", "-o", "name"];
    on.kubectl("a", &["create", "namespace", "shop"]);
    on.until_kubectl("a", &account, "serviceaccount/default");
    let cave = ["create", "secret", "generic", "cave", "-n", "shop", "--from-literal=word=Sesame"];
    on.kubectl("a", &cave);
    wish(&on, "1", "");
    on.settle();
    tells_whose_key_it_needs(&on);
    on.kubectl("b", &["delete", "namespace", "shop"]);
    on.kubectl("b", &["create", "configmap", "later"]);
    let last = on
        .kubectl("b", &["get", "configmap", "later", "-o", "jsonpath={.metadata.resourceVersion}"]);
    let before = NODES[..2].iter().map(|it| on.components(it)).collect::<Vec<_>>();

    wish(
        &on,
        "1",
        "restore = { generation = 1, directory = \"/srv/etcd\", discard_current_data = true }",
    );
    on.plan().says("stop etcd on etcd").says("restart");
    on.apply();
    on.plan_is_empty();
    for (node, before) in NODES[..2].iter().zip(before) {
        on.until_kubectl(node, &[&SHOP[..], &["name"]].concat(), "namespace/shop");
        let word = ["get", "secret", "cave", "-n", "shop", "-o", "jsonpath={.data.word}"];
        // In base64: its key is on the nodes.
        assert_eq!(on.kubectl(node, &word), "U2VzYW1l");
        assert!(!on.ask(node, &["get", "configmap", "later"]).status.success(), "{node}");
        // All have begun anew, and before that the API server was stopped.
        for (now, before) in on.components(node).iter().zip(before) {
            assert_ne!(*now, before, "{node}");
        }
        let journal = journal(&on, node);
        assert!(journal.contains("STOP \"kube-apiserver-prod.service\""), "{journal}");
    }
    // Whoever watches knows nothing newer.
    on.kubectl("a", &["label", "namespace", "shop", "is=back"]);
    assert!(last.parse::<u64>().unwrap() < version_of_shop(&on, "b"));
    // Controllers work on what is there now.
    on.kubectl("a", &["create", "namespace", "fair"]);
    let account = ["get", "serviceaccount", "default", "-n", "fair", "-o", "name"];
    on.until_kubectl("b", &account, "serviceaccount/default");
    on.kubectl("a", &["delete", "namespace", "shop"]);
    on.destroy_all();
}

/// The manifest of the newest snapshot names the key of Secrets by its fingerprint, and tells nothing else of it.
fn tells_whose_key_it_needs(on: &Plane) {
    let manifests = fs::read_dir(on.root("etcd").join("srv/etcd")).unwrap();
    let manifests = manifests.map(|it| it.unwrap().path());
    let newest = manifests.filter(|it| it.extension().is_some_and(|it| it == "json")).max();
    let text = fs::read_to_string(newest.unwrap()).unwrap();
    let key = on.root("a").join("etc/kubernetes-prod/pki/secretbox.key");
    let key = fs::read_to_string(key).unwrap();
    let fingerprint = EncryptionKey::new(key.trim_end()).unwrap().fingerprint();
    let manifest: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(manifest["encryption_keys"], json!({"prod": fingerprint}), "{text}");
    assert!(!text.contains(key.trim_end()));
}

/// What agents have noted on a node.
fn journal(on: &Plane, node: &str) -> String {
    let file = on.root(node).join("var/lib/ha-agent/journal/entries");
    String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()
}
