//! The operations of a control plane, [swept](Story): never are two API servers away by our own hand, no version is two
//! minors from another, and no keys are made beside those that wrote what lies in etcd.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use rcgen::KeyPair;
use serde_json::{Value as Json, json};

use super::ControlPlane;
use crate::actions::kubernetes::fake::{ETCD, Machines, Programs, make_etcd};
use crate::domain::recovery::{Bundle, Identity, Recipient, Share, seal};
use crate::host::fake::{Failure, FakeHost};
use crate::host::messages::Subject;
use crate::resources::trial::{self, Cast, Terraform};
use crate::tfplugin::api::erase_resource;

/// How the provider reaches the nodes.
const HOSTS: [&str; 5] = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"];

/// Versions of Kubernetes that can be had.
const VERSIONS: [&str; 3] = ["1.34.4", "1.34.5", "1.35.4"];

/// The authority of etcd, and the one that it gets when it is made anew.
static AUTHORITIES: LazyLock<[String; 2]> = LazyLock::new(|| {
    let host = FakeHost::new(ETCD);
    [(); 2].map(|()| make_etcd(&host))
});

/// Of [`RECIPIENT`].
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

/// The keys of a control plane of which nothing else is left.
static BUNDLE: LazyLock<String> = LazyLock::new(|| {
    let host = FakeHost::new("gone");
    let mut files = Vec::new();
    for (which, name) in [("ca", "kubernetes-ca"), ("front-proxy-ca", "front-proxy-ca")] {
        host.make_authority(&format!("/{which}"), name);
        files.extend(["key", "crt"].map(|it| format!("{which}/ca.{it}")));
    }
    let text = |name: &String| String::from_utf8(host.file(&format!("/{name}")).unwrap()).unwrap();
    let mut texts: Vec<_> = files.iter().map(|it| (it.clone(), text(it))).collect();
    texts.push(("sa.key".to_owned(), KeyPair::generate().unwrap().serialize_pem()));
    let secret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n".to_owned();
    texts.push(("secretbox.key".to_owned(), secret));
    let (kind, name) = ("control_plane".to_owned(), "prod".to_owned());
    let plain = Bundle::new(kind, name, "1".to_owned(), texts).print().unwrap();
    let (own, to) = (Identity::of([7; 32]).unwrap(), RECIPIENT.parse::<Recipient>().unwrap());
    let secret = own.agree(to.bytes()).unwrap();
    let shares = [Share::new(to, *own.recipient().bytes(), &secret)];
    seal(&plain, &[1; 16], &[2; 16], &shares).unwrap()
});

type Story = trial::Story<Programs>;

static CAST: Cast<Programs> = Cast {
    engine: new_engine,
    machines: || Machines::with_etcd(&HOSTS),
    resource: "ha_control_plane",
    id: "prod@192.0.2.1",
    plain: without_secrets,
    beside: |it| it.programs().processes(),
    // At the end nobody is to serve.
    may_end_so: |it| it.contains(" stops while "),
    most: 3,
};

fn new_engine() -> Terraform {
    let digest = |program: &str| (program.to_owned(), Json::from("a".repeat(64)));
    let programs = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];
    let files = VERSIONS.iter().flat_map(|version| {
        programs.iter().map(move |it| digest(&format!("v{version}/bin/linux/amd64/{it}")))
    });
    let checksums: serde_json::Map<_, _> = files.collect();
    let provider = json!({"artifacts": {"checksums": checksums}, "recovery_identity": IDENTITY});
    Terraform::new(erase_resource(ControlPlane), provider)
}

/// The key of Secrets is another one in each run: 32 bytes in base64.
fn without_secrets(line: &str) -> String {
    let is_sign = |it: char| it.is_ascii_alphanumeric() || it == '+' || it == '/';
    let mut plain = String::new();
    for part in line.split_inclusive('=') {
        let rest = part.trim_end_matches('=').trim_end_matches(is_sign);
        let is_key = part.len() - rest.len() == 44 && part.ends_with('=');
        plain.push_str(if is_key { rest } else { part });
    }
    plain
}

/// A wish for nodes as in "a1 b2 c3": the key and its host.
fn wish(nodes: &str, more: &Json) -> Json {
    let node = |it: &str| {
        let (key, host) = it.split_at(1);
        let address = HOSTS[host.parse::<usize>().unwrap() - 1];
        (key.to_owned(), json!({"host": {"address": address}}))
    };
    let nodes: serde_json::Map<_, _> = nodes.split(' ').map(node).collect();
    let mut wish = json!({
        "name": "prod", "version": "1.34.4", "endpoint": "api.example.test:6443",
        "etcd": etcd(0), "nodes": nodes, "deletion_protection": false,
    });
    for (key, value) in more.as_object().unwrap() {
        wish[key] = value.clone();
    }
    wish
}

/// The cluster of etcd after so many restores, with an authority of its own each time.
fn etcd(generation: usize) -> Json {
    json!({
        "id": "7", "name": "store", "ca_certificate": AUTHORITIES[generation],
        "generation": generation, "endpoints": [format!("https://{ETCD}:2379")],
        "hosts": {"x": {"host": {"address": ETCD}, "address": ETCD}},
    })
}

fn plain(nodes: &str) -> Json {
    wish(nodes, &json!({}))
}

fn story(before: &[Json], last: Json) -> Story {
    Story::new(&CAST, before, last)
}

/// Of three nodes, something of which changes.
fn change(more: &Json) -> Story {
    story(&[plain("a1 b2 c3")], wish("a1 b2 c3", more))
}

/// Of three nodes that are as wished, until something happens to them.
fn event(event: fn(&Machines)) -> Story {
    Story { event, ..change(&json!({})) }
}

#[tokio::test(start_paused = true)]
async fn a_first_node_comes_up() {
    story(&[], plain("a1")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn three_nodes_come_up() {
    story(&[], plain("a1 b2 c3")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn nodes_join() {
    story(&[plain("a1")], plain("a1 b2 c3")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn nodes_leave() {
    story(&[plain("a1 b2 c3")], plain("c3")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn one_node_joins_and_another_leaves() {
    story(&[plain("a1 b2 c3")], plain("b2 c3 d4")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn another_machine_takes_a_place() {
    story(&[plain("a1 b2 c3")], plain("a1 b2 c4")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_key_is_renamed() {
    story(&[plain("a1 b2 c3")], plain("a1 b2 d3")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn an_argument_of_the_api_server_changes() {
    change(&json!({"shutdown_delay": "7s"})).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn an_argument_of_all_three_changes() {
    change(&json!({"tls_min_version": "1.3"})).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_patch_is_installed() {
    change(&json!({"version": "1.34.5"})).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_minor_is_installed() {
    change(&json!({"version": "1.35.4"})).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn certificates_get_another_name() {
    change(&json!({"certificates": {"extra_sans": ["vip.example.test"]}})).sweep().await;
}

/// Nobody believes any API server any more, and no API server is believed by etcd.
#[tokio::test(start_paused = true)]
async fn certificates_that_have_expired_are_renewed() {
    let expire = |it: &Machines| {
        for address in HOSTS.iter().take(3) {
            let pki = "/etc/kubernetes-prod/pki";
            let subject = Subject {
                common_name: "kube-apiserver".to_owned(),
                addresses: vec![(*address).to_owned()],
                ..Subject::default()
            };
            for leaf in ["apiserver", "scheduler"] {
                it.host(address).expire(
                    &format!("{pki}/{leaf}.crt"),
                    &format!("{pki}/ca"),
                    &subject,
                );
            }
        }
    };
    event(expire).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_down_is_started() {
    event(|it| it.host(HOSTS[0]).crash("kube-apiserver-prod.service")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_edited_is_written_anew() {
    event(|it| it.host(HOSTS[1]).edit("/etc/kubernetes-prod/audit-policy.yaml", b"# mine"))
        .sweep()
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_rebuilt_machine_joins_anew() {
    let mut last = plain("a1 b2 c3");
    last["nodes"]["c"]["host"]["host_key"] = FakeHost::new("new").host_key().into();
    let event = |it: &Machines| it.host(HOSTS[2]).rebuild("new");
    Story { event, ..story(&[plain("a1 b2 c3")], last) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_leaves() {
    let event = |it: &Machines| it.host(HOSTS[2]).set_silent(true);
    Story { event, ..story(&[plain("a1 b2 c3")], plain("a1 b2")) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_is_replaced() {
    let event = |it: &Machines| it.host(HOSTS[0]).set_silent(true);
    Story { event, ..story(&[plain("a1 b2 c3")], plain("b2 c3 d4")) }.sweep().await;
}

/// etcd was restored with another authority: no process goes on with what it knew before.
#[tokio::test(start_paused = true)]
async fn another_etcd_restarts_everything() {
    let event = |it: &Machines| drop(make_etcd(it.host(ETCD)));
    Story { event, ..change(&json!({"etcd": etcd(1)})) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_ends_and_its_keys_are_kept() {
    Story { last: None, ..story(&[plain("a1 b2 c3")], Json::Null) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_ends_with_its_keys() {
    let before = wish("a1 b2 c3", &json!({"on_destroy": "purge"}));
    Story { last: None, ..story(&[before], Json::Null) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_with_a_lost_host_ends() {
    let before = wish("a1 b2 c3", &json!({"lost_hosts": ["c"]}));
    let event = |it: &Machines| it.host(HOSTS[2]).set_silent(true);
    Story { event, last: None, ..story(&[before], Json::Null) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_is_imported_and_changed() {
    Story { is_imported: true, ..change(&json!({"shutdown_delay": "7s"})) }.sweep().await;
}

/// A wish for three nodes whose keys can be brought back.
fn kept(recover_from: &Json) -> Json {
    let more = json!({"recovery_recipients": [RECIPIENT], "recover_from": recover_from});
    wish("a1 b2 c3", &more)
}

#[tokio::test(start_paused = true)]
async fn a_recovery_bundle_is_sealed_for_others() {
    let other = "age1d38cm6gvu37dqpfgahsq82m5fzprrffrdprjlyt50nwr0dl6yyfsj6pcfg";
    let last = wish("a1 b2 c3", &json!({"recovery_recipients": [RECIPIENT, other]}));
    story(&[kept(&Json::Null)], last).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_joins_and_keeps_the_bundle() {
    let more = json!({"recovery_recipients": [RECIPIENT]});
    story(&[wish("a1 b2", &more)], wish("a1 b2 c3", &more)).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn nodes_come_up_with_the_keys_of_a_bundle() {
    story(&[], kept(&json!(*BUNDLE))).sweep().await;
}

/// One was built anew from its image, another has lost its keys alone, and on the third a part of them is left.
#[tokio::test(start_paused = true)]
async fn nodes_without_keys_are_set_up_anew() {
    let event = |it: &Machines| {
        for address in HOSTS.iter().take(3) {
            it.host(address).crash("kube-apiserver-prod.service");
        }
        it.host(HOSTS[0]).wipe("/etc/kubernetes-prod");
        it.host(HOSTS[1]).wipe("/etc/kubernetes-prod");
        it.host(HOSTS[2]).wipe("/etc/kubernetes-prod/pki/secretbox.key");
    };
    let wish = kept(&json!(*BUNDLE));
    Story { event, ..story(std::slice::from_ref(&wish), wish.clone()) }.sweep().await;
}

/// What is left of the first time stays where it was put.
#[tokio::test(start_paused = true)]
async fn keys_that_are_lost_again_are_brought_back_again() {
    let (machines, mut engine) = (Machines::with_etcd(&HOSTS), new_engine());
    let wish = kept(&json!(*BUNDLE));
    engine.apply(&machines, Some(&wish)).await.unwrap();
    for times in 1..=2 {
        for address in HOSTS.iter().take(3) {
            machines.host(address).crash("kube-apiserver-prod.service");
            machines.host(address).wipe("/etc/kubernetes-prod/pki/sa.key");
        }
        engine.apply(&machines, Some(&wish)).await.unwrap();
        assert!(engine.is_content(&machines, Some(&wish)).await);
        let lies = |it: &String| it.contains("/etc/kubernetes-prod.aside-");
        let rests: BTreeSet<_> =
            machines.host(HOSTS[0]).contents().into_iter().filter(lies).collect();
        let rests: BTreeSet<_> = rests.iter().filter_map(|it| it.split('/').nth(2)).collect();
        assert_eq!(rests.len(), times, "{rests:?}");
    }
}

/// An apply that stopped on its way, and nobody has edited anything.
#[tokio::test(start_paused = true)]
async fn what_an_apply_has_left_is_not_called_an_edit() {
    let (machines, mut engine) = (Machines::with_etcd(&HOSTS), new_engine());
    engine.apply(&machines, Some(&plain("a1 b2 c3"))).await.unwrap();
    let last = wish("a1 b2 c3", &json!({"shutdown_delay": "7s"}));
    let other = machines.moments().remove(0).resume();
    engine.clone().apply(&other, Some(&last)).await.unwrap();
    let is_it = |it: &String| it.starts_with("192.0.2.3: put /etc/systemd/system/kube-apiserver-");
    let change = other.changes().iter().position(is_it).unwrap();
    machines.fails_after(change, Failure::Refused("no space left on device".to_owned()));
    engine.apply(&machines, Some(&last)).await.unwrap_err();
    assert!(!engine.is_content(&machines, Some(&last)).await);
    let state = engine.stored.unwrap().state;
    let drift = state.entries().into_iter().flatten().find(|it| it.0 == "drift");
    let drift = format!("{drift:?}");
    // The leader, on the first host, would have come last.
    assert!(drift.contains("b: kube-apiserver-prod.service was given settings that"), "{drift}");
    assert!(!drift.contains("was edited"), "{drift}");
}

#[tokio::test(start_paused = true)]
async fn objects_of_others_are_not_taken_over() {
    let (machines, mut engine) = (Machines::with_etcd(&HOSTS), new_engine());
    machines.write_foreign_objects();
    let before = machines.moments().remove(0).picture();
    let why = engine.apply(&machines, Some(&plain("a1 b2 c3"))).await.unwrap_err();
    assert!(why.contains("etcd holds objects below /registry"), "{why}");
    assert_eq!(machines.moments().remove(0).picture(), before);
}
