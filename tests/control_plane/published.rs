//! The module and the example where they lie in the repository, as users get them.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use rustix::process::{Signal, kill_process};
use serde_json::json;

use crate::bind::Bind;
use crate::engine::Engine;
use crate::plane::{NODES, Plane};
use crate::processes::until;
use crate::published_folder::Published;

/// The last number of the address of the balancer.
const FRONT: u8 = 30;

/// False is said.
fn has_haproxy() -> bool {
    let has = Path::new("/usr/sbin/haproxy").exists();
    if !has {
        assert!(env::var_os("CI").is_none(), "HAProxy is not installed: run scripts/setup");
        eprintln!("left out: HAProxy is not installed; `scripts/setup` installs it");
    }
    has
}

#[test]
fn the_example_runs_on_this_machine() {
    let (Some(on), Some(bind)) = (Plane::new(Engine::Terraform), Bind::start()) else { return };
    if !has_haproxy() {
        return;
    }
    let mut example = Published::new(&on, "examples/local", &on.path("programs"));
    let hosts = on.path("hosts").display().to_string();
    example.variables.insert("directory", hosts);
    let three = ["a", "b", "c"].map(|it| (it, on.address(it)));
    example.variables.insert("hosts", json!(BTreeMap::from(three)).to_string());
    let front = on.number(FRONT).to_string();
    example.variables.insert("load_balancer_address", front.clone());
    let applied = example.settle();
    applied.says("start the first API servers on a, b, c").says("start HAProxy on front");

    // A name for it, which becomes one in the certificates; and one of the servers behind it dies.
    example.variables.insert("dns_zone", "example.test".to_owned());
    example.variables.insert("dns_server", bind.server.to_string());
    example.secret = Some(bind.secret.clone());
    example.settle().says("1 added");
    assert_eq!(bind.shows("api", "A"), format!("30: {front}"));
    let through = |name: &str| {
        let output = Command::new(on.path("programs/kubectl"))
            .arg(format!("--kubeconfig={}", on.path("hosts/kubeconfig").display()))
            .arg(format!("--server=https://{front}:6443"))
            .args([&format!("--tls-server-name={name}"), "get", "--raw", "/readyz"])
            .output()
            .unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    assert_eq!(through("api.example.test"), "ok");
    for pid in on.processes("b", "kube-apiserver") {
        kill_process(pid, Signal::KILL).unwrap();
    }
    // One may meet it while it goes.
    let answers: Vec<_> = (0..5).map(|_| through("api.example.test")).collect();
    assert!(4 <= answers.iter().filter(|it| *it == "ok").count(), "{answers:?}");

    example.variables.insert("etcd_quota_backend_bytes", "1073741824".to_owned());
    example.settle().says("restart etcd on");

    example.run_on_state("destroy", &["-auto-approve"]).succeeds().says("6 destroyed");
    assert_eq!(bind.shows("api", "A"), "-");
    for node in NODES.into_iter().chain(["front"]) {
        // The agent of a local host goes with the provider, which the engine does not wait for.
        until("the last process", || on.processes(node, "").is_empty().then_some(()));
        assert!(!on.root(node).join("var/lib/etcd/local").exists(), "{node}");
        assert!(!on.root(node).join("etc/kubernetes-local").exists(), "{node}");
        assert!(!on.root(node).join("etc/balancer-local").exists(), "{node}");
    }
}

#[test]
fn the_module_passes_its_own_tests() {
    let Some(on) = Plane::new(Engine::Tofu) else { return };
    if !has_haproxy() {
        return;
    }
    let mut module = Published::new(&on, "modules/control-plane", &on.path("programs"));
    let hosts = on.path("hosts");
    fs::create_dir(&hosts).unwrap();
    module.variables.insert("scratch_directory", hosts.display().to_string());
    let address = on.address("a");
    let network = address.rsplit_once('.').unwrap().0;
    module.variables.insert("network", network.to_owned());
    module.run("test", &[]).succeeds().says("Success!").says("tests/life.tftest.hcl... pass");
    assert_eq!(fs::read_dir(hosts).unwrap().count(), 0, "the tests leave something behind");
}

/// What takes time is the same for both; what a plan tells is not left to one of them.
#[test]
fn the_plans_of_the_module_are_as_its_tests_say_under_terraform_too() {
    let Some(on) = Plane::new(Engine::Terraform) else { return };
    let module = Published::new(&on, "modules/control-plane", &on.path("programs"));
    let only = "-filter=tests/plan.tftest.hcl";
    module.run("test", &[only]).succeeds().says("tests/plan.tftest.hcl... pass");
}

#[test]
fn the_usage_of_the_module_is_valid() {
    for engine in [Engine::Terraform, Engine::Tofu] {
        let Some(on) = Plane::new(engine) else { return };
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = fs::read_to_string(repository.join("modules/control-plane/README.md")).unwrap();
        let (_, usage) = page.split_once("```terraform\n").unwrap();
        let (usage, _) = usage.split_once("```").unwrap();
        fs::remove_file(on.path("provider.tf")).unwrap();
        on.config(usage);
        symlink(repository.join("modules"), on.path("modules")).unwrap();
        for verb in ["get", "validate"] {
            let mut command = on.bare();
            command.args([verb, "-no-color"]);
            on.output(verb, command).succeeds();
        }
    }
}
