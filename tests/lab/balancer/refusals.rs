//! What only hosts and their network can tell, and what is refused because of it: nothing is left behind then.

use super::front::{Front, LBS};
use crate::engine::Engine;

const BOTH: [usize; 2] = [0, 1];
/// None of the nodes.
const OTHER: usize = 2;

#[test]
fn what_others_have_is_found_before_anything_is_done() {
    let Some(on) = Front::new(Engine::Tofu, 3) else { return };
    let wish = |more: &str| on.wish(&LBS, &[0, 1], more);
    let refused = |words: &str| {
        on.at.apply_fails().says(words);
        for host in BOTH {
            on.is_bare(host);
        }
    };
    wish("");

    // It would share the port, and take half of the connections.
    let listens = format!(
        "printf 'defaults\\n timeout client 1s\\nfrontend x\\n mode http\\n bind 0.0.0.0:{}\\n' >/root/x.cfg; \
         systemd-run --quiet --unit=other haproxy -db -f /root/x.cfg; \
         until ss -tln | grep -q ':{} '; do :; done",
        on.to().port(),
        on.to().port(),
    );
    on.lab.ssh(1, &listens);
    refused(&format!("something listens on port {} of 0.0.0.0 already", on.to().port()));
    on.lab.ssh(1, "systemctl stop other");

    let take = |what: &str| {
        on.lab.ssh(OTHER, &format!("ip address {what} {}/24 dev host0", on.virtual_ip()));
    };
    take("add");
    refused("says that it has this address already: end that, or choose another address");
    take("delete");

    on.lab.ssh(OTHER, &router(&on));
    refused("advertises a virtual router of this number already: choose another one");
    on.lab.ssh(OTHER, "systemctl stop other");

    let elsewhere = "virtual_ip = { address = \"192.0.2.100/24\", router_id = 71 }";
    on.wish_with(&LBS, &[0, 1], elsewhere);
    refused("has the address of the node and the network of the virtual IP");
    let virtual_ip = on.virtual_ip();
    let nowhere = format!(
        "virtual_ip = {{ address = \"{virtual_ip}/24\", router_id = 71, interface = \"eth9\" }}"
    );
    on.wish_with(&LBS, &[0, 1], &nowhere);
    refused("or the one that is named is not there");

    wish("");
    on.settle("bring-up");
    let (holder, _) = on.settled_on(&BOTH);
    // Somebody takes it later. Whatever is changed then does not end as if all were well.
    take("add");
    wish("balance = \"roundrobin\"");
    on.at.apply_fails().says("says that it has this address, too");
    take("delete");
    on.settle("nobody else has it");
    assert_eq!(on.settled_on(&BOTH).0, holder);
    on.at.destroy();
    for host in BOTH {
        on.is_bare(host);
    }
}

/// A virtual router of the same number, as others make one: for all of the network to hear.
fn router(on: &Front) -> String {
    let (network, _) = on.lab.address(0).rsplit_once('.').unwrap();
    let text = format!(
        "vrrp_instance other {{\n state BACKUP\n interface host0\n virtual_router_id 71\n priority 50\n advert_int 1\n \
         virtual_ipaddress {{\n  {network}.210/24\n }}\n}}\n"
    );
    format!(
        "printf '{}' >/root/other.conf; systemd-run --quiet --unit=other keepalived --dont-fork --vrrp \
         --use-file=/root/other.conf --pid=/run/other.pid --vrrp_pid=/run/other-vrrp.pid; \
         until ip -brief address show | grep -q {network}.210/; do :; done",
        text.replace('\n', "\\n")
    )
}
