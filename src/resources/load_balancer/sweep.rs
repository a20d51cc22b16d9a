//! The whole of it on hosts in memory: whatever change fails, and however, and whatever change is the last of a provider,
//! the next run comes to the same end, and nothing is tainted.
//!
//! A provider is killed before each change, which is after the one before it too. And each change fails in a run that
//! nobody kills, in three ways, in turn: the connection is lost before it, or after it, or it is refused.
//!
//! That takes minutes. So only some of the changes are tried at each run of the tests, and all with `SWEEP=all`.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::LoadBalancer;
use crate::actions::balancer::fake::Machines;
use crate::host::fake::{Failure, FakeHost};
use crate::resources::trial::{Stage, Terraform, same_end, some, without_chance};
use crate::tfplugin::api::erase_resource;

/// So many changes of each story are tried at each run of the tests.
const CHANGES: usize = 4;

/// How the provider reaches each host.
const HOSTS: [&str; 3] = ["192.0.2.11", "192.0.2.12", "192.0.2.13"];

impl Stage for Machines {
    fn fakes(&self) -> HashMap<String, FakeHost> {
        Self::fakes(self)
    }
}

/// What happens in the end, and to what.
struct Story {
    /// A wish that was fulfilled before.
    before: Option<Json>,
    /// What happened to the hosts since then, behind the back of the provider.
    event: fn(&Machines),
    /// The state was lost since then, and was brought back by one of the hosts.
    is_imported: bool,
    /// None: the end of the balancer.
    last: Option<Json>,
}

/// A wish for nodes as in "1 2", by their hosts, and backends likewise. A client of the third never leaves.
fn wish(nodes: &str, backends: &str, more: &Json) -> Json {
    let node = |it: &str| {
        let address = HOSTS[it.parse::<usize>().unwrap() - 1];
        (format!("lb{it}"), json!({"host": {"address": address}}))
    };
    let backend = |it: &str| (format!("cp{it}"), Json::from(format!("192.0.2.2{it}:6443")));
    let nodes: serde_json::Map<_, _> = nodes.split(' ').map(node).collect();
    let backends: serde_json::Map<_, _> = backends.split(' ').map(backend).collect();
    let mut wish = json!({
        "name": "api", "port": 6443, "nodes": nodes, "backends": backends,
        "health_check": {"protocol": "tcp"},
        "virtual_ip": {"address": "192.0.2.100/24", "router_id": 71},
    });
    for (key, value) in more.as_object().unwrap() {
        wish[key] = value.clone();
    }
    wish
}

fn plain(nodes: &str, backends: &str) -> Json {
    wish(nodes, backends, &json!({}))
}

/// A directory with something that goes for an agent.
fn agents() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("ha-agent_linux_amd64"), "an agent").unwrap();
    directory
}

impl Story {
    fn new(before: Json, last: Json) -> Self {
        Self { before: Some(before), event: |_| (), is_imported: false, last: Some(last) }
    }

    async fn begin(&self, engine: Terraform) -> (Arc<Machines>, Terraform) {
        let (machines, mut engine) = (Machines::new(&HOSTS), engine);
        if let Some(wish) = &self.before {
            engine.apply(&machines, Some(wish)).await.unwrap();
        }
        assert_eq!(machines.breaches(), [""; 0]);
        (self.event)(&machines);
        machines.forgive();
        if self.is_imported {
            engine = engine.anew();
            engine.import(&machines, &id()).await.unwrap();
        }
        (machines, engine)
    }

    async fn sweep(self) {
        let agents = agents();
        let engine = Terraform::new(erase_resource(LoadBalancer), json!({}));
        let (start, before) = self.begin(engine.with_agents(agents.path().to_owned())).await;
        let (machines, mut engine) = (start.fork(), before.clone());
        let done = engine.apply(&machines, self.last.as_ref()).await;
        done.unwrap_or_else(|why| panic!("undisturbed: {why}\n{}", history(&machines)));
        let changes = machines.changes();
        assert!(!changes.is_empty());
        let expected = self.end("undisturbed", &machines, &mut engine).await;

        let numbered: Vec<_> = changes.iter().enumerate().collect();
        for (turn, (number, change)) in some(&numbered, CHANGES).enumerate() {
            let (machines, mut engine) = (start.fork(), before.clone());
            let killed = machines.kills_at(*number);
            tokio::select! {
                done = engine.apply(&machines, self.last.as_ref()) => {
                    panic!("not killed before {change:?}: {done:?}");
                }
                () = killed.cancelled() => {}
            }
            machines.forget_the_kill();
            // What a killed provider knew is lost.
            let mut engine = before.clone();
            let told = format!("killed before {change:?}");
            self.again(&told, &machines, &mut engine, &expected).await;

            let failure = match turn % 3 {
                0 => Failure::LostBefore,
                1 => Failure::LostAfter,
                _ => Failure::Refused("no".to_owned()),
            };
            let (machines, mut engine) = (start.fork(), before.clone());
            machines.fails_at(*number, failure.clone());
            let done =
                engine.goes_on(&machines, self.last.as_ref(), ("ha_load_balancer", &id())).await;
            let told = format!("{failure:?} at {change:?}, then {done:?}");
            self.again(&told, &machines, &mut engine, &expected).await;
        }
    }

    /// The next run brings it to its end.
    async fn again(
        &self,
        told: &str,
        machines: &Arc<Machines>,
        engine: &mut Terraform,
        expected: &[String],
    ) {
        let done = engine.goes_on(machines, self.last.as_ref(), ("ha_load_balancer", &id())).await;
        done.unwrap_or_else(|why| panic!("{told}, then {why}\n{}", history(machines)));
        let found = self.end(told, machines, engine).await;
        same_end(told, &found, expected, &history(machines));
    }

    /// All that there is, without what chance has chosen.
    async fn end(
        &self,
        told: &str,
        machines: &Arc<Machines>,
        engine: &mut Terraform,
    ) -> Vec<String> {
        let mut breaches = machines.breaches();
        // At the end of a balancer nobody is to serve.
        breaches.retain(|_| self.last.is_some());
        assert_eq!(breaches, [""; 0], "{told}\n{}", history(machines));
        let is_content = engine.is_content(machines, self.last.as_ref()).await;
        assert!(is_content, "{told}: the plan is not empty\n{}", history(machines));
        let on_hosts = HOSTS.iter().flat_map(|at| {
            let contents = machines.host(at).contents().into_iter();
            contents.map(move |it| format!("{at} {}", without_chance(&it)))
        });
        let mut end: Vec<String> = on_hosts.chain(machines.running()).collect();
        end.extend(engine.in_words());
        end
    }
}

/// By which the balancer is imported.
fn id() -> String {
    format!("api@{}", HOSTS[0])
}

fn history(machines: &Machines) -> String {
    format!("changes:\n  {}", machines.changes().join("\n  "))
}

#[tokio::test(start_paused = true)]
async fn two_nodes_come_up() {
    let last = Some(plain("1 2", "1 2"));
    Story { before: None, event: |_| (), is_imported: false, last }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_backend_comes() {
    Story::new(plain("1 2", "1 2"), plain("1 2", "1 2 3")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_backend_goes() {
    Story::new(plain("1 2", "1 2"), plain("1 2", "1")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_backend_with_clients_goes() {
    Story::new(plain("1 2", "1 2 3"), plain("1 2", "1 2")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn parameters_change() {
    let last = wish("1 2", "1 2 3", &json!({"balance": "source"}));
    Story::new(plain("1 2", "1 2 3"), last).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn there_is_more_room() {
    let last = wish("1 2", "1 2", &json!({"max_connections": 9000}));
    Story::new(plain("1 2", "1 2"), last).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_comes_and_one_goes() {
    Story::new(plain("1 2", "1 2"), plain("2 3", "1 2")).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn the_virtual_ip_changes() {
    let virtual_ip = json!({"virtual_ip": {"address": "192.0.2.101/24", "router_id": 72}});
    Story::new(plain("1 2", "1 2"), wish("1 2", "1 2", &virtual_ip)).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn the_virtual_ip_goes() {
    let last = wish("1 2", "1 2", &json!({"virtual_ip": null}));
    Story::new(plain("1 2", "1 2"), last).sweep().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_stopped_and_edited_is_mended() {
    let event = |it: &Machines| {
        it.host(HOSTS[0]).crash("keepalived-api.service");
        it.host(HOSTS[1]).edit("/etc/balancer-api/haproxy.cfg", b"# mine");
    };
    Story { event, ..Story::new(plain("1 2", "1 2"), plain("1 2", "1 2")) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_balancer_is_imported_and_changed() {
    let last = wish("1 2", "1 2", &json!({"balance": "source"}));
    Story { is_imported: true, ..Story::new(plain("1 2", "1 2"), last) }.sweep().await;
}

#[tokio::test(start_paused = true)]
async fn a_balancer_ends() {
    Story { last: None, ..Story::new(plain("1 2", "1 2"), Json::Null) }.sweep().await;
}
