//! Wishes for tests.

use std::net::SocketAddr;
use std::time::Duration;

use super::*;

pub(super) const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBgDCCASegAwIBAgIUIdLwT6ru8RKpB83vmGLcvvHbu0QwCgYIKoZIzj0EAwIw\n\
FTETMBEGA1UEAwwKa3ViZXJuZXRlczAgFw0yNjExMjkxNDA3MzVaGA8yMTI2MTEw\n\
NTE0MDczNVowFTETMBEGA1UEAwwKa3ViZXJuZXRlczBZMBMGByqGSM49AgEGCCqG\n\
SM49AwEHA0IABPQPeOz69tGMhozdIUgaomj+tjljGY9qT0TFMbKFhCyC9Kji/rZE\n\
rogqcfLXicTXGI4IM6wz/pELl37QMYpOFICjUzBRMB0GA1UdDgQWBBT+qaf8GzzL\n\
pUW+WINVQBHkqQvc+DAfBgNVHSMEGDAWgBT+qaf8GzzLpUW+WINVQBHkqQvc+DAP\n\
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIARBYGcMQxkuny3GgAlI\n\
MBtq2ucJ0UY4QxgUBiOaEptkAiARySsoTODnolXOGw/ZkE+UTJD0DwBCUozsakgS\n\
C3sZ4g==\n\
-----END CERTIFICATE-----\n\
";

pub(super) fn time(milliseconds: u64) -> Time {
    Time::new(Duration::from_millis(milliseconds)).unwrap()
}

/// Two nodes in front of three API servers, with the defaults of the resource.
pub(super) fn wish() -> Wish {
    let node = |at: u8| {
        let place = Place {
            address: [10, 0, 0, 10 + at].into(),
            is_local: false,
            interface: None,
            priority: None,
        };
        (format!("lb{at}").parse().unwrap(), place)
    };
    let backend = |at: u8| {
        (format!("cp{at}").parse().unwrap(), SocketAddr::from(([10, 0, 0, 20 + at], 6443)))
    };
    Wish {
        name: "api".parse().unwrap(),
        nodes: [1, 2].map(node).into(),
        port: 6443,
        bind_address: None,
        backends: [1, 2, 3].map(backend).into(),
        balance: Balance::Leastconn,
        check: Check {
            protocol: Protocol::Https {
                authority: Authority::new(AUTHORITY).unwrap(),
                server_name: "kubernetes".parse().unwrap(),
                path: "/readyz".parse().unwrap(),
            },
            interval: time(500),
            fast_interval: time(250),
            timeout: time(300),
            fall: 2.try_into().unwrap(),
            rise: 2.try_into().unwrap(),
        },
        timeouts: Timeouts {
            connect: time(300),
            idle: time(3_600_000),
            tunnel: time(14_400_000),
            drain: time(3_600_000),
        },
        max_connections: 8000,
        virtual_ip: None,
        metrics_port: None,
        install: Install::Package,
        lost_hosts: [].into(),
    }
}

/// The same with an address that moves.
pub(super) fn with_virtual_ip() -> Wish {
    let virtual_ip = VirtualIp {
        address: "10.0.0.100/24".parse().unwrap(),
        router_id: 71.try_into().unwrap(),
        interface: None,
        advertisement: Advertisement::new(Duration::from_millis(300)).unwrap(),
    };
    Wish { virtual_ip: Some(virtual_ip), ..wish() }
}

/// The same on this machine.
pub(super) fn local() -> Wish {
    let mut wish = wish();
    for (place, at) in wish.nodes.values_mut().zip(11..) {
        (place.address, place.is_local) = ([127, 0, 0, at].into(), true);
    }
    wish
}

/// Where the files of a node are.
pub(super) fn files(desired: &Desired) -> Files {
    let is_local = desired.nodes.values().all(|it| it.is_local);
    let root = if is_local { "/tmp/r" } else { "" };
    Files::new(&desired.name, root, is_local).unwrap()
}
