//! The command line and the environment of a member. Flags are named after `server/embed/config.go` of each minor.

use super::desired::{ClusterName, Desired, Folder, Name, PeerUrl, Place};
use super::observed::Token;
use super::version::Version;

/// Where a host keeps what etcd reads. The folder of a local host has its `root` in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Of the data.
    pub data_dir: Folder,
    /// Of the log, when it has one of its own.
    pub wal_dir: Option<Folder>,
    /// With `ca.crt`, and `server` and `peer`, each as `.crt` and `.key`.
    pub certificates: Folder,
}

/// What a member is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// After the program's name. No secret is among them.
    pub arguments: Vec<String>,
    /// Name and value. The first cluster is not in it: see [`initial_cluster`].
    pub environment: Vec<(String, String)>,
}

/// The common name in the certificates of members: a client's certificate does not open the port for members.
const PEER: &str = "etcd-peer";

/// Authenticated encryption alone, for TLS 1.2; the suites of 1.3 are all of that kind.
const SUITES: &str = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,\
TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,\
TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";

/// What the member of this name is started with, in this version.
pub fn render(
    desired: &Desired,
    name: &Name,
    place: Place,
    version: Version,
    files: &Files,
) -> Rendered {
    let url = |scheme: &str, port: u16| {
        format!("{scheme}://{}", std::net::SocketAddr::new(place.address, port))
    };
    let (peer, client) = (desired.peer_url(place), url("https", desired.ports.client));
    let loopback = || format!("http://127.0.0.1:{}", desired.ports.metrics);
    let metrics = if place.is_local { url("http", desired.ports.metrics) } else { loopback() };
    let mut lines = vec![
        format!("--name={name}"),
        format!("--data-dir={}", files.data_dir),
        format!("--listen-peer-urls={peer}"),
        format!("--listen-client-urls={client}"),
        format!("--listen-metrics-urls={metrics}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--advertise-client-urls={client}"),
        format!("--heartbeat-interval={}", desired.timing.heartbeat().as_millis()),
        format!("--election-timeout={}", desired.timing.election().as_millis()),
        format!("--quota-backend-bytes={}", desired.quota),
        "--strict-reconfig-check=true".to_owned(),
        format!("--cert-file={}/server.crt", files.certificates),
        format!("--key-file={}/server.key", files.certificates),
        format!("--trusted-ca-file={}/ca.crt", files.certificates),
        "--client-cert-auth=true".to_owned(),
        format!("--peer-cert-file={}/peer.crt", files.certificates),
        format!("--peer-key-file={}/peer.key", files.certificates),
        format!("--peer-trusted-ca-file={}/ca.crt", files.certificates),
        "--peer-client-cert-auth=true".to_owned(),
        format!("--peer-cert-allowed-cn={PEER}"),
    ];
    lines.extend(files.wal_dir.iter().map(|it| format!("--wal-dir={it}")));
    match desired.auto_compaction {
        Some(retention) => lines.extend([
            "--auto-compaction-mode=periodic".to_owned(),
            format!("--auto-compaction-retention={}s", retention.as_secs()),
        ]),
        None => lines.push("--auto-compaction-retention=0".to_owned()),
    }
    lines.extend(corruption_checks(version).iter().map(|it| (*it).to_owned()));
    // What a user may choose is set only where none did: of two, the later would count, or both.
    let chosen =
        [("tls-min-version", "TLS1.2"), ("cipher-suites", SUITES), ("log-outputs", "stderr")];
    let is_tls_13 = desired.arguments.as_slice().iter().any(|it| it == "--tls-min-version=TLS1.3");
    for (flag, value) in chosen {
        // etcd does not start with suites for 1.2 when it is to speak 1.3 alone.
        let is_moot = is_tls_13 && flag == "cipher-suites";
        if !desired.arguments.has(flag) && !is_moot {
            lines.push(format!("--{flag}={value}"));
        }
    }
    lines.extend_from_slice(desired.arguments.as_slice());
    let environment = desired.environment.iter();
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Rendered { arguments: lines, environment: environment.collect() }
}

/// Both checks are feature gates from 3.6 on; the flags of 3.5 are gone in 3.7.
fn corruption_checks(version: Version) -> &'static [&'static str] {
    match version.minor {
        ..=5 => &[
            "--experimental-initial-corrupt-check=true",
            "--experimental-compact-hash-check-enabled=true",
        ],
        6.. => &["--feature-gates=InitialCorruptCheck=true,CompactHashCheck=true"],
    }
}

/// The variables that a first start reads, for a file of their own: they change without a restart. `new` only until a
/// quorum was seen, so that a member that has lost its data cannot start a second cluster.
pub fn initial_cluster<'a>(
    cluster: &ClusterName,
    token: &Token,
    members: impl IntoIterator<Item = (&'a str, &'a PeerUrl)>,
    is_new: bool,
) -> Vec<(String, String)> {
    let members: Vec<_> = members.into_iter().map(|(name, url)| format!("{name}={url}")).collect();
    let state = if is_new { "new" } else { "existing" };
    let variables = [
        ("ETCD_INITIAL_CLUSTER", members.join(",")),
        ("ETCD_INITIAL_CLUSTER_STATE", state.to_owned()),
        ("ETCD_INITIAL_CLUSTER_TOKEN", format!("{cluster}-{}", token.0)),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::etcd::arguments::Arguments;
    use crate::domain::etcd::desired::Wish;
    use crate::domain::etcd::notation::wish;

    fn lines(version: &str, edit: fn(&mut Wish)) -> Vec<String> {
        let mut wish = wish("a b c", version);
        edit(&mut wish);
        let desired = Desired::new(wish).unwrap();
        let (name, place) = desired.members.iter().next().unwrap();
        let folder = |it: &str| it.parse().unwrap();
        let files = Files {
            data_dir: desired.data_dir.clone(),
            wal_dir: None,
            certificates: folder("/etc/etcd/prod/pki"),
        };
        render(&desired, name, *place, desired.version, &files).arguments
    }

    #[test]
    fn a_member_binds_to_its_address_and_asks_everybody_for_a_certificate() {
        let found = lines("3.6.16", |_| ());
        for line in [
            "--name=a",
            "--data-dir=/var/lib/etcd/prod",
            "--listen-peer-urls=https://192.0.2.1:2380",
            "--listen-client-urls=https://192.0.2.1:2379",
            "--listen-metrics-urls=http://127.0.0.1:2381",
            "--heartbeat-interval=100",
            "--election-timeout=1000",
            "--client-cert-auth=true",
            "--peer-client-cert-auth=true",
            "--strict-reconfig-check=true",
            "--auto-compaction-retention=0",
            "--tls-min-version=TLS1.2",
        ] {
            assert!(found.iter().any(|it| it == line), "{line} is not in {found:#?}");
        }
        assert!(!found.iter().any(|it| it.contains("0.0.0.0") || it.contains("unsafe")));
    }

    #[test]
    fn each_minor_gets_the_flags_that_it_has() {
        let check = |version: &str, experimental: usize, gates: usize| {
            let found = lines(version, |_| ());
            let count = |it: &str| found.iter().filter(|line| line.starts_with(it)).count();
            assert_eq!(
                (count("--experimental-"), count("--feature-gates=")),
                (experimental, gates)
            );
        };
        check("3.5.33", 2, 0);
        check("3.6.16", 0, 1);
        check("3.7.1", 0, 1);
    }

    #[test]
    fn what_a_user_chose_is_not_set_a_second_time() {
        let found = lines("3.6.16", |it| {
            let written = ["--tls-min-version=TLS1.3", "--log-outputs=stdout"].map(str::to_owned);
            it.arguments = Arguments::new(written.to_vec()).unwrap();
        });
        let count = |it: &str| found.iter().filter(|line| line.starts_with(it)).count();
        assert_eq!(count("--tls-min-version="), 1);
        assert_eq!(count("--log-outputs="), 1);
        assert_eq!(count("--cipher-suites="), 0);
        assert_eq!(found.last().map(String::as_str), Some("--log-outputs=stdout"));
    }

    #[test]
    fn the_first_cluster_is_in_a_file_of_its_own() {
        let (name, token) = ("prod".parse().unwrap(), Token("x1".to_owned()));
        let url = |it: &str| PeerUrl::listed(it);
        let (a, b) = (url("https://192.0.2.1:2380"), url("https://192.0.2.2:2380"));
        let found = initial_cluster(&name, &token, [("a", &a), ("b", &b)], true);
        let text: Vec<_> = found.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            text,
            [
                "ETCD_INITIAL_CLUSTER=a=https://192.0.2.1:2380,b=https://192.0.2.2:2380",
                "ETCD_INITIAL_CLUSTER_STATE=new",
                "ETCD_INITIAL_CLUSTER_TOKEN=prod-x1",
            ]
        );
    }
}
