//! All hosts are lost, and with them the keys of what was encrypted. A copy of a snapshot and a recovery bundle are left.

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use crate::control_plane::{Plane, VERSION};
use crate::engine::Engine;
use crate::etcd::cluster::VERSION as ETCD;
use crate::processes::until_within;

const ALL: [usize; 3] = [0, 1, 2];
/// Of `age-keygen`.
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

/// Three API servers come up on two processors.
const UP: Duration = Duration::from_mins(3);

impl Plane {
    /// A member and a node on each host, as the machines are now, and `number` of snapshots that were asked for.
    fn wish_all(&self, number: u32, cluster: &str, plane: &str) {
        let element = |host: usize| {
            let (address, key) = (self.on.lab.address(host), self.on.host_key(host));
            format!("    h{host} = {{ host = {{ address = \"{address}\", {key} }} }}\n")
        };
        let (hosts, endpoint) = (ALL.map(element).concat(), self.on.lab.address(0));
        self.on.at.config(&format!(
            "resource \"ha_etcd_cluster\" \"this\" {{\n  name = \"store\"\n  version = \"{ETCD}\"\n  \
             deletion_protection = false\n  {cluster}\n  members = {{\n{hosts}  }}\n}}\n\
             resource \"ha_etcd_backup\" \"this\" {{\n  name = \"x\"\n  cluster = ha_etcd_cluster.this.access\n  \
             schedule = \"0 0 1 1 *\"\n  retention = {{ last = 5 }}\n  directory = \"/srv/etcd\"\n  \
             triggers = {{ it = \"{number}\" }}\n}}\n\
             resource \"ha_control_plane\" \"this\" {{\n  name = \"prod\"\n  version = \"{VERSION}\"\n  \
             endpoint = \"{endpoint}:6443\"\n  etcd = ha_etcd_cluster.this.access\n  deletion_protection = false\n  \
             recovery_recipients = [\"{RECIPIENT}\"]\n  {plane}\n  nodes = {{\n{hosts}  }}\n}}\n\
             resource \"ha_kubeconfig_file\" \"admin\" {{\n  control_plane = ha_control_plane.this.access\n  \
             path = \"{}\"\n}}\n",
            self.on.at.path("kubeconfig").display()
        ));
    }

    fn ask(&self, host: usize, arguments: &[&str]) -> Output {
        Command::new(self.on.artifacts().join("kubectl"))
            .arg(format!("--kubeconfig={}", self.on.at.path("kubeconfig").display()))
            .arg(format!("--server=https://{}:6443", self.on.lab.address(host)))
            .arg("--request-timeout=10s")
            .args(arguments)
            .output()
            .unwrap()
    }

    #[track_caller]
    fn until_said(&self, host: usize, arguments: &[&str], said: &str) {
        until_within(UP, &format!("{arguments:?} through h{host} says {said:?}"), || {
            let output = self.ask(host, arguments);
            (String::from_utf8_lossy(&output.stdout).trim() == said).then_some(())
        });
    }

    /// Copies what lies on a host of the newest snapshot. The path of its data here.
    fn take_along(&self) -> String {
        let mut found = Vec::new();
        for host in ALL {
            let Ok(folder) = fs::read_dir(self.on.lab.hosts[host].root().join("srv/etcd")) else {
                continue;
            };
            found.extend(folder.map(|it| it.unwrap().path()));
        }
        found.retain(|it| it.extension().is_some_and(|it| it == "zst"));
        found.sort_by_key(|it| it.file_name().unwrap().to_owned());
        let newest = found.pop().unwrap();
        let copy = self.on.at.path(newest.file_name().unwrap().to_str().unwrap());
        fs::copy(&newest, &copy).unwrap();
        let beside = |it: &std::path::Path| it.with_extension("").with_extension("json");
        fs::copy(beside(&newest), beside(&copy)).unwrap();
        copy.display().to_string()
    }
}

#[test]
#[ignore = "minutes; `make soak` runs it"]
fn rebuilt_hosts_read_the_secrets_of_those_that_were_lost() {
    let Some(mut on) = Plane::new(Engine::Terraform, 3) else { return };
    on.wish_all(0, "", "");
    on.on.at.settle();
    let word = ["get", "secret", "cave", "-o", "jsonpath={.data.word}"];
    let made = on.ask(0, &["create", "secret", "generic", "cave", "--from-literal=word=Sesame"]);
    assert!(made.status.success(), "{made:?}");
    on.wish_all(1, "", "");
    on.on.at.settle();
    let snapshot = on.take_along();
    let state = on.on.at.stored_of("ha_control_plane", "this").unwrap();
    let bundle = state["attributes"]["recovery_bundle"].as_str().unwrap();
    let kept = on.on.at.path("kept.age");
    fs::write(&kept, bundle).unwrap();

    for host in ALL {
        on.on.lab.cut_power(host);
        on.on.lab.rebuild(host);
    }
    on.on.at.environment.push(("HA_RECOVERY_IDENTITY".to_owned(), IDENTITY.into()));
    let restore = format!("restore = {{ generation = 1, file = \"{snapshot}\" }}");
    on.wish_all(1, &restore, &format!("recover_from = file(\"{}\")", kept.display()));
    on.on.at.settle();
    for host in ALL {
        // In base64: its key is on the nodes again.
        on.until_said(host, &word, "U2VzYW1l");
    }
    // Whoever works on what is there sees it.
    let made = on.ask(1, &["create", "namespace", "shop"]);
    assert!(made.status.success(), "{made:?}");
    let account = ["get", "serviceaccount", "default", "-n", "shop", "-o", "name"];
    on.until_said(2, &account, "serviceaccount/default");
    on.on.at.destroy();
}
