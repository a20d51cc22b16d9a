//! What a user may add to the command line and the environment of etcd.
//!
//! Flags that are not on the list are refused before anything restarts: etcd does not start with a flag that it does
//! not know, and some that it knows make it lose data. The names are those of `server/embed/config.go` and
//! `server/etcdmain/config.go` of 3.5.33, 3.6.16 and 3.7.1.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::name::is_variable;

/// `--flag=value`, as etcd is given it, after the arguments of the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments(Vec<String>);

/// Variables of the process, none of them etcd's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

/// Why an argument or a variable is not passed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentFault {
    /// It is not written as one.
    #[error("`{0}` is not written as --flag=value")]
    Malformed(String),
    /// The provider sets it.
    #[error("--{flag} belongs to the provider: use {instead}")]
    Owned {
        /// The flag without dashes.
        flag: String,
        /// The attribute, or the reason why there is none.
        instead: &'static str,
    },
    /// It risks what has been written.
    #[error("--{0} is never passed on: it risks the data")]
    Unsafe(String),
    /// Another version has it, or none.
    #[error("etcd 3.{minor} has no flag --{flag} that can be passed on")]
    Unknown {
        /// The flag without dashes.
        flag: String,
        /// The minor that was asked.
        minor: u16,
    },
    /// The later one would win without a word.
    #[error("--{0} is given twice")]
    Twice(String),
    /// etcd reads its flags from such variables, and does not start when both are given.
    #[error("{0} is a flag of etcd in disguise: use extra_args")]
    Variable(String),
    /// It could end the line of the file that holds it.
    #[error("`{0}` is no name of a variable, or its value has a line end")]
    MalformedVariable(String),
}

const OWNED: &[(&str, &str)] = &[
    ("name", "the key of the member"),
    ("data-dir", "data_dir"),
    ("wal-dir", "wal_dir"),
    ("heartbeat-interval", "heartbeat_interval"),
    ("election-timeout", "election_timeout"),
    ("quota-backend-bytes", "quota_backend_bytes"),
    ("auto-compaction-retention", "auto_compaction_retention"),
    ("auto-compaction-mode", "auto_compaction_retention, which is a time"),
    ("config-file", "the attributes"),
    ("listen-peer-urls", "peer_port and the address of the member"),
    ("listen-client-urls", "client_port and the address of the member"),
    ("listen-client-http-urls", "client_port and the address of the member"),
    ("listen-metrics-urls", "metrics_port"),
    ("initial-advertise-peer-urls", "peer_port and the address of the member"),
    ("advertise-client-urls", "client_port and the address of the member"),
    ("initial-cluster", "members"),
    ("initial-cluster-state", "members"),
    ("initial-cluster-token", "name"),
    ("strict-reconfig-check", "nothing: it stays on"),
    ("feature-gates", "nothing: the checks for corruption stay on"),
    ("experimental-initial-corrupt-check", "nothing: it stays on"),
    ("experimental-compact-hash-check-enabled", "nothing: it stays on"),
    ("cert-file", "certificates"),
    ("key-file", "certificates"),
    ("client-cert-file", "certificates"),
    ("client-key-file", "certificates"),
    ("client-cert-auth", "nothing: it stays on"),
    ("trusted-ca-file", "certificates"),
    ("peer-cert-file", "certificates"),
    ("peer-key-file", "certificates"),
    ("peer-client-cert-file", "certificates"),
    ("peer-client-key-file", "certificates"),
    ("peer-client-cert-auth", "nothing: it stays on"),
    ("peer-trusted-ca-file", "certificates"),
    ("peer-cert-allowed-cn", "nothing: it keeps clients from joining as members"),
    ("peer-cert-allowed-hostname", "nothing: it keeps clients from joining as members"),
];

const UNSAFE: &[&str] = &[
    "unsafe-no-fsync",
    "force-new-cluster",
    "auto-tls",
    "peer-auto-tls",
    "enable-pprof",
    "experimental-peer-skip-client-san-verification",
    "peer-skip-client-san-verification",
];

/// Flag, first and last minor that has it.
const ALLOWED: &[(&str, u16, u16)] = &[
    ("auth-token", 5, 7),
    ("auth-token-ttl", 5, 7),
    ("backend-batch-interval", 5, 7),
    ("backend-batch-limit", 5, 7),
    ("backend-bbolt-freelist-type", 5, 7),
    ("bcrypt-cost", 5, 7),
    ("bootstrap-defrag-threshold-megabytes", 6, 7),
    ("cipher-suites", 5, 7),
    ("client-cert-allowed-hostname", 5, 7),
    ("client-crl-file", 5, 7),
    ("compact-hash-check-time", 6, 7),
    ("compaction-batch-limit", 6, 7),
    ("compaction-sleep-interval", 6, 7),
    ("corrupt-check-time", 6, 7),
    ("cors", 5, 7),
    ("distributed-tracing-address", 6, 7),
    ("distributed-tracing-instance-id", 6, 7),
    ("distributed-tracing-sampling-rate", 6, 7),
    ("distributed-tracing-service-name", 6, 7),
    ("downgrade-check-time", 6, 7),
    ("enable-distributed-tracing", 6, 7),
    ("enable-grpc-gateway", 5, 7),
    ("enable-log-rotation", 5, 7),
    ("experimental-bootstrap-defrag-threshold-megabytes", 5, 6),
    ("experimental-compact-hash-check-time", 5, 6),
    ("experimental-compaction-batch-limit", 5, 6),
    ("experimental-compaction-sleep-interval", 5, 6),
    ("experimental-corrupt-check-time", 5, 6),
    ("experimental-distributed-tracing-address", 5, 6),
    ("experimental-distributed-tracing-instance-id", 5, 6),
    ("experimental-distributed-tracing-sampling-rate", 5, 6),
    ("experimental-distributed-tracing-service-name", 5, 6),
    ("experimental-downgrade-check-time", 5, 6),
    ("experimental-enable-distributed-tracing", 5, 6),
    ("experimental-enable-lease-checkpoint", 5, 6),
    ("experimental-enable-lease-checkpoint-persist", 5, 6),
    ("experimental-memory-mlock", 5, 6),
    ("experimental-snapshot-catchup-entries", 5, 6),
    ("experimental-stop-grpc-service-on-defrag", 5, 6),
    ("experimental-txn-mode-write-with-shared-buffer", 5, 6),
    ("experimental-warning-apply-duration", 5, 6),
    ("experimental-warning-unary-request-duration", 6, 6),
    ("experimental-watch-progress-notify-interval", 5, 6),
    ("grpc-keepalive-interval", 5, 7),
    ("grpc-keepalive-min-time", 5, 7),
    ("grpc-keepalive-timeout", 5, 7),
    ("host-whitelist", 5, 7),
    ("initial-election-tick-advance", 5, 7),
    ("log-format", 6, 7),
    ("log-level", 5, 7),
    ("log-outputs", 5, 7),
    ("log-rotation-config-json", 5, 7),
    ("logger", 5, 7),
    ("max-concurrent-streams", 5, 7),
    ("max-request-bytes", 5, 7),
    ("max-snapshots", 5, 7),
    ("max-txn-ops", 5, 7),
    ("max-wals", 5, 7),
    ("memory-mlock", 6, 7),
    ("metrics", 5, 7),
    ("peer-crl-file", 5, 7),
    ("pre-vote", 5, 7),
    ("raft-read-timeout", 5, 7),
    ("raft-write-timeout", 5, 7),
    ("snapshot-catchup-entries", 6, 7),
    ("snapshot-count", 5, 7),
    ("socket-reuse-address", 5, 7),
    ("socket-reuse-port", 5, 7),
    ("tls-max-version", 5, 7),
    ("tls-min-version", 5, 7),
    ("warning-apply-duration", 6, 7),
    ("warning-unary-request-duration", 6, 7),
    ("watch-progress-notify-interval", 6, 7),
];

impl Arguments {
    /// The arguments in the order in which they were written.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place in the list.
    pub fn new(written: Vec<String>) -> Result<Self, Vec<(usize, ArgumentFault)>> {
        let mut seen = BTreeSet::new();
        let faults: Vec<_> = written
            .iter()
            .enumerate()
            .filter_map(|(at, it)| Some((at, fault_of(it, &mut seen)?)))
            .collect();
        if faults.is_empty() { Ok(Self(written)) } else { Err(faults) }
    }

    /// What a minor of etcd does not know, each with its place in the list.
    pub fn unknown_to(&self, minor: u16) -> Vec<(usize, ArgumentFault)> {
        let is_known = |flag: &str| {
            ALLOWED.iter().any(|(it, from, to)| *it == flag && (*from..=*to).contains(&minor))
        };
        let flags = self.0.iter().filter_map(|it| flag_of(it)).enumerate();
        flags
            .filter(|(_, flag)| !is_known(flag))
            .map(|(at, flag)| (at, ArgumentFault::Unknown { flag: flag.to_owned(), minor }))
            .collect()
    }

    /// Whether this flag is among them.
    pub fn has(&self, flag: &str) -> bool {
        self.0.iter().any(|it| flag_of(it) == Some(flag))
    }

    /// As etcd gets them.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

fn flag_of(argument: &str) -> Option<&str> {
    argument.strip_prefix("--")?.split_once('=').map(|(flag, _)| flag)
}

fn fault_of<'a>(argument: &'a str, seen: &mut BTreeSet<&'a str>) -> Option<ArgumentFault> {
    let Some(flag) = flag_of(argument).filter(|_| !argument.contains(char::is_control)) else {
        return Some(ArgumentFault::Malformed(argument.escape_debug().to_string()));
    };
    if let Some((_, instead)) = OWNED.iter().find(|(it, _)| *it == flag) {
        return Some(ArgumentFault::Owned { flag: flag.to_owned(), instead });
    }
    if UNSAFE.contains(&flag) || flag.starts_with("unsafe") {
        return Some(ArgumentFault::Unsafe(flag.to_owned()));
    }
    if !seen.insert(flag) {
        return Some(ArgumentFault::Twice(flag.to_owned()));
    }
    None
}

impl Environment {
    /// The variables by name.
    ///
    /// # Errors
    /// Everything that is wrong, each with its name.
    pub fn new(written: BTreeMap<String, String>) -> Result<Self, Vec<(String, ArgumentFault)>> {
        let fault = |(name, value): (&String, &String)| {
            if name.to_ascii_uppercase().starts_with("ETCD_") {
                return Some((name.clone(), ArgumentFault::Variable(name.clone())));
            }
            let is_fine = is_variable(name, value);
            let shown = || ArgumentFault::MalformedVariable(name.escape_debug().to_string());
            (!is_fine).then(|| (name.clone(), shown()))
        };
        let faults: Vec<_> = written.iter().filter_map(fault).collect();
        if faults.is_empty() { Ok(Self(written)) } else { Err(faults) }
    }

    /// Name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(argument: &str, minor: u16, refusal: &str) {
        let faults = match Arguments::new(vec![argument.to_owned()]) {
            Ok(arguments) => arguments.unknown_to(minor),
            Err(faults) => faults,
        };
        let texts: Vec<_> = faults.iter().map(|(_, it)| it.to_string()).collect();
        assert_eq!(texts.join(", "), refusal, "{argument}");
    }

    #[test]
    fn a_flag_is_passed_on_or_refused_with_the_way_out() {
        check("--snapshot-count=5000", 5, "");
        check("--snapshot-count", 5, "`--snapshot-count` is not written as --flag=value");
        check("-snapshot-count=1", 5, "`-snapshot-count=1` is not written as --flag=value");
        check("--cors=a\nb", 5, "`--cors=a\\nb` is not written as --flag=value");
        check("--data-dir=/x", 6, "--data-dir belongs to the provider: use data_dir");
        check(
            "--unsafe-no-fsync=true",
            6,
            "--unsafe-no-fsync is never passed on: it risks the data",
        );
        check(
            "--force-new-cluster=true",
            6,
            "--force-new-cluster is never passed on: it risks the data",
        );
        check(
            "--corrupt-check-time=1h",
            5,
            "etcd 3.5 has no flag --corrupt-check-time that can be passed on",
        );
        check("--corrupt-check-time=1h", 6, "");
        check("--experimental-corrupt-check-time=1h", 6, "");
        check(
            "--experimental-corrupt-check-time=1h",
            7,
            "etcd 3.7 has no flag --experimental-corrupt-check-time that can be passed on",
        );
    }

    #[test]
    fn every_fault_has_its_place_in_the_list() {
        let written = ["--metrics=basic", "--name=x", "--metrics=extensive"].map(str::to_owned);
        let faults = Arguments::new(written.to_vec()).unwrap_err();
        let places: Vec<_> = faults.iter().map(|(at, _)| *at).collect();
        assert_eq!(places, [1, 2]);
        assert_eq!(faults[1].1, ArgumentFault::Twice("metrics".to_owned()));
    }

    #[test]
    fn the_lists_do_not_overlap() {
        for (flag, from, to) in ALLOWED {
            assert!(from <= to && !UNSAFE.contains(flag), "{flag}");
            assert!(OWNED.iter().all(|(it, _)| it != flag), "{flag}");
        }
        assert!(ALLOWED.is_sorted());
    }

    #[test]
    fn a_variable_is_no_flag_in_disguise_and_stays_on_its_line() {
        let check = |name: &str, value: &str, is_fine: bool| {
            let written = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            assert_eq!(Environment::new(written).is_ok(), is_fine, "{name}={value}");
        };
        check("GOMEMLIMIT", "2GiB", true);
        check("ETCD_UNSAFE_NO_FSYNC", "true", false);
        check("GOGC", "1\nETCD_NAME=x", false);
        check("A B", "", false);
        check("1A", "", false);
        check("", "", false);
    }
}
