//! What only looks, and what is made for one run.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;

use rustix::process::{Signal, kill_process};
use serde_json::Value as Json;
use terraform_provider_ha::host::{Hosts, Patience, Target, Way};

use crate::local::{Local, VERSION, for_each_engine_with_etcd};

for_each_engine_with_etcd![
    a_cluster_is_looked_at_and_spoken_to,
    what_cannot_be_asked_is_told_with_what_is_missing,
];

const ABC: [&str; 3] = ["a", "b", "c"];

/// Writes with the ephemeral certificate, and leaves the credentials outside, where they can be looked for.
const READS: &str = r#"
data "ha_etcd_status" "this" {
  cluster = ha_etcd_cluster.this.access
}

output "status" {
  value = data.ha_etcd_status.this
}

ephemeral "ha_etcd_client" "root" {
  cluster = ha_etcd_cluster.this.access
  ttl     = "20m"
}

resource "terraform_data" "writer" {
  provisioner "local-exec" {
    environment = {
      ENDPOINTS = join(",", ephemeral.ha_etcd_client.root.endpoints)
      CA        = ephemeral.ha_etcd_client.root.ca_certificate
      CERT      = ephemeral.ha_etcd_client.root.client_certificate
      KEY       = ephemeral.ha_etcd_client.root.client_key
    }
    command = <<-EOT
      set -eu
      cd "$OUTSIDE"
      printf %s "$CA" > ca.pem
      printf %s "$CERT" > cert.pem
      printf %s "$KEY" > key.pem
      "$ETCDCTL" --endpoints="$ENDPOINTS" --cacert=ca.pem --cert=cert.pem --key=key.pem put fruit apple
    EOT
  }
}
"#;

fn status(on: &Local) -> Json {
    let text = fs::read(on.path("terraform.tfstate")).unwrap();
    serde_json::from_slice::<Json>(&text).unwrap()["outputs"]["status"]["value"].clone()
}

fn a_cluster_is_looked_at_and_spoken_to(on: &Local) {
    on.wish(&ABC, "deletion_protection = false\n  on_destroy = \"purge\"");
    fs::write(on.path("reads.tf"), READS).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let with = [("OUTSIDE", outside.path()), ("ETCDCTL", &on.programs.join("etcdctl"))];
    on.apply_with(&with);
    assert_eq!(on.etcdctl("b", &["get", "fruit", "--print-value-only"]), "apple");
    let told = status(on);
    assert_eq!((&told["healthy"], &told["quorum"]), (&true.into(), &true.into()), "{told}");
    assert_eq!(told["alarms"], Json::Array(vec![]));
    assert!(told["leader"].as_str().is_some_and(|it| ABC.contains(&it)), "{told}");
    assert!(1 <= told["revision"].as_u64().unwrap(), "{told}");
    let listed = on.etcdctl("a", &["member", "list"]);
    for node in ABC {
        let member = &told["members"][node];
        assert!(listed.contains(&format!("{}, started, {node}", member["id"].as_str().unwrap())));
        assert_eq!((&member["reachable"], &member["learner"]), (&true.into(), &false.into()));
        assert_eq!(member["version"], VERSION);
        assert!(0 < member["db_size"].as_u64().unwrap());
        assert!(member["certificate_expires"].as_str().unwrap().ends_with('Z'), "{member}");
    }

    // The key is in nothing but what the provisioner wrote.
    let key = fs::read_to_string(outside.path().join("key.pem")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    assert!(40 < secret.len() && key.starts_with("-----BEGIN PRIVATE KEY-----"));
    on.run_with(&["plan", "-out=plan.bin"], &with);
    let shown = on.run(&["show", "-json", "plan.bin"]).succeeds();
    fs::write(on.path("plan.json"), shown.text).unwrap();
    let files = tree(&on.path(""));
    assert!(files.iter().any(|it| it.0.ends_with("trace.log")));
    for (path, content) in &files {
        let text = String::from_utf8_lossy(content);
        assert!(!text.contains(&secret[20..]), "{} has the key", path.display());
        let is_of_engine = path.parent() == Some(&on.path(""));
        assert!(!is_of_engine || !text.contains("PRIVATE KEY"), "{} has a key", path.display());
    }

    // Neither a look nor a signature takes a lock or writes anything, and the journal has nothing to tell.
    let kept = || ["etc", "var/lib/ha", "var/lib/ha-agent"].map(|it| tree(&on.root("a").join(it)));
    let held = hold(on, "a");
    let before = kept();
    on.apply_with(&with);
    for (before, after) in before.iter().zip(kept()) {
        for (before, after) in before.iter().zip(after) {
            assert!(*before == after, "{} was written", after.0.display());
        }
    }
    held();
    assert_eq!(status(on)["healthy"], true);

    // A member that is down is told of, and is in nobody's way.
    for program in ["ha-agent", "etcd"] {
        for pid in on.processes("b", program) {
            // It may have gone with its supervisor.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    // It may have led: until the others have elected another, there is no quorum to be told of.
    assert!((0..20).any(|_| on.serves("a") && on.serves("c")), "the others elect nobody");
    let unrefreshed = ["apply", "-auto-approve", "-refresh=false"];
    on.run_with(&unrefreshed, &with).says("b does not answer, or not completely");
    let told = status(on);
    let member = |key: &str| {
        (told["members"][key]["reachable"].clone(), told["members"][key]["id"].is_null())
    };
    assert_eq!((&told["healthy"], &told["quorum"]), (&false.into(), &true.into()), "{told}");
    assert_eq!((member("a"), member("b")), ((true.into(), false), (false.into(), false)), "{told}");
    assert!(told["members"]["b"]["certificate_expires"].is_string());
    on.apply_with(&with);
    assert_eq!(status(on)["healthy"], true);

    // What is not to be had is refused before anybody is asked.
    for (argument, said) in
        [("ttl = \"5m\"", "from `10m` to `24h`"), ("user = \"\"", "1 to 64 printable characters")]
    {
        fs::write(on.path("reads.tf"), READS.replace("ttl     = \"20m\"", argument)).unwrap();
        on.plan_fails().says(said);
    }
}

fn what_cannot_be_asked_is_told_with_what_is_missing(on: &Local) {
    let cluster = r#"
variable "cluster" {
  default = {
    id = "1", name = "prod", endpoints = ["https://192.0.2.1:2379"], generation = 0
    ca_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    hosts = { a = { host = { address = "192.0.2.1" }, address = "192.0.2.1" } }
  }
}
resource "terraform_data" "key" {}
"#;
    let block = "terraform {\n  required_providers {\n    ha = { source = \"terraform-ha/ha\" }\n  }\n}\n\
                 provider \"ha\" {\n  ssh = { private_key = terraform_data.key.id }\n}\n";
    fs::write(on.path("provider.tf"), block).unwrap();
    let look = "data \"ha_etcd_status\" \"this\" {\n  cluster = var.cluster\n}\n\
                output \"members\" {\n  value = data.ha_etcd_status.this.members\n}\n";
    fs::write(on.path("main.tf"), format!("{cluster}{look}")).unwrap();
    on.plan()
        .says("`ssh.private_key` of the provider block is known only after apply")
        .says("reachable = false");
    let made = "ephemeral \"ha_etcd_client\" \"root\" {\n  cluster = var.cluster\n}\n\
                output \"x\" {\n  value = ephemeralasnull(ephemeral.ha_etcd_client.root.client_certificate)\n}\n";
    fs::write(on.path("main.tf"), format!("{cluster}{made}")).unwrap();
    on.plan_fails().says("`ssh.private_key` of the provider block is known only after apply");
}

/// Holds the lock of the cluster on a host, as another run does, until the answer is called.
fn hold(on: &Local, node: &str) -> impl FnOnce() {
    let (agents, root) = (on.path("agents"), on.root(node));
    let ((is_held, held), (end, ended)) = (channel(), channel::<()>());
    let run = async move {
        let hosts = Hosts::new("another run".to_owned(), Some(agents));
        let target = Target { name: "a".parse().unwrap(), way: Way::Local { root } };
        let host = hosts.connect(&target, Patience::Once).await.unwrap();
        let locked = host.lock("etcd_cluster-prod", 0).await.unwrap();
        is_held.send(()).unwrap();
        tokio::task::spawn_blocking(move || ended.recv()).await.unwrap().unwrap();
        locked.release().await.unwrap();
    };
    let holder = thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run);
    });
    held.recv().unwrap();
    move || {
        end.send(()).unwrap();
        holder.join().unwrap();
    }
}

/// Every file below, with its content, but for data of etcd and programs.
fn tree(at: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(at).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() && !path.ends_with("usr/local/lib/ha") {
            found.extend(tree(&path));
        } else if kind.is_file() {
            // It may be gone by now.
            found.extend(fs::read(&path).ok().map(|it| (path, it)));
        }
    }
    found.sort();
    found
}
