//! A balancer on the hosts of a lab: its configuration, and how it is looked at from outside.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::servers::Servers;
use crate::backend::{Trust, ask};
use crate::engine::Engine;
use crate::lab::Lab;
use crate::processes::until;
use crate::run::Run;
use crate::workspace::Workspace;

const PORT: u16 = 6443;
/// The first nodes, on the first hosts.
pub(crate) const LBS: [(&str, usize); 2] = [("lb1", 0), ("lb2", 1)];

/// How many servers there are.
pub(crate) const SERVERS: usize = 3;

pub(crate) struct Front {
    pub(crate) at: Workspace,
    pub(crate) lab: Lab,
    pub(crate) trust: Trust,
    pub(crate) servers: Servers,
}

impl Front {
    /// Nothing is configured yet. The servers are on the last of these hosts. None: a lab is impossible here, which was
    /// recorded.
    pub(crate) fn new(engine: Engine, hosts: usize) -> Option<Self> {
        Some(Self::on(Lab::with_hosts(hosts)?, engine))
    }

    /// The same on hosts that have no programs, and can install them.
    pub(crate) fn bare(engine: Engine, hosts: usize) -> Option<Self> {
        let lab = Lab::with_packages(hosts)?;
        lab.ssh(hosts - 1, "apt-get update -qq && apt-get install -qq -y haproxy >/dev/null");
        Some(Self::on(lab, engine))
    }

    fn on(lab: Lab, engine: Engine) -> Self {
        let block = format!(
            "terraform {{\n  required_providers {{\n    ha = {{ source = \"terraform-ha/ha\" }}\n  }}\n}}\n\
             provider \"ha\" {{\n  ssh = {{\n    user = \"root\"\n    private_key_file = \"{}\"\n    \
             known_hosts_file = \"{}\"\n    connect_timeout = \"5s\"\n    boot_wait = \"60s\"\n  }}\n}}\n",
            lab.key().display(),
            lab.known_hosts().display(),
        );
        let mut at = Workspace::serving(engine, "ha", &block);
        let agents = std::env::var_os("HA_AGENT_DIRECTORY").expect("`make lab` builds the agents");
        at.environment.push(("HA_AGENT_DIRECTORY".to_owned(), agents.into()));
        // For who looks why a test fails, or what takes so long.
        if let Some(directory) = std::env::var_os("LAB_LOG") {
            let test = std::thread::current().name().unwrap_or("test").replace(':', "_");
            at.environment.push(("TF_LOG_PROVIDER".to_owned(), "INFO".into()));
            at.environment.push(("TF_LOG_PATH".to_owned(), PathBuf::from(directory).join(test)));
        }
        let trust = Trust::new();
        fs::write(at.path("ca.crt"), &trust.pem).unwrap();
        let servers = Servers::start(&lab, lab.hosts.len() - 1, &trust, SERVERS);
        Self { at, lab, trust, servers }
    }

    pub(crate) fn virtual_ip(&self) -> String {
        self.lab.virtual_ip()
    }

    /// Where clients connect.
    pub(crate) fn to(&self) -> SocketAddr {
        format!("{}:{PORT}", self.virtual_ip()).parse().unwrap()
    }

    /// A balancer on these nodes, by key and host, in front of these servers; `more` are arguments.
    pub(crate) fn wish(&self, nodes: &[(&str, usize)], servers: &[usize], more: &str) {
        let virtual_ip = format!("{}/24", self.virtual_ip());
        let virtual_ip = format!("virtual_ip = {{ address = \"{virtual_ip}\", router_id = 71 }}");
        self.wish_with(nodes, servers, &format!("{virtual_ip}\n  {more}"));
    }

    /// The same, and the virtual IP is among the arguments.
    pub(crate) fn wish_with(&self, nodes: &[(&str, usize)], servers: &[usize], more: &str) {
        let node = |(key, host): &(&str, usize)| {
            format!("    {key} = {{ host = {{ address = \"{}\" }} }}\n", self.lab.address(*host))
        };
        let backend =
            |it: &usize| format!("    cp{it} = \"{}\"\n", self.servers.address(&self.lab, *it));
        let nodes: String = nodes.iter().map(node).collect();
        let backends: String = servers.iter().map(backend).collect();
        self.at.config(&format!(
            "resource \"ha_load_balancer\" \"this\" {{\n  name = \"api\"\n  port = {PORT}\n  {more}\n  \
             nodes = {{\n{nodes}  }}\n  backends = {{\n{backends}  }}\n  \
             health_check = {{ ca_certificate = file(\"ca.crt\") }}\n}}\n"
        ));
    }

    /// Applies, and the plan is empty then; how long the apply took is told.
    #[track_caller]
    pub(crate) fn settle(&self, what: &str) -> Run {
        let began = Instant::now();
        let run = self.at.apply();
        eprintln!("{what}: {:?}", began.elapsed());
        self.at.plan_is_empty();
        run
    }

    /// Which of these hosts have the address. A host that is off has none.
    pub(crate) fn holders(&self, hosts: &[usize]) -> Vec<usize> {
        self.lab.holders(&self.virtual_ip(), hosts)
    }

    /// The server that answers behind the address.
    pub(crate) fn answers(&self) -> Option<String> {
        ask(self.to(), &self.trust)
    }

    /// Until one of these hosts, and only one, has the address, and clients are answered: which, and how long that took.
    #[track_caller]
    pub(crate) fn settled_on(&self, hosts: &[usize]) -> (usize, Duration) {
        let began = Instant::now();
        until("an answer", || self.answers());
        let took = began.elapsed();
        let holder = until("one holder", || match self.holders(hosts)[..] {
            [one] => Some(one),
            _ => None,
        });
        (holder, took)
    }

    /// The number of the main process of a unit; "0": there is none.
    pub(crate) fn pid(&self, host: usize, unit: &str) -> String {
        self.lab.ssh(host, &format!("systemctl show -p MainPID --value {unit}")).trim().to_owned()
    }

    /// The processes of the proxy that serve on a host, by their numbers.
    pub(crate) fn workers(&self, host: usize) -> Vec<String> {
        let main = self.pid(host, "haproxy-api");
        let said = self.lab.ssh(host, &format!("pgrep -P {main} || true"));
        said.lines().map(str::to_owned).collect()
    }

    /// Nothing of the balancer is there.
    #[track_caller]
    pub(crate) fn is_bare(&self, host: usize) {
        let left = "ls -d /etc/balancer-api /run/haproxy-api /run/keepalived-api /etc/systemd/system/*-api.service \
                    /var/lib/ha-agent/records/*api* 2>/dev/null; pgrep -a keepalived; true";
        assert_eq!(self.lab.ssh(host, left).trim(), "", "h{host}");
        assert_eq!(self.holders(&[host]), [0; 0], "h{host}");
    }
}
