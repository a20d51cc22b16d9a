//! Who else is on the network of an interface: who says that an address is theirs, and which virtual routers there are.
//!
//! The kernel itself asks for the address, as for any packet that goes there, and what the neighbours say is heard on raw
//! sockets: all of them, where the kernel keeps the last. ARP is RFC 826, neighbour discovery RFC 4861, VRRP RFC 5798.
#![expect(clippy::disallowed_methods, reason = "opens sockets, and waits by the clock")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{set_ip_add_membership, set_ipv6_add_membership};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, eth, ipproto, recvfrom,
    socket_with,
};
use tokio::task::spawn_blocking;

use super::fault::Fault;
use super::program::{self, Call};
use crate::proto::agent::{ListenReply, ListenRequest, Router};

/// Nobody who is there needs longer to say so.
const MOST: u32 = 10_000;
const FORGET_LIMIT: Duration = Duration::from_secs(5);

/// Nobody listens there (RFC 863). What counts is that the kernel asks for the address before it sends.
const DISCARD: u16 = 9;

const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const ALL_ROUTERS_6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
const VRRP: u32 = 112;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// What is asked, read.
struct Wish {
    address: IpAddr,
    own: IpAddr,
    interface: String,
    limit: Duration,
}

/// Listens for as long as is asked for.
pub(super) async fn listen(request: ListenRequest) -> Result<ListenReply, Fault> {
    let wish = parse(request)?;
    forget(&wish).await?;
    let heard = spawn_blocking(move || hear(&wish));
    heard.await.map_err(Fault::failed("listen"))?
}

fn parse(request: ListenRequest) -> Result<Wish, Fault> {
    let ListenRequest { address, own, interface, limit } = request;
    let invalid = || Fault::Invalid(format!("{address:?} and {own:?} are no two addresses"));
    let (address, own): (IpAddr, IpAddr) =
        address.parse().ok().zip(own.parse().ok()).ok_or_else(invalid)?;
    if address.is_ipv4() != own.is_ipv4() || address == own || address.is_multicast() {
        return Err(Fault::Invalid(format!("{address} is no address to ask for from {own}")));
    }
    let is_name = |it: u8| it.is_ascii_alphanumeric() || b"-_.".contains(&it);
    if !(1..=15).contains(&interface.len()) || !interface.bytes().all(is_name) {
        return Err(Fault::Invalid(format!("{interface:?} is no interface")));
    }
    if MOST < limit {
        return Err(Fault::Invalid(format!("at most {MOST} ms are listened")));
    }
    Ok(Wish { address, own, interface, limit: Duration::from_millis(limit.into()) })
}

/// What the kernel knows already it would not ask for.
async fn forget(wish: &Wish) -> Result<(), Fault> {
    let family = if wish.address.is_ipv4() { "-4" } else { "-6" };
    let to = wish.address.to_string();
    let arguments = [family, "neighbour", "flush", "to", &to, "dev", &wish.interface];
    let call = Call {
        program: program::find("ip")?,
        arguments: arguments.map(OsString::from).to_vec(),
        input: Bytes::new(),
        limit: FORGET_LIMIT,
        ending: None,
        until: Bytes::new(),
    };
    program::run(call).await?.success("forget who has the address").map(drop)
}

fn hear(wish: &Wish) -> Result<ListenReply, Fault> {
    let raw = |family, kind, protocol| {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socket_with(family, kind, flags, Some(protocol)).map_err(Fault::failed("listen"))
    };
    let number = std::num::NonZeroU32::new(VRRP).map(Protocol::from_raw);
    let vrrp = number.ok_or_else(|| Fault::Invalid("no protocol".to_owned()))?;
    let (family, claims) = match wish.address {
        IpAddr::V4(_) => {
            (AddressFamily::INET, raw(AddressFamily::PACKET, SocketType::DGRAM, eth::ARP)?)
        }
        IpAddr::V6(_) => {
            (AddressFamily::INET6, raw(AddressFamily::INET6, SocketType::RAW, ipproto::ICMPV6)?)
        }
    };
    let adverts = raw(family, SocketType::RAW, vrrp)?;
    join(&adverts, wish)?;
    // A packet that does not get there is an answer too: nobody has the address.
    if let Ok(asks) = UdpSocket::bind(SocketAddr::new(wish.own, 0)) {
        let _ = asks.send_to(&[], SocketAddr::new(wish.address, DISCARD));
    }
    let (mut owners, mut routers) = (BTreeSet::new(), BTreeSet::new());
    let end = Instant::now() + wish.limit;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|it| !it.is_zero()) {
        let mut both = [&claims, &adverts].map(|it| PollFd::new(it, PollFlags::IN));
        let left = Timespec::try_from(left).map_err(|_| Fault::Invalid("too long".to_owned()))?;
        match poll(&mut both, Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Fault::failed("listen")(error)),
        }
        while let Some((packet, _)) = receive(&claims) {
            owners.extend(owner(&packet, wish.address));
        }
        while let Some((packet, from)) = receive(&adverts) {
            routers.extend(from.and_then(|from| router(&packet, from)));
        }
    }
    let router =
        |(id, address): (u8, IpAddr)| Router { id: id.into(), address: address.to_string() };
    Ok(ListenReply {
        owners: owners.into_iter().collect(),
        routers: routers.into_iter().map(router).collect(),
    })
}

fn join(socket: &OwnedFd, wish: &Wish) -> Result<(), Fault> {
    let joined = match wish.own {
        IpAddr::V4(own) => set_ip_add_membership(socket.as_fd(), &ALL_ROUTERS, &own),
        IpAddr::V6(_) => {
            let index = nix::net::if_::if_nametoindex(wish.interface.as_str());
            let index = index.map_err(Fault::failed(format!("find {}", wish.interface)))?;
            set_ipv6_add_membership(socket.as_fd(), &ALL_ROUTERS_6, index)
        }
    };
    joined.map_err(Fault::failed("listen to virtual routers"))
}

/// The next packet that waits, and who has sent it.
fn receive(socket: &OwnedFd) -> Option<(Vec<u8>, Option<IpAddr>)> {
    let mut buffer = [0; 2048];
    let (_, length, from) = recvfrom(socket, &mut buffer[..], RecvFlags::empty()).ok()?;
    let from = from.and_then(|it| SocketAddr::try_from(it).ok()).map(|it| it.ip());
    Some((buffer.get(..length)?.to_vec(), from))
}

/// Whoever says in this packet that the address is theirs, by their link address.
fn owner(packet: &[u8], address: IpAddr) -> Option<String> {
    let link = match address {
        IpAddr::V4(address) => {
            // Ethernet and IPv4, whether it asks, answers or tells.
            (packet.get(..6)? == [0, 1, 8, 0, 6, 4]).then_some(())?;
            (packet.get(14..18)? == address.octets()).then_some(())?;
            packet.get(8..14)?
        }
        IpAddr::V6(address) => {
            (*packet.first()? == NEIGHBOUR_ADVERTISEMENT).then_some(())?;
            (packet.get(8..24)? == address.octets()).then_some(())?;
            // The option with the link address of who speaks.
            (packet.get(24..26)? == [2, 1]).then_some(())?;
            packet.get(26..32)?
        }
    };
    Some(link.iter().map(|it| format!("{it:02x}")).collect::<Vec<_>>().join(":"))
}

/// The number of the virtual router that this packet advertises. IPv4 has its own head before it.
fn router(packet: &[u8], from: IpAddr) -> Option<(u8, IpAddr)> {
    let head = if from.is_ipv4() { usize::from(packet.first()? & 15) * 4 } else { 0 };
    // The version is in the upper half.
    (packet.get(head)? & 15 == 1).then_some(())?;
    Some((*packet.get(head + 1)?, from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_an_address_is_read_from_arp_and_neighbour_discovery() {
        let arp = |operation: u8| {
            let mut packet = vec![0, 1, 8, 0, 6, 4, 0, operation];
            packet.extend([2, 0, 0, 0, 0, 7, 10, 0, 0, 100]);
            packet.extend([2, 0, 0, 0, 0, 1, 10, 0, 0, 11]);
            packet
        };
        let v4 = |last: u8| IpAddr::from([10, 0, 0, last]);
        for operation in [1, 2] {
            assert_eq!(owner(&arp(operation), v4(100)).as_deref(), Some("02:00:00:00:00:07"));
            assert_eq!(owner(&arp(operation), v4(11)), None, "it only asks for it");
        }
        let v6: Ipv6Addr = "fd00::64".parse().unwrap();
        let mut packet = vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, 0x60, 0, 0, 0];
        packet.extend(v6.octets());
        packet.extend([2, 1, 2, 0, 0, 0, 0, 7]);
        assert_eq!(owner(&packet, v6.into()).as_deref(), Some("02:00:00:00:00:07"));
        assert_eq!(owner(&packet, "fd00::65".parse().unwrap()), None);
        for length in 0..packet.len() {
            assert_eq!(owner(&packet[..length], v6.into()), None);
            assert_eq!(owner(&arp(2)[..length.min(17)], v4(100)), None);
        }
    }

    #[test]
    fn the_number_of_a_virtual_router_is_behind_the_head() {
        let from = IpAddr::from([10, 0, 0, 9]);
        let mut packet = vec![0x46];
        packet.extend([0; 23]);
        packet.extend([0x31, 71, 200, 1]);
        assert_eq!(router(&packet, from), Some((71, from)));
        let from6 = IpAddr::from(Ipv6Addr::LOCALHOST);
        assert_eq!(router(&[0x31, 72], from6), Some((72, from6)));
        for other in [&[][..], &[0x31], &[0x32, 72]] {
            assert_eq!(router(other, from6), None);
        }
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        let request = |address: &str, own: &str, interface: &str, limit| ListenRequest {
            address: address.to_owned(),
            own: own.to_owned(),
            interface: interface.to_owned(),
            limit,
        };
        assert!(parse(request("10.0.0.100", "10.0.0.11", "eth0", 500)).is_ok());
        for wrong in [
            request("x", "10.0.0.11", "eth0", 500),
            request("10.0.0.100", "", "eth0", 500),
            request("10.0.0.100", "fd00::1", "eth0", 500),
            request("10.0.0.11", "10.0.0.11", "eth0", 500),
            request("224.0.0.18", "10.0.0.11", "eth0", 500),
            request("10.0.0.100", "10.0.0.11", "eth0; x", 500),
            request("10.0.0.100", "10.0.0.11", "", 500),
            request("10.0.0.100", "10.0.0.11", "eth0", MOST + 1),
        ] {
            assert!(matches!(parse(wrong), Err(Fault::Invalid(_))));
        }
    }
}
