//! The configuration of keepalived, after keepalived.conf(5): the virtual IP, and who may have it.

use std::fmt::Write as _;

use super::desired::{Desired, VirtualIp};
use super::proxy::HEADER;
use super::text::Interface;
use super::units::Files;
use crate::domain::name::Name;

/// The program that keepalived asks whether the proxy beside it is alive.
pub const PROBE: &str = "/usr/local/lib/ha/probe/ha-agent";

/// Who has the address tells the network so every few seconds. Two that did not hear of each other both have it, and when
/// they do again, the one that keeps it may never learn that there was another: without that, clients would go on asking
/// the other one until their systems doubt its address, for up to a minute.
///
/// Whoever has the address keeps it, so that a node that comes back moves nothing. Without a living proxy a node does
/// not take part. None: no virtual IP is wished. `interface` is where the address of the node is.
pub fn vrrp(desired: &Desired, key: &Name, interface: &Interface, files: &Files) -> Option<String> {
    let VirtualIp { address, router_id, advertisement, .. } = desired.virtual_ip.as_ref()?;
    let place = desired.nodes.get(key)?;
    let name = &desired.name;
    let mut text = format!(
        "\
{HEADER}global_defs {{
    router_id {name}-{key}
    enable_script_security
    script_user nobody
    vrrp_version 3
}}

vrrp_script alive {{
    script \"{PROBE} probe --socket {socket}\"
    interval 1
    timeout 1
    fall 2
    rise 2
}}

vrrp_instance {name} {{
    state BACKUP
    nopreempt
    interface {interface}
    virtual_router_id {router_id}
    priority {priority}
    advert_int {advertisement}
    garp_master_refresh 5
    unicast_src_ip {own}
    unicast_fault_no_peer
    unicast_peer {{
",
        socket = files.alive(),
        priority = desired.priority(key),
        own = place.address,
    );
    for (_, peer) in desired.nodes.iter().filter(|(other, _)| *other != key) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "        {}", peer.address);
    }
    let _ = write!(
        text,
        "    }}
    track_script {{
        alive
    }}
    virtual_ipaddress {{
        {address} dev {interface}
    }}
}}
"
    );
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::balancer::samples::{files, wish, with_virtual_ip};

    const WHOLE: &str = "\
# Written by terraform-provider-ha. The next apply undoes changes.
global_defs {
    router_id api-lb2
    enable_script_security
    script_user nobody
    vrrp_version 3
}

vrrp_script alive {
    script \"/usr/local/lib/ha/probe/ha-agent probe --socket /run/haproxy-api/alive.sock\"
    interval 1
    timeout 1
    fall 2
    rise 2
}

vrrp_instance api {
    state BACKUP
    nopreempt
    interface eth0
    virtual_router_id 71
    priority 199
    advert_int 0.30
    garp_master_refresh 5
    unicast_src_ip 10.0.0.12
    unicast_fault_no_peer
    unicast_peer {
        10.0.0.11
    }
    track_script {
        alive
    }
    virtual_ipaddress {
        10.0.0.100/24 dev eth0
    }
}
";

    #[test]
    fn the_file_is_readable() {
        let (key, interface) = ("lb2".parse().unwrap(), "eth0".parse().unwrap());
        let desired = Desired::new(with_virtual_ip()).unwrap();
        let found = vrrp(&desired, &key, &interface, &files(&desired));
        assert_eq!(found.as_deref(), Some(WHOLE));
        let desired = Desired::new(wish()).unwrap();
        assert_eq!(vrrp(&desired, &key, &interface, &files(&desired)), None);
    }
}
