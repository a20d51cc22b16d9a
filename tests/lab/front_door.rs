//! All of it on real hosts: real API servers behind a balancer with a virtual IP, and what fifty requests a second notice
//! when one of these ends, as planned or not. Each request reads from etcd, with the credentials of a kubeconfig.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustix::process::{Pid, Signal, kill_process};

use crate::backend::Caller;
use crate::balancer::faults::{FOUND, TAKEN_OVER, during};
use crate::balancer::load::Load;
use crate::cgroup;
use crate::control_plane::{Plane, VERSION};
use crate::engine::Engine;
use crate::etcd::cluster::{Cluster, VERSION as ETCD};
use crate::lab::Lab;
use crate::processes::{until, until_within};

/// API servers, each with a member of etcd.
pub(crate) const SERVERS: [(&str, usize); 3] = [("a", 0), ("b", 1), ("c", 2)];
const BALANCERS: [(&str, usize); 2] = [("lb1", 3), ("lb2", 4)];
pub(crate) const BOTH: [usize; 2] = [3, 4];

/// An API server that starts, beside two that work, on two processors.
const UP: Duration = Duration::from_mins(2);

pub(crate) struct Door {
    pub(crate) plane: Plane,
}

impl Door {
    /// None: a lab is impossible here, which was recorded.
    fn new(engine: Engine) -> Option<Self> {
        Some(Self::on(Lab::with_hosts(5)?, engine))
    }

    pub(crate) fn on(lab: Lab, engine: Engine) -> Self {
        let key = format!("private_key_file = \"{}\"", lab.key().display());
        Self { plane: Plane::on(Cluster::on(lab, engine, "root", &key)) }
    }

    pub(crate) fn lab(&self) -> &Lab {
        &self.plane.on.lab
    }

    /// `more` are arguments of the control plane.
    pub(crate) fn wish(&self, more: &str) {
        let element = |it: &(&str, usize)| {
            let address = self.lab().address(it.1);
            format!("    {} = {{ host = {{ address = \"{address}\" }} }}\n", it.0)
        };
        let servers: String = SERVERS.iter().map(element).collect();
        let balancers: String = BALANCERS.iter().map(element).collect();
        let (virtual_ip, path) = (self.lab().virtual_ip(), self.plane.on.at.path("kubeconfig"));
        self.plane.on.at.config(&format!(
            "resource \"ha_etcd_cluster\" \"this\" {{\n  name = \"store\"\n  version = \"{ETCD}\"\n  \
             deletion_protection = false\n  members = {{\n{servers}  }}\n}}\n\
             resource \"ha_control_plane\" \"this\" {{\n  name = \"prod\"\n  version = \"{VERSION}\"\n  \
             endpoint = \"{virtual_ip}:6443\"\n  etcd = ha_etcd_cluster.this.access\n  \
             deletion_protection = false\n  {more}\n  nodes = {{\n{servers}  }}\n}}\n\
             resource \"ha_load_balancer\" \"this\" {{\n  name = \"api\"\n  port = 6443\n  metrics_port = 9100\n  \
             nodes = {{\n{balancers}  }}\n  backends = ha_control_plane.this.api_servers\n  \
             health_check = {{ ca_certificate = ha_control_plane.this.ca_certificate }}\n  \
             virtual_ip = {{ address = \"{virtual_ip}/24\", router_id = 71 }}\n}}\n\
             resource \"ha_kubeconfig_file\" \"admin\" {{\n  control_plane = ha_control_plane.this.access\n  \
             path = \"{}\"\n}}\n",
            path.display()
        ));
    }

    /// Where clients connect.
    pub(crate) fn to(&self) -> SocketAddr {
        format!("{}:6443", self.lab().virtual_ip()).parse().unwrap()
    }

    /// Whoever has the kubeconfig.
    pub(crate) fn caller(&self) -> Caller {
        let text = fs::read_to_string(self.plane.on.at.path("kubeconfig")).unwrap();
        let data = |name: &str| {
            let line = text.lines().find_map(|it| it.trim().strip_prefix(name)).unwrap();
            BASE64_STANDARD.decode(line.trim()).unwrap()
        };
        let [authority, certificate, key] =
            ["certificate-authority-data:", "client-certificate-data:", "client-key-data:"]
                .map(data);
        Caller::user(&authority, &certificate, &key, "/api/v1/namespaces/default")
    }

    pub(crate) fn holder(&self, hosts: &[usize]) -> usize {
        self.holder_of(&self.lab().virtual_ip(), hosts)
    }

    /// Which of these hosts has an address, as soon as one of them alone has it.
    pub(crate) fn holder_of(&self, address: &str, hosts: &[usize]) -> usize {
        until("one holder", || match self.lab().holders(address, hosts)[..] {
            [one] => Some(one),
            _ => None,
        })
    }

    /// How many API servers the balancer on a host gives connections to.
    pub(crate) fn up(&self, host: usize) -> usize {
        let output = Command::new("curl")
            .args(["-s", "-m", "5"])
            .arg(format!("http://{}:9100/metrics", self.lab().address(host)))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let is_up = |it: &&str| {
            it.starts_with("haproxy_server_status{")
                && it.contains("state=\"UP\"")
                && it.ends_with(" 1")
        };
        text.lines().filter(is_up).count()
    }

    /// Until all of them are given connections by both balancers.
    #[track_caller]
    fn until_all_are_up(&self) {
        self.until_all_are_up_for(&BOTH);
    }

    /// The same of these balancers.
    #[track_caller]
    pub(crate) fn until_all_are_up_for(&self, balancers: &[usize]) {
        for (_, host) in SERVERS {
            self.plane.until_ready(host);
        }
        let is_so = || balancers.iter().all(|it| self.up(*it) == SERVERS.len()).then_some(());
        until_within(UP, "every API server is given connections", is_so);
    }

    /// Sends a signal to the API server of a host, at once: a way by SSH takes a while of its own.
    pub(crate) fn signal(&self, host: usize, signal: Signal) {
        let processes = cgroup::processes(&self.lab().hosts[host].machine);
        let name = |it: &Pid| fs::read_to_string(format!("/proc/{it}/comm")).unwrap_or_default();
        let server = processes.into_iter().find(|it| name(it) == "kube-apiserver\n").unwrap();
        kill_process(server, signal).unwrap();
    }
}

#[test]
fn clients_of_api_servers_go_on_through_a_balancer() {
    let Some(on) = Door::new(Engine::Terraform) else { return };
    on.wish("");
    on.plane.on.at.settle();
    on.until_all_are_up();
    let load = Load::start(on.to(), &on.caller());
    load.runs_on();

    for (name, host) in SERVERS {
        let lap = during(&load, &format!("the API server of {name} is restarted"), || {
            on.lab().ssh(host, "systemctl restart kube-apiserver-prod");
            on.until_all_are_up();
        });
        assert!(lap.failed <= 1, "{lap:?}");
    }
    let lap = during(&load, "an API server is killed", || {
        on.signal(1, Signal::KILL);
        on.until_all_are_up();
    });
    assert!(lap.failed <= 4 && lap.gap < FOUND, "{lap:?}");
    let lap = during(&load, "an API server is frozen", || on.signal(2, Signal::STOP));
    assert!(lap.failed <= 6 && !lap.has_waited() && lap.until < FOUND, "{lap:?}");
    on.signal(2, Signal::CONT);
    on.until_all_are_up();

    // All of them, one after the other, by an apply.
    on.wish("api_server = { extra_args = [\"--v=1\"] }");
    let lap = during(&load, "an apply restarts every API server", || {
        on.plane.on.at.apply().says("restart kube-apiserver on c");
    });
    assert!(lap.failed <= SERVERS.len(), "{lap:?}");
    on.plane.on.at.plan_is_empty();

    let holder = on.holder(&BOTH);
    let heir = BOTH.into_iter().find(|it| *it != holder).unwrap();
    let lap = during(&load, "the power of the active balancer is cut", || {
        on.lab().cut_power(holder);
        assert_eq!(on.holder(&[heir]), heir);
    });
    assert!(lap.gap < TAKEN_OVER, "{lap:?}");
    on.lab().start(holder);
    on.until_all_are_up();
    assert_eq!(on.holder(&BOTH), heir, "who comes back moves nothing");
    drop(load);
    on.plane.on.at.plan_is_empty();
    on.plane.on.at.destroy();
}
