//! Addresses and listening ports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

use super::system;
use crate::agent::fault::Fault;
use crate::proto::agent::listener::Protocol;
use crate::proto::agent::{Address, Listener};

/// The states of `/proc/net` in which a socket waits for others.
const TCP_LISTENS: &str = "0A";
const UDP_UNCONNECTED: &str = "07";

/// All addresses of all interfaces.
pub(in crate::agent) fn addresses() -> Result<Vec<Address>, Fault> {
    let all = getifaddrs().map_err(Fault::failed("list the addresses"))?;
    let addresses = all.filter_map(|it| {
        let address = ip(&it.address?)?;
        let prefix = match ip(&it.netmask?)? {
            IpAddr::V4(mask) => mask.to_bits().count_ones(),
            IpAddr::V6(mask) => mask.to_bits().count_ones(),
        };
        let (interface, address) = (it.interface_name, address.to_string());
        Some(Address { interface, address, prefix })
    });
    Ok(addresses.collect())
}

/// The link addresses of all interfaces that have one.
pub(super) fn links() -> Result<Vec<String>, Fault> {
    let all = getifaddrs().map_err(Fault::failed("list the addresses"))?;
    let links = all.filter_map(|it| it.address?.as_link_addr()?.addr());
    let text = |it: [u8; 6]| it.map(|byte| format!("{byte:02x}")).join(":");
    Ok(links.filter(|it| *it != [0; 6]).map(text).collect())
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|it| it.ip().into());
    v4.or_else(|| address.as_sockaddr_in6().map(|it| it.ip().into()))
}

/// Every port that something waits on, whoever it is.
pub(super) fn listeners() -> Result<Vec<Listener>, Fault> {
    let tables = [
        (Protocol::Tcp, "/proc/net/tcp", TCP_LISTENS),
        (Protocol::Tcp, "/proc/net/tcp6", TCP_LISTENS),
        (Protocol::Udp, "/proc/net/udp", UDP_UNCONNECTED),
        (Protocol::Udp, "/proc/net/udp6", UDP_UNCONNECTED),
    ];
    let mut found = Vec::new();
    for (protocol, path, state) in tables {
        // Without IPv6 its tables are absent.
        found.extend(parse(&system::optional(path)?, protocol, state));
    }
    Ok(found)
}

fn parse(table: &str, protocol: Protocol, state: &str) -> Vec<Listener> {
    let row = |line: &str| {
        let mut fields = line.split_whitespace();
        let (address, port) = fields.nth(1)?.split_once(':')?;
        (fields.nth(1)? == state).then_some(())?;
        Some(Listener {
            protocol: protocol.into(),
            address: socket_ip(address)?.to_string(),
            port: u32::from_str_radix(port, 16).ok()?,
        })
    };
    table.lines().filter_map(row).collect()
}

/// Words of 32 bits, each in the order of the machine.
fn socket_ip(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = u32::from_str_radix(text.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            Some(Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?).into())
        }
        _ => None,
    }
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    #[test]
    fn the_socket_tables() {
        let table = "  sl  local_address rem_address   st tx_queue\n   \
                     0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n   \
                     1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000\n";
        let found = parse(table, Protocol::Tcp, TCP_LISTENS);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].address.as_str(), found[0].port), ("127.0.0.1", 8080));
        let table = "0: 00000000000000000000000001000000:1A0B 0:0 0A\n1: B80D0120000000000000000001000000:1 0:0 0A\n";
        let found = parse(table, Protocol::Tcp, TCP_LISTENS);
        assert_eq!((found[0].address.as_str(), found[0].port), ("::1", 6667));
        assert_eq!(found[1].address, "2001:db8::1");
    }

    #[test]
    fn this_machine_has_its_loopback() {
        let own = addresses().unwrap();
        assert!(
            own.iter().any(|it| (it.address.as_str(), it.prefix) == ("127.0.0.1", 8)),
            "{own:?}"
        );
    }
}
