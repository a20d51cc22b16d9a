//! From bare hosts to a control plane that works, through changes and a repair, to none.

use std::fs;

use crate::engine::Engine;
use crate::plane::{NODES, Plane};

const WORKLOAD: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: registry.example.test/web}]
";

#[test]
fn a_control_plane_comes_up_works_changes_is_repaired_and_goes() {
    let Some(on) = Plane::new(Engine::Terraform) else { return };
    on.wish(&NODES, "", "");
    on.plan().says("start the first API servers on a, b, c").says("record on a, b, c");
    on.settle();
    let state = on.attributes();
    assert_eq!(state["api_servers"]["b"], format!("{}:6443", on.address("b")));
    assert_eq!(state["access"]["id"], state["id"]);

    objects_are_the_same_everywhere(&on);
    only_health_is_for_everybody(&on);
    controllers_work(&on);
    an_argument_restarts_its_component_alone(&on);
    an_unknown_flag_restarts_nothing(&on);
    a_version_without_programs_restarts_nothing(&on);
    a_node_that_died_is_repaired(&on);

    let text = fs::read_to_string(on.root("a").join("var/log/kubernetes-prod/audit.log")).unwrap();
    assert!(text.contains("\"resource\":\"secrets\""), "the log has no Secret");
    assert!(!text.contains("Sesame"), "the log has what is in a Secret");
    assert!(!text.contains("\"requestURI\":\"/readyz\""), "the log has checks of health");

    on.destroy_all().says("The keys of the control plane were kept");
    for node in NODES {
        assert_eq!(on.processes(node, "kube-"), [], "{node}");
        assert!(!on.root(node).join("etc/kubernetes-prod").exists(), "{node}");
    }
}

fn objects_are_the_same_everywhere(on: &Plane) {
    on.kubectl("a", &["create", "configmap", "fruit", "--from-literal=name=apple"]);
    for node in NODES {
        let read = ["get", "configmap", "fruit", "-o", "jsonpath={.data.name}"];
        assert_eq!(on.kubectl(node, &read), "apple");
        assert_eq!(on.kubectl(node, &["get", "--raw", "/readyz"]), "ok");
    }
    on.kubectl("b", &["create", "secret", "generic", "cave", "--from-literal=word=Sesame"]);
    let raw = on.raw("/registry/secrets/default/cave");
    assert!(raw.starts_with(b"k8s:enc:secretbox:v1:k1:"), "{raw:?}");
    let word = ["get", "secret", "cave", "-o", "jsonpath={.data.word}"];
    // In base64.
    assert_eq!(on.kubectl("c", &word), "U2VzYW1l");
}

fn only_health_is_for_everybody(on: &Plane) {
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(on.status("b", path), "200", "{path}");
    }
    for path in ["/", "/version", "/api", "/metrics", "/readyz/etcd"] {
        assert_eq!(on.status("b", path), "401", "{path}");
    }
}

fn controllers_work(on: &Plane) {
    fs::write(on.path("workload.yaml"), WORKLOAD).unwrap();
    let file = on.path("workload.yaml").display().to_string();
    on.kubectl("a", &["create", "namespace", "shop"]);
    // Pods need the account that a controller makes.
    on.until_kubectl(
        "a",
        &["get", "serviceaccount", "default", "-n", "shop", "-o", "name"],
        "serviceaccount/default",
    );
    on.kubectl("a", &["apply", "-n", "shop", "-f", &file]);
    let pods = ["get", "replicaset", "-n", "shop", "-o", "jsonpath={.items[*].status.replicas}"];
    on.until_kubectl("b", &pods, "2");
    let token = on.kubectl("c", &["create", "token", "default", "-n", "shop"]);
    let who = ["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"];
    let by_token = format!("--token={token}");
    // The certificate in the file would come first.
    let output = std::process::Command::new(on.path("programs/kubectl"))
        .args([by_token.as_str(), "--kubeconfig=/dev/null"])
        .arg(format!("--server=https://{}:6443", on.address("a")))
        .arg(format!(
            "--certificate-authority={}",
            on.root("a").join("etc/kubernetes-prod/pki/ca.crt").display()
        ))
        .args(who)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "system:serviceaccount:shop:default", "{output:?}");
    on.kubectl("c", &["delete", "namespace", "shop", "--timeout=50s"]);
}

fn an_argument_restarts_its_component_alone(on: &Plane) {
    let before = NODES.map(|it| on.components(it));
    on.wish(&NODES, "scheduler = { extra_args = [\"--v=1\"] }", "");
    on.plan().says("restart kube-scheduler on b with 1.34.4 and new settings");
    on.settle();
    let after = NODES.map(|it| on.components(it));
    for (before, after) in before.iter().zip(after) {
        assert_eq!(before[..2], after[..2], "more was restarted");
        assert_ne!(before[2], after[2], "the scheduler runs on");
    }
}

fn an_unknown_flag_restarts_nothing(on: &Plane) {
    let before = NODES.map(|it| on.components(it));
    let wish = "scheduler = { extra_args = [\"--v=1\"] }\n  api_server = { extra_args = [\"--no-such-flag=1\"] }";
    on.wish(&NODES, wish, "");
    on.apply_fails().says("unknown flag: --no-such-flag");
    assert_eq!(NODES.map(|it| on.components(it)), before);
    on.wish(&NODES, "scheduler = { extra_args = [\"--v=1\"] }", "");
    on.settle();
    assert_eq!(NODES.map(|it| on.components(it)), before);
}

fn a_version_without_programs_restarts_nothing(on: &Plane) {
    let before = NODES.map(|it| on.components(it));
    fs::rename(on.path("programs/kube-scheduler"), on.path("scheduler")).unwrap();
    let text = fs::read_to_string(on.path("main.tf")).unwrap();
    on.config(&text.replace("1.34.4", "1.34.5"));
    on.apply_fails().says("kube-scheduler").says("No such file or directory");
    assert_eq!(NODES.map(|it| on.components(it)), before);
    fs::rename(on.path("scheduler"), on.path("programs/kube-scheduler")).unwrap();
    on.config(&text);
    on.plan_is_empty();
}

fn a_node_that_died_is_repaired(on: &Plane) {
    on.end("b");
    assert_eq!(on.kubectl("a", &["get", "--raw", "/readyz"]), "ok");
    on.plan().says("b: kube-apiserver-prod.service does not run");
    let others = ["a", "c"].map(|it| on.components(it));
    on.settle();
    assert_eq!(on.kubectl("b", &["get", "--raw", "/readyz"]), "ok");
    assert_eq!(["a", "c"].map(|it| on.components(it)), others, "the others were touched");
}
