//! The services of a node, and where their files are.

use std::time::Duration;

use super::desired::{Desired, VirtualIp};
use super::text::{Authority, Interface};
use crate::domain::name::{ClusterName, Folder, TextFault};
use crate::domain::service::{Hardening, Service, Signal, Start};

/// Where a host keeps what the programs read. The paths of a local host have its root in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    name: ClusterName,
    directory: Folder,
    run: Folder,
    is_local: bool,
}

impl Files {
    /// Where the process takes orders. Relative to where it runs, so that a root may be longer than a socket's path.
    pub const ADMIN: &str = "admin.sock";

    /// Where the process tells that it is alive.
    pub const ALIVE: &str = "alive.sock";

    /// `root` is empty for a host that is none in a directory.
    ///
    /// # Errors
    /// The root is no path that can be written into a configuration file.
    pub fn new(name: &ClusterName, root: &str, is_local: bool) -> Result<Self, TextFault> {
        let directory = format!("{root}/etc/balancer-{name}").parse()?;
        let run = format!("{root}/run/haproxy-{name}").parse()?;
        Ok(Self { name: name.clone(), directory, run, is_local })
    }

    /// The configuration of HAProxy.
    pub fn proxy(&self) -> String {
        format!("{}/haproxy.cfg", self.directory)
    }

    /// Where all of them are, but for the services.
    pub fn directory(&self) -> &str {
        self.directory.as_str()
    }

    /// Whom checks believe. Each has a name of its own: a configuration that is put back finds the one it was made for.
    pub fn authority(&self, authority: &Authority) -> String {
        format!("{}/ca-{}.crt", self.directory, authority.label())
    }

    /// A copy of the configuration that worked last.
    pub fn good(&self) -> String {
        format!("{}/haproxy.cfg.good", self.directory)
    }

    /// The configuration of keepalived.
    pub fn vrrp(&self) -> String {
        format!("{}/keepalived.conf", self.directory)
    }

    /// Where the process takes orders, for whoever gives them.
    pub fn admin(&self) -> String {
        format!("{}/{}", self.run, Self::ADMIN)
    }

    /// Where the process tells that it is alive, for others.
    pub fn alive(&self) -> String {
        format!("{}/{}", self.run, Self::ALIVE)
    }
}

/// Nobody serves clients until a proxy that ended is started again.
const SOON: Duration = Duration::from_millis(200);

/// A proxy ends its processes at once when it is told to.
const PROXY_ENDS: Duration = Duration::from_secs(10);

/// keepalived says goodbye and ends. What hangs is killed then: until all of it has ended, the address stays.
const KEEPALIVED_ENDS: Duration = Duration::from_secs(2);

/// `haproxy-api`: what runs the proxy of this balancer, whatever else the host runs.
pub fn proxy_unit(name: &ClusterName) -> String {
    format!("haproxy-{name}")
}

/// The proxy. The main process ends others and starts them anew: each gets the listening sockets of the one before.
pub fn proxy_service(desired: &Desired, files: &Files) -> Service {
    let name = proxy_unit(&files.name);
    let mut it = Service::new(&name, &format!("HAProxy of {}", files.name), "/usr/sbin/haproxy");
    let pid = format!("{}/pid", files.run);
    it.arguments = ["-Ws", "-f", &files.proxy(), "-p", &pid].map(str::to_owned).to_vec();
    it.working_directory = Some(files.run.to_string());
    it.runtime_directories = vec![name];
    it.start = Start::Notify;
    it.reload = Some(Signal::Usr2);
    it.open_files = Some(desired.open_files());
    (it.restart_delay, it.stop_timeout) = (SOON, PROXY_ENDS);
    if !files.is_local {
        it.after = vec!["network-online.target".to_owned()];
        it.wants.clone_from(&it.after);
        it.hardening =
            [Hardening::Privileges, Hardening::System, Hardening::Home, Hardening::Temporary]
                .into();
        // To bind low ports, to become another user in an empty directory, and to end who is one.
        let capabilities =
            ["CAP_NET_BIND_SERVICE", "CAP_SETUID", "CAP_SETGID", "CAP_SYS_CHROOT", "CAP_KILL"];
        it.capabilities = Some(capabilities.map(str::to_owned).to_vec());
    }
    it
}

/// What moves the virtual IP. However it ends, the address goes with it: nobody else would take it back. None: no
/// virtual IP is wished.
pub fn keepalived(desired: &Desired, interface: &Interface, files: &Files) -> Option<Service> {
    let VirtualIp { address, .. } = desired.virtual_ip.as_ref()?;
    let at = address.address();
    let (family, whole) = if at.is_ipv4() { ("-4", 32) } else { ("-6", 128) };
    let name = format!("keepalived-{}", files.name);
    let run = format!("/run/{name}");
    let mut it =
        Service::new(&name, &format!("keepalived of {}", files.name), "/usr/sbin/keepalived");
    it.arguments = vec![
        "--dont-fork".to_owned(),
        // A part of it that ends takes the rest along, and so the address.
        "--dont-respawn".to_owned(),
        "--log-console".to_owned(),
        "--vrrp".to_owned(),
        format!("--use-file={}", files.vrrp()),
        format!("--pid={run}/pid"),
        format!("--vrrp_pid={run}/vrrp.pid"),
    ];
    it.runtime_directories = vec![name];
    it.reload = Some(Signal::Hup);
    it.stop_timeout = KEEPALIVED_ENDS;
    it.after = ["network-online.target", &format!("{}.service", proxy_unit(&files.name))]
        .map(str::to_owned)
        .to_vec();
    it.wants = vec!["network-online.target".to_owned()];
    it.hardening = [Hardening::Privileges, Hardening::Home].into();
    // Unlike `del`, `flush` is content when there is nothing.
    let to = format!("{at}/{whole}");
    let flush =
        ["/sbin/ip", family, "address", "flush", "dev", interface.as_str(), "to", to.as_str()];
    let flush = flush.map(str::to_owned).to_vec();
    (it.start_pre, it.stop_post) = (vec![flush.clone()], vec![flush]);
    Some(it)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::balancer::Wish;
    use crate::domain::balancer::samples::{files, local, wish, with_virtual_ip};
    use crate::domain::service::{Definition, parse, render};

    fn text(service: Service) -> String {
        let definition = Definition::new(service).unwrap();
        let text = render(&definition);
        assert_eq!(parse(&definition.name, &text), Ok(definition));
        text
    }

    fn unit(wish: Wish) -> String {
        let desired = Desired::new(wish).unwrap();
        text(proxy_service(&desired, &files(&desired)))
    }

    #[test]
    fn the_proxy_has_files_for_its_connections_and_few_rights() {
        let found = unit(wish());
        for line in [
            r#"ExecStart="/usr/sbin/haproxy" "-Ws" "-f" "/etc/balancer-api/haproxy.cfg" "-p" "/run/haproxy-api/pid""#,
            "Type=notify",
            "WorkingDirectory=/run/haproxy-api",
            "RuntimeDirectory=haproxy-api",
            "ExecReload=/bin/kill -USR2 $MAINPID",
            "Restart=always",
            "RestartSec=200ms",
            "TimeoutStopSec=10s",
            "LimitNOFILE=16100",
            "ProtectSystem=strict",
            "CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SETUID CAP_SETGID CAP_SYS_CHROOT CAP_KILL",
        ] {
            assert!(found.lines().any(|it| it == line), "{line} is not in {found}");
        }
        let found = unit(local());
        assert!(found.contains("\"/tmp/r/etc/balancer-api/haproxy.cfg\""), "{found}");
        assert!(!found.contains("Capability") && !found.contains("Protect"), "{found}");
    }

    #[test]
    fn the_address_goes_with_keepalived() {
        let interface = "eth0".parse().unwrap();
        let desired = Desired::new(with_virtual_ip()).unwrap();
        let found = text(keepalived(&desired, &interface, &files(&desired)).unwrap());
        let flush = r#""/sbin/ip" "-4" "address" "flush" "dev" "eth0" "to" "10.0.0.100/32""#;
        for line in [
            format!("ExecStartPre={flush}"),
            format!("ExecStopPost={flush}"),
            "ExecReload=/bin/kill -HUP $MAINPID".to_owned(),
            "TimeoutStopSec=2s".to_owned(),
            "After=network-online.target haproxy-api.service".to_owned(),
        ] {
            assert!(found.lines().any(|it| it == line), "{line} is not in {found}");
        }
        let desired = Desired::new(wish()).unwrap();
        assert_eq!(keepalived(&desired, &interface, &files(&desired)), None);
    }

    #[test]
    fn a_root_that_means_something_in_a_file_is_refused() {
        let name = "api".parse().unwrap();
        for root in ["/a b", "/a\n", "/a#", "/a%", "/a/../b", "a"] {
            assert!(Files::new(&name, root, true).is_err(), "{root:?}");
        }
    }
}
