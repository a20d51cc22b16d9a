//! All nodes are lost, and a bundle brings their keys back: what was encrypted is read again, and tokens are believed.

use std::fs;
use std::path::Path;
use std::process::Command;

use terraform_provider_ha::domain::recovery::{Bundle, Identity, open};

use crate::engine::Engine;
use crate::plane::Plane;
use crate::run::Run;

const NODES: [&str; 2] = ["a", "b"];
/// Of `age-keygen`.
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
const OTHER_IDENTITY: &str =
    "AGE-SECRET-KEY-1TXRCGUKQQ0X49LJ9RNEH2KFRHPEDWCX76TNC04UJZ6JN426ATHSSUNGQ9L";
const OTHER_RECIPIENT: &str = "age1d38cm6gvu37dqpfgahsq82m5fzprrffrdprjlyt50nwr0dl6yyfsj6pcfg";
const WORD: [&str; 5] = ["get", "secret", "cave", "-o", "jsonpath={.data.word}"];

impl Plane {
    fn wish_kept(&self, recipients: &[&str], from: &str) {
        let them: Vec<_> = recipients.iter().map(|it| format!("{it:?}")).collect();
        let more = format!("recovery_recipients = [{}]\n  {from}", them.join(", "));
        self.wish(&NODES, &more, "");
    }

    /// What the engine says to a user who has set an identity, and who logs everything.
    fn with_identity(&self, verb: &str, arguments: &[&str], identity: &str) -> Run {
        let mut command = self.bare();
        command.args([verb, "-no-color", "-input=false"]).args(arguments);
        command.env("HA_RECOVERY_IDENTITY", identity);
        command.env("TF_LOG", "trace").env("TF_LOG_PATH", self.path("log"));
        self.output(verb, command)
    }

    fn bundle(&self) -> String {
        self.attributes()["recovery_bundle"].as_str().unwrap().to_owned()
    }

    /// A file of a node, below its keys.
    fn key(&self, node: &str, file: &str) -> String {
        let keys = self.root(node).join("etc/kubernetes-prod/pki");
        fs::read_to_string(keys.join(file)).unwrap()
    }

    /// Whether somebody is who the token says, for whom who signed it is not asked.
    fn who(&self, node: &str, token: &str) -> String {
        let output = Command::new(self.path("programs/kubectl"))
            .args([&format!("--token={token}"), "--kubeconfig=/dev/null"])
            .arg(format!("--server=https://{}:6443", self.address(node)))
            .arg("--insecure-skip-tls-verify")
            .args(["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// No secret is in what an engine keeps, says and logs.
    #[track_caller]
    fn told_no_secret(&self, secrets: &[String], run: &Run) {
        let mut texts = vec![("output".to_owned(), run.text.clone())];
        for file in ["terraform.tfstate", "terraform.tfstate.backup", "log", "plan"] {
            if let Ok(bytes) = fs::read(self.path(file)) {
                texts.push((file.to_owned(), String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
        assert!(texts.iter().any(|it| it.0 == "log"), "nothing was logged");
        for (name, text) in texts {
            for secret in secrets {
                assert!(!text.contains(secret.as_str()), "a secret is in {name}");
            }
        }
    }
}

/// Lines of which nobody else has one like it.
fn lines(text: &str) -> impl Iterator<Item = String> {
    let lines = text.lines().filter(|it| 40 <= it.len() && !it.starts_with("-----"));
    lines.map(str::to_owned)
}

#[track_caller]
fn opened(text: &str, identity: &str) -> Bundle {
    open(text, &identity.parse::<Identity>().unwrap()).unwrap()
}

#[test]
fn lost_nodes_come_back_with_the_keys_of_a_bundle() {
    let Some(on) = Plane::new(Engine::Terraform) else { return };
    on.wish_kept(&[], "");
    on.plan().says("`recovery_recipients` is empty");
    on.wish_kept(&[RECIPIENT], "");
    on.settle();
    on.kubectl("a", &["create", "secret", "generic", "cave", "--from-literal=word=Sesame"]);
    let account = ["get", "serviceaccount", "default", "-o", "name"];
    on.until_kubectl("a", &account, "serviceaccount/default");
    let token = on.kubectl("b", &["create", "token", "default"]);

    // The bundle holds what lies on the nodes, and nothing else.
    let kept = on.bundle();
    fs::write(on.path("kept.age"), &kept).unwrap();
    let bundle = opened(&kept, IDENTITY);
    let files: Vec<_> = bundle.files.keys().map(String::as_str).collect();
    let keys = ["ca/ca.key", "front-proxy-ca/ca.key", "sa.key", "secretbox.key"];
    let certificates = ["ca/ca.crt", "front-proxy-ca/ca.crt"];
    assert_eq!(files, [certificates[0], keys[0], certificates[1], keys[1], keys[2], keys[3]]);
    for file in files {
        assert_eq!(bundle.files[file], on.key("b", file), "{file}");
    }
    let mut secrets: Vec<_> = keys.iter().flat_map(|it| lines(&bundle.files[*it])).collect();
    secrets.push(IDENTITY.to_owned());
    let record = "var/lib/ha-agent/records/control_plane-prod.recovery";
    let copies = NODES.map(|it| fs::read(on.root(it).join(record)).unwrap());
    assert_eq!(copies[0], copies[1]);

    // Another reader: nothing restarts.
    let before = NODES.map(|it| on.components(it));
    on.wish_kept(&[RECIPIENT, OTHER_RECIPIENT], "");
    on.plan().says("seal the keys in a recovery bundle, and keep it on a, b");
    on.settle();
    assert_eq!(opened(&on.bundle(), OTHER_IDENTITY).files, bundle.files);
    assert_eq!(NODES.map(|it| on.components(it)), before);

    // One machine is built anew, and of the other the keys are lost.
    for node in NODES {
        on.end(node);
    }
    build_anew(&on, "b");
    fs::remove_dir_all(on.root("a").join("etc/kubernetes-prod")).unwrap();
    let left = || fs::read_dir(on.root("a").join("etc")).unwrap().count();
    let untouched = left();
    let plan = |identity: &str| on.with_identity("plan", &["-out=plan"], identity);
    // A warning: before a destroy an engine makes the same plan.
    let way = "set recover_from to its recovery bundle";
    plan(IDENTITY).succeeds().says(way).says("a destroy goes on with what is left");
    on.with_identity("apply", &["plan"], IDENTITY).fails().says(way);
    let from = format!("recover_from = file({:?})", on.path("kept.age"));
    on.wish_kept(&[RECIPIENT], &from);
    let wrong = plan(OTHER_IDENTITY).fails();
    wrong.says("it is not encrypted to this identity").says("recover_from");
    assert_eq!(left(), untouched);
    plan(IDENTITY)
        .succeeds()
        .says("stop what is left of the control plane on a, b and move it aside")
        .says("bring the keys of the recovery bundle to a, b");
    let run = on.with_identity("apply", &["plan"], IDENTITY).succeeds();
    on.told_no_secret(&secrets, &run);
    // Nobody needs the identity any more.
    on.plan_is_empty();
    back(&on, &token);
    let again = opened(&on.bundle(), IDENTITY);
    assert_eq!((again.files, again.id), (bundle.files, bundle.id));

    // And if the state is lost with them: what lies in etcd is nobody's without the bundle.
    for node in NODES {
        on.end(node);
    }
    for node in NODES {
        build_anew(&on, node);
    }
    on.forget("ha_control_plane.this");
    on.wish_kept(&[RECIPIENT], "");
    on.apply_fails().says("etcd holds objects below /registry");
    on.wish_kept(&[RECIPIENT], &from);
    let run = on.with_identity("apply", &["-auto-approve"], IDENTITY).succeeds();
    on.told_no_secret(&secrets, &run);
    on.plan_is_empty();
    back(&on, &token);
    on.destroy_all();
    for node in NODES {
        assert!(!on.root(node).join(record).exists(), "{node}");
    }
    assert!(Path::new(&on.path("kept.age")).exists());
}

/// From its image, in which nothing of ours is.
fn build_anew(on: &Plane, node: &str) {
    fs::remove_dir_all(on.root(node)).unwrap();
    fs::create_dir(on.root(node)).unwrap();
}

/// Everybody reads what was written, and believes what was signed.
#[track_caller]
fn back(on: &Plane, token: &str) {
    for node in NODES {
        assert_eq!(on.kubectl(node, &WORD), "U2VzYW1l", "{node}");
        assert_eq!(on.who(node, token), "system:serviceaccount:default:default", "{node}");
    }
}
