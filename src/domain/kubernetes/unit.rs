//! The services of a node.

use std::time::Duration;

use super::arguments::Component;
use super::desired::Desired;
use super::flags::flags;
use super::layout::Layout;
use super::version::Version;
use crate::domain::host::Place;
use crate::domain::service::{Hardening, Service};

/// Which restore of etcd a process was started after: it may not go on with what it knew before.
const GENERATION: &str = "HA_ETCD_GENERATION";

/// What an API server needs beyond the delay: requests that are under way, up to `--request-timeout`, and some time.
const REST_OF_STOP: Duration = Duration::from_secs(85);

/// The others serve nobody who would have to be waited for. One that hangs is killed then.
const STOP: Duration = Duration::from_secs(20);

/// What runs there for this component, in this version.
pub fn service(
    desired: &Desired,
    component: Component,
    place: Place,
    version: Version,
    at: &Layout,
) -> Service {
    let name = at.service(component);
    let description = format!("{component} of {}", desired.name);
    let mut it = Service::new(&name, &description, &at.program(component, version));
    it.arguments = flags(desired, component, place, at);
    let environment = desired.extras(component).environment.iter();
    it.environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if 0 < desired.etcd.generation {
        it.environment.insert(GENERATION.to_owned(), desired.etcd.generation.to_string());
    }
    // `systemctl start` would wait for etcd, and says ready 1.2 s before `/readyz` does: so the start is not notified.
    it.open_files = Some(65_536);
    it.stop_timeout = match component {
        Component::ApiServer => desired.shutdown_delay + REST_OF_STOP,
        Component::ControllerManager | Component::Scheduler => STOP,
    };
    if place.is_local {
        return it;
    }
    let user = component.program().to_owned();
    (it.user, it.group) = (Some(user.clone()), Some(user));
    let network = || vec!["network-online.target".to_owned()];
    (it.after, it.wants) = (network(), network());
    it.hardening = Hardening::ALL.iter().copied().collect();
    it.capabilities = Some(Vec::new());
    if component == Component::ApiServer {
        it.writable = vec![at.log().to_string()];
        if desired.port < 1024 {
            it.capabilities = Some(vec!["CAP_NET_BIND_SERVICE".to_owned()]);
        }
    }
    it
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::kubernetes::Wish;
    use crate::domain::kubernetes::notation::wish;
    use crate::domain::service::{Definition, parse, render};

    fn unit(component: Component, edit: impl Fn(&mut Wish)) -> String {
        let mut wish = wish("a", "1.34");
        edit(&mut wish);
        let desired = Desired::new(wish).unwrap();
        let root = if desired.nodes.values().all(|it| it.is_local) { "/tmp/a" } else { "" };
        let layout = Layout::new(&desired.name, root).unwrap();
        let place = *desired.nodes.values().next().unwrap();
        let it = service(&desired, component, place, desired.version, &layout);
        let definition = Definition::new(it).unwrap();
        let text = render(&definition);
        assert_eq!(parse(&definition.name, &text).unwrap(), definition);
        text
    }

    const SCHEDULER: &str = r#"# Written by terraform-provider-ha. The next apply undoes changes.
[Unit]
Description=kube-scheduler of prod
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=simple
User=kube-scheduler
Group=kube-scheduler
Environment="GOGC=50"
Environment="HA_ETCD_GENERATION=2"
ExecStart="/usr/local/lib/ha/kubernetes/1.34.4/kube-scheduler" "--kubeconfig=/etc/kubernetes-prod/scheduler.conf" "--authentication-kubeconfig=/etc/kubernetes-prod/scheduler.conf" "--authorization-kubeconfig=/etc/kubernetes-prod/scheduler.conf" "--bind-address=127.0.0.1" "--leader-elect=true" "--client-ca-file=/etc/kubernetes-prod/pki/ca.crt" "--requestheader-client-ca-file=/etc/kubernetes-prod/pki/front-proxy-ca.crt" "--tls-min-version=VersionTLS13" "--profiling=false"
Restart=always
RestartSec=1s
KillMode=mixed
KillSignal=SIGTERM
TimeoutStopSec=20s
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
MemoryDenyWriteExecute=yes
CapabilityBoundingSet=
AmbientCapabilities=

[Install]
WantedBy=multi-user.target
"#;

    #[test]
    fn a_service_runs_as_a_user_of_its_own_and_may_do_nothing_else() {
        let found = unit(Component::Scheduler, |it| {
            it.tls_min_version = super::super::TlsVersion::V13;
            it.etcd.generation = 2;
            let written = [("GOGC".to_owned(), "50".to_owned())].into();
            it.scheduler.environment = super::super::Environment::new(written).unwrap();
        });
        assert_eq!(found, SCHEDULER);
    }

    #[test]
    fn an_api_server_writes_its_log_and_has_time_to_end() {
        let found = unit(Component::ApiServer, |it| {
            it.port = 443;
            it.shutdown_delay = Duration::from_secs(20);
        });
        for line in [
            "User=kube-apiserver",
            "TimeoutStopSec=105s",
            "ReadWritePaths=\"/var/log/kubernetes-prod\"",
            "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        ] {
            assert!(found.lines().any(|it| it == line), "{line} is not in {found}");
        }
        assert!(!found.contains(GENERATION));
    }

    #[test]
    fn a_local_service_is_its_users() {
        let found = unit(Component::ControllerManager, |it| {
            for place in it.nodes.values_mut() {
                *place = Place { address: [127, 0, 0, 2].into(), is_local: true };
            }
        });
        assert!(!found.contains("User=") && !found.contains("ProtectSystem"), "{found}");
        assert!(found.contains("--kubeconfig=/tmp/a/etc/kubernetes-prod/controller-manager.conf"));
    }
}
