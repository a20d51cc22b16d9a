//! A directory with a configuration, directories that stand for hosts, and servers behind them.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::path::Path;

use rustix::process::Pid;
use serde_json::Value;

use crate::backend::{Server, Trust};
use crate::engine::Engine;
use crate::local_hosts::{LocalHosts, processes_of};
use crate::run::Run;

pub(crate) const PORT: u16 = 6443;
const NODES: [&str; 3] = ["lb1", "lb2", "lb3"];
const SERVERS: [&str; 3] = ["cp1", "cp2", "cp3"];

/// [`LocalHosts`] with HAProxy, and what is behind it.
pub(crate) struct Workspace {
    hosts: LocalHosts,
    pub(crate) trust: Trust,
    pub(crate) servers: BTreeMap<&'static str, Server>,
}

/// What is wished beside nodes and backends.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) port: u16,
    pub(crate) more: String,
}

impl Workspace {
    /// None: there is no HAProxy, and that is said.
    pub(crate) fn new(engine: Engine) -> Option<Self> {
        if !Path::new("/usr/sbin/haproxy").exists() {
            assert!(std::env::var_os("CI").is_none(), "no HAProxy");
            eprintln!("left out: no HAProxy");
            return None;
        }
        let hosts = LocalHosts::new(engine, 128);
        let mut at = Self { hosts, trust: Trust::new(), servers: BTreeMap::new() };
        for (name, number) in SERVERS.into_iter().zip(20..) {
            let address = SocketAddr::new(at.number(number), PORT);
            at.servers.insert(name, Server::start(name, address, &at.trust));
        }
        fs::write(at.path("ca.crt"), &at.trust.pem).unwrap();
        let block = "terraform {\n  required_providers {\n    ha = { source = \"terraform-ha/ha\" }\n  }\n}\nprovider \"ha\" {}\n";
        at.provider(block);
        Some(at)
    }

    pub(crate) fn address(&self, node: &str) -> IpAddr {
        self.number(10 + u8::try_from(NODES.iter().position(|it| *it == node).unwrap()).unwrap())
    }

    /// Where clients find a node.
    pub(crate) fn front(&self, node: &str) -> SocketAddr {
        SocketAddr::new(self.address(node), PORT)
    }

    pub(crate) fn wish(&self, nodes: &[&str], backends: &[&str], more: &str) {
        let wish = Wish { port: PORT, more: more.to_owned() };
        self.wish_for(nodes, backends, &wish);
    }

    pub(crate) fn wish_for(&self, nodes: &[&str], backends: &[&str], wish: &Wish) {
        let node = |it: &&str| self.element(it, self.address(it));
        let backend = |it: &&str| format!("    {it} = \"{}\"\n", self.servers[*it].address);
        let nodes: String = nodes.iter().map(node).collect();
        let backends: String = backends.iter().map(backend).collect();
        let Wish { port, more } = wish;
        self.config(&format!(
            "resource \"ha_load_balancer\" \"this\" {{\n  name = \"api\"\n  port = {port}\n  {more}\n  \
             nodes = {{\n{nodes}  }}\n  backends = {{\n{backends}  }}\n  \
             health_check = {{ ca_certificate = file(\"ca.crt\") }}\n}}\n"
        ));
    }

    #[track_caller]
    pub(crate) fn import(&self, id: &str) -> Run {
        self.run(&["import", "ha_load_balancer.this", id]).succeeds()
    }

    pub(crate) fn outputs(&self) -> Value {
        self.state()["outputs"].clone()
    }

    /// The main process of the proxy of a node and those that serve for it.
    pub(crate) fn processes(&self, node: &str) -> Vec<Pid> {
        let config = self.root(node).join("etc/balancer-api/haproxy.cfg");
        let is_it = |line: &str| {
            line.starts_with("/usr/sbin/haproxy/ ") && line.contains(&config.display().to_string())
        };
        let all = processes_of(&config.display().to_string()).into_iter();
        all.filter(|it| is_it(&it.1)).map(|it| it.0).collect()
    }
}

impl Deref for Workspace {
    type Target = LocalHosts;

    fn deref(&self) -> &LocalHosts {
        &self.hosts
    }
}

/// Makes two tests of each function, one for each engine.
macro_rules! for_each_engine_with_haproxy {
    ($($test:ident),+ $(,)?) => {
        mod terraform {
            $(#[test] fn $test() {
                let on = $crate::workspace::Workspace::new($crate::engine::Engine::Terraform);
                if let Some(on) = on { super::$test(&on); }
            })+
        }
        mod tofu {
            $(#[test] fn $test() {
                let on = $crate::workspace::Workspace::new($crate::engine::Engine::Tofu);
                if let Some(on) = on { super::$test(&on); }
            })+
        }
    };
}
pub(crate) use for_each_engine_with_haproxy;
