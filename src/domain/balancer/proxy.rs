//! The configuration of HAProxy, after its `doc/configuration.txt`. It has parts with these names, whatever the balancer
//! is called: `front` for clients, `back` with the backends, `probe` for whoever asks whether it is alive.

use std::fmt;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::desired::{Balance, Desired, Place, Protocol};
use super::units::Files;
use crate::domain::name::Name;

/// The part with the backends.
pub const BACK: &str = "back";

/// The first line of every file of ours.
pub(super) const HEADER: &str =
    "# Written by terraform-provider-ha. The next apply undoes changes.\n";

/// How long one side that has ended its direction is waited for by the other.
const HALF_CLOSED: &str = "30s";

/// Reloads that an old process survives. From 3.1 on the default is 50, which would cut watches of a busy day.
const RELOADS: u32 = 100_000;

/// What a process was started with, but for its backends: they change while it runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

/// What a node is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The file.
    pub text: String,
    /// Stands for all of it but the backends. The process tells it as its `description`.
    pub digest: Digest,
}

/// What this node is to run.
pub fn proxy(desired: &Desired, place: &Place, files: &Files) -> Proxy {
    let options = options(desired, files);
    let before = |description: &str| frame(desired, place, description);
    let all = format!("{}{options}\n{}", before(""), authority(desired));
    let digest = Digest::of(&all);
    let mut text = before(&digest.0);
    for (key, endpoint) in &desired.backends {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    server {}", server(desired, key, *endpoint, files));
    }
    Proxy { text, digest }
}

/// One backend: the same words in the file and for the process that runs, which takes over no defaults.
pub fn server(desired: &Desired, key: &Name, endpoint: SocketAddr, files: &Files) -> String {
    format!("{key} {endpoint} {}", options(desired, files))
}

fn authority(desired: &Desired) -> &str {
    match &desired.check.protocol {
        Protocol::Https { authority, .. } => authority.pem(),
        Protocol::Tcp => "",
    }
}

/// All but the backends. Its last part is theirs.
fn frame(desired: &Desired, place: &Place, description: &str) -> String {
    let (timeouts, check) = (&desired.timeouts, &desired.check);
    let mut text = format!(
        "\
{HEADER}global
    description {description}
    maxconn {connections}
    hard-stop-after {drain}
    mworker-max-reloads {RELOADS}
    stats socket unix@{admin} mode 600 level admin expose-fd listeners
    ssl-default-server-options ssl-min-ver TLSv1.2
{identity}
defaults
    mode tcp
    maxconn {connections}
    option dontlognull
    option redispatch 1
    retries 2
    timeout connect {connect}
    timeout client {idle}
    timeout server {idle}
    timeout tunnel {tunnel}
    timeout client-fin {HALF_CLOSED}
    timeout server-fin {HALF_CLOSED}
    timeout check {check}

frontend front
    bind {bind}{foreign}
    option clitcpka
    default_backend {BACK}

frontend probe
    mode http
    timeout client {HALF_CLOSED}
    bind unix@{probe} mode 666
    monitor-uri /alive
",
        connections = desired.max_connections,
        drain = timeouts.drain,
        admin = Files::ADMIN,
        identity = if place.is_local { "" } else { IDENTITY },
        connect = timeouts.connect,
        idle = timeouts.idle,
        tunnel = timeouts.tunnel,
        check = check.timeout,
        bind = desired.binds(place),
        // Another node may have the address, and it is to be bound all the same.
        foreign = if desired.virtual_ip.is_some() { " transparent" } else { "" },
        probe = Files::ALIVE,
    );
    if let Some(port) = desired.metrics_port {
        let _ = write!(
            text,
            "
frontend metrics
    mode http
    timeout client {HALF_CLOSED}
    bind {}
    http-request use-service prometheus-exporter if {{ path /metrics }}
",
            SocketAddr::new(place.address, port)
        );
    }
    let balance = match desired.balance {
        Balance::Leastconn => "balance leastconn",
        Balance::Roundrobin => "balance roundrobin",
        // The other kind of hash takes in no backend while it runs.
        Balance::Source => "balance source\n    hash-type consistent",
    };
    let _ = write!(text, "\nbackend {BACK}\n    {balance}\n    option srvtcpka\n");
    if let Protocol::Https { server_name, path, .. } = &check.protocol {
        let _ = write!(
            text,
            "    option httpchk
    http-check send meth GET uri {path} ver HTTP/1.1 hdr Host {server_name}
    http-check expect status 200
"
        );
    }
    text
}

const IDENTITY: &str = "    user haproxy\n    group haproxy\n    chroot /var/lib/haproxy\n";

/// Of every backend. Who is found down loses its connections at once, for clients would wait for it.
fn options(desired: &Desired, files: &Files) -> String {
    let check = &desired.check;
    let mut text = format!(
        "check inter {} fastinter {} downinter 1s fall {} rise {} on-marked-down shutdown-sessions",
        check.interval, check.fast_interval, check.fall, check.rise
    );
    if let Protocol::Https { authority, server_name, .. } = &check.protocol {
        // With a name for SNI, that is the name which is verified (`check-sni` and `verifyhost` in the manual).
        let _ = write!(
            text,
            " check-ssl verify required ca-file {} check-sni {server_name} check-alpn http/1.1",
            files.authority(authority)
        );
    }
    text
}

impl Digest {
    fn of(text: &str) -> Self {
        let half = Sha256::digest(text);
        let half = half.iter().take(16).fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
        Self(format!("{half:032x}"))
    }
}

impl FromStr for Digest {
    type Err = ();

    /// As a process tells it. None that we have started tells anything else.
    fn from_str(text: &str) -> Result<Self, ()> {
        let is_one = text.len() == 32 && text.bytes().all(|it| it.is_ascii_hexdigit());
        if is_one { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::balancer::Wish;
    use crate::domain::balancer::samples::{files, wish, with_virtual_ip};

    fn first(wish: Wish) -> Proxy {
        let desired = Desired::new(wish).unwrap();
        let place = desired.nodes.values().next().unwrap();
        proxy(&desired, place, &files(&desired))
    }

    const WHOLE: &str = r"# Written by terraform-provider-ha. The next apply undoes changes.
global
    description DIGEST
    maxconn 8000
    hard-stop-after 3600000ms
    mworker-max-reloads 100000
    stats socket unix@admin.sock mode 600 level admin expose-fd listeners
    ssl-default-server-options ssl-min-ver TLSv1.2
    user haproxy
    group haproxy
    chroot /var/lib/haproxy

defaults
    mode tcp
    maxconn 8000
    option dontlognull
    option redispatch 1
    retries 2
    timeout connect 300ms
    timeout client 3600000ms
    timeout server 3600000ms
    timeout tunnel 14400000ms
    timeout client-fin 30s
    timeout server-fin 30s
    timeout check 300ms

frontend front
    bind 10.0.0.100:6443 transparent
    option clitcpka
    default_backend back

frontend probe
    mode http
    timeout client 30s
    bind unix@alive.sock mode 666
    monitor-uri /alive

frontend metrics
    mode http
    timeout client 30s
    bind 10.0.0.11:8404
    http-request use-service prometheus-exporter if { path /metrics }

backend back
    balance leastconn
    option srvtcpka
    option httpchk
    http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host kubernetes
    http-check expect status 200
    server cp1 10.0.0.21:6443 OPTIONS
    server cp2 10.0.0.22:6443 OPTIONS
    server cp3 10.0.0.23:6443 OPTIONS
";

    const OPTIONS: &str = "check inter 500ms fastinter 250ms downinter 1s fall 2 rise 2 \
        on-marked-down shutdown-sessions check-ssl verify required \
        ca-file /etc/balancer-api/ca-874cdb61.crt check-sni kubernetes check-alpn http/1.1";

    #[test]
    fn the_file_is_readable() {
        let found = first(Wish { metrics_port: Some(8404), ..with_virtual_ip() });
        let text = WHOLE.replace("DIGEST", &found.digest.to_string()).replace("OPTIONS", OPTIONS);
        assert_eq!(found.text, text);
    }

    #[test]
    fn the_digest_stands_for_all_but_the_backends() {
        let base = first(wish());
        let mut other = wish();
        other.backends.pop_first();
        let fewer = first(other);
        assert_eq!(fewer.digest, base.digest);
        assert_ne!(fewer.text, base.text);
        let changes: [fn(&mut Wish); 4] = [
            |it| it.port = 7443,
            |it| it.check.fall = 3.try_into().unwrap(),
            |it| it.check.protocol = Protocol::Tcp,
            |it| it.timeouts.drain = it.timeouts.connect,
        ];
        for change in changes {
            let mut other = wish();
            change(&mut other);
            assert_ne!(first(other).digest, base.digest);
        }
        assert_eq!(base.digest.to_string().parse(), Ok(base.digest));
        assert_eq!("somebody's".parse::<Digest>(), Err(()));
    }

    #[test]
    fn a_hash_by_source_takes_in_backends_while_it_runs() {
        let text = first(Wish { balance: Balance::Source, ..wish() }).text;
        assert!(text.contains("    balance source\n    hash-type consistent\n"), "{text}");
    }
}
