//! What a user may add to the command lines and environments of the components.
//!
//! What the provider sets, and what would open the cluster, is refused here, with the attribute that says it instead. Which
//! flags there are at all is known best by the program itself: it is asked by a dry start before anything restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::domain::name::is_variable;

/// A program of the control plane, in the order in which a node gets a new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// Serves the API.
    ApiServer,
    /// Brings about what objects ask for.
    ControllerManager,
    /// Gives pods their nodes.
    Scheduler,
}

/// `--flag=value`, as a component is given it, after the arguments of the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments(Vec<String>);

/// Variables of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

/// Why an argument or a variable is not passed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentFault {
    /// It is not written as one.
    #[error("`{0}` is not written as --flag=value")]
    Malformed(String),
    /// The provider sets it.
    #[error("--{flag} belongs to the provider: {instead}")]
    Owned {
        /// The flag without dashes.
        flag: String,
        /// What to use, or why there is nothing to use.
        instead: &'static str,
    },
    /// It opens the cluster to whoever reaches it.
    #[error("--{0} is never passed on: it lets in who has no credentials of the cluster")]
    Unsafe(String),
    /// The later one would win without a word, or both would count.
    #[error("--{0} is given twice")]
    Twice(String),
    /// It is the provider's.
    #[error("variables that begin with HA_ belong to the provider: `{0}`")]
    OwnedVariable(String),
    /// It could end the line of the file that holds it.
    #[error("`{0}` is no name of a variable, or its value has a line end")]
    MalformedVariable(String),
}

/// What stands in the way of what no attribute is for.
const FIXED: &str = "it stays as it is";

/// The same for all three.
const OWNED: &[(&str, &str)] = &[
    ("bind-address", "use the address of the node"),
    ("cert-dir", "use certificates"),
    ("client-ca-file", "use certificates"),
    ("feature-gates", "use feature_gates"),
    ("kubeconfig", FIXED),
    ("requestheader-allowed-names", "use certificates"),
    ("requestheader-client-ca-file", "use certificates"),
    ("requestheader-extra-headers-prefix", FIXED),
    ("requestheader-group-headers", FIXED),
    ("requestheader-uid-headers", FIXED),
    ("requestheader-username-headers", FIXED),
    ("tls-cert-file", "use certificates"),
    ("tls-cipher-suites", "use tls_cipher_suites"),
    ("tls-min-version", "use tls_min_version"),
    ("tls-private-key-file", "use certificates"),
];

const OWNED_BY_API_SERVER: &[(&str, &str)] = &[
    ("admission-control-config-file", FIXED),
    ("advertise-address", "use the address of the node"),
    ("anonymous-auth", "use anonymous_paths"),
    ("audit-log-maxage", "use audit.max_age"),
    ("audit-log-maxbackup", "use audit.max_backups"),
    ("audit-log-maxsize", "use audit.max_size"),
    ("audit-log-path", "use audit_log"),
    ("audit-policy-file", "use audit.policy"),
    ("authentication-config", "use anonymous_paths"),
    ("authorization-config", "Node and RBAC decide"),
    ("authorization-mode", "Node and RBAC decide"),
    ("disable-admission-plugins", "use disable_admission_plugins"),
    ("enable-admission-plugins", "use enable_admission_plugins"),
    ("encryption-provider-config", "use encryption_at_rest"),
    ("encryption-provider-config-automatic-reload", "use encryption_at_rest"),
    ("endpoint-reconciler-type", FIXED),
    ("etcd-cafile", "use etcd"),
    ("etcd-certfile", "use etcd"),
    ("etcd-keyfile", "use etcd"),
    ("etcd-prefix", "use etcd_prefix"),
    ("etcd-servers", "use etcd"),
    ("kubelet-certificate-authority", "use certificates"),
    ("kubelet-client-certificate", "use certificates"),
    ("kubelet-client-key", "use certificates"),
    // They and the file that opens the health paths exclude each other.
    ("oidc-ca-file", "it excludes anonymous_paths"),
    ("oidc-client-id", "it excludes anonymous_paths"),
    ("oidc-groups-claim", "it excludes anonymous_paths"),
    ("oidc-groups-prefix", "it excludes anonymous_paths"),
    ("oidc-issuer-url", "it excludes anonymous_paths"),
    ("oidc-required-claim", "it excludes anonymous_paths"),
    ("oidc-signing-algs", "it excludes anonymous_paths"),
    ("oidc-username-claim", "it excludes anonymous_paths"),
    ("oidc-username-prefix", "it excludes anonymous_paths"),
    ("proxy-client-cert-file", "use certificates"),
    ("proxy-client-key-file", "use certificates"),
    ("secure-port", "use port"),
    ("service-account-extend-token-expiration", FIXED),
    ("service-account-issuer", "use service_account_issuer"),
    ("service-account-key-file", FIXED),
    ("service-account-lookup", "it stays on"),
    ("service-account-signing-key-file", FIXED),
    ("service-cluster-ip-range", "use service_cidrs"),
    ("shutdown-delay-duration", "use shutdown_delay"),
    ("shutdown-send-retry-after", "use shutdown_delay"),
    ("shutdown-watch-termination-grace-period", "use shutdown_delay"),
];

/// The leases are looked at, so they are where upstream has them.
const OWNED_BY_CONTROLLERS: &[(&str, &str)] = &[
    ("authentication-kubeconfig", FIXED),
    ("authorization-kubeconfig", FIXED),
    ("cluster-cidr", "use pod_cidrs"),
    ("cluster-name", "use name"),
    ("cluster-signing-cert-file", "use certificates"),
    ("cluster-signing-key-file", "use certificates"),
    ("config", "use the other arguments: a file would take their place"),
    ("leader-elect", "it stays on"),
    ("leader-elect-resource-lock", FIXED),
    ("leader-elect-resource-name", FIXED),
    ("leader-elect-resource-namespace", FIXED),
    ("master", FIXED),
    ("root-ca-file", "use certificates"),
    ("service-account-private-key-file", FIXED),
    ("service-cluster-ip-range", "use service_cidrs"),
    ("use-service-account-credentials", "it stays on"),
];

/// Credentials in plain text, and ports without any.
const UNSAFE: &[&str] = &["token-auth-file", "basic-auth-file", "debug-socket-path"];

impl Component {
    /// Every component, in order.
    pub const ALL: &[Self] = &[Self::ApiServer, Self::ControllerManager, Self::Scheduler];

    /// The name of its program.
    pub fn program(self) -> &'static str {
        match self {
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
        }
    }

    /// The attribute with its arguments.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::ApiServer => "api_server",
            Self::ControllerManager => "controller_manager",
            Self::Scheduler => "scheduler",
        }
    }

    fn instead_of(self, flag: &str) -> Option<&'static str> {
        let own = match self {
            Self::ApiServer => OWNED_BY_API_SERVER,
            Self::ControllerManager | Self::Scheduler => OWNED_BY_CONTROLLERS,
        };
        own.iter().chain(OWNED).find(|(it, _)| *it == flag).map(|(_, instead)| *instead)
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program())
    }
}

impl Arguments {
    /// The arguments of this component in the order in which they were written.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place in the list.
    pub fn new(
        component: Component,
        written: Vec<String>,
    ) -> Result<Self, Vec<(usize, ArgumentFault)>> {
        let mut seen = BTreeSet::new();
        let faults: Vec<_> = written
            .iter()
            .enumerate()
            .filter_map(|(at, it)| Some((at, fault_of(component, it, &mut seen)?)))
            .collect();
        if faults.is_empty() { Ok(Self(written)) } else { Err(faults) }
    }

    /// Whether this flag is among them.
    pub fn has(&self, flag: &str) -> bool {
        self.0.iter().any(|it| flag_of(it).is_some_and(|it| it.replace('_', "-") == flag))
    }

    /// As the component gets them.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

fn flag_of(argument: &str) -> Option<&str> {
    argument.strip_prefix("--")?.split_once('=').map(|(flag, _)| flag)
}

fn fault_of(
    component: Component,
    argument: &str,
    seen: &mut BTreeSet<String>,
) -> Option<ArgumentFault> {
    let is_name = |it: &&str| {
        !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
    };
    let flag = flag_of(argument).filter(is_name).filter(|_| !argument.contains(char::is_control));
    let Some(flag) = flag else {
        return Some(ArgumentFault::Malformed(argument.escape_debug().to_string()));
    };
    // The programs read `_` as `-`.
    let flag = flag.replace('_', "-");
    if UNSAFE.contains(&flag.as_str()) || flag.starts_with("insecure-") {
        return Some(ArgumentFault::Unsafe(flag));
    }
    if let Some(instead) = component.instead_of(&flag) {
        return Some(ArgumentFault::Owned { flag, instead });
    }
    if !seen.insert(flag.clone()) {
        return Some(ArgumentFault::Twice(flag));
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
            if name.starts_with("HA_") {
                return Some((name.clone(), ArgumentFault::OwnedVariable(name.clone())));
            }
            let shown = || ArgumentFault::MalformedVariable(name.escape_debug().to_string());
            (!is_variable(name, value)).then(|| (name.clone(), shown()))
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
    use super::Component::{ApiServer, ControllerManager, Scheduler};
    use super::*;

    #[test]
    fn a_flag_is_passed_on_or_refused_with_the_way_out() {
        let check = |component, argument: &str, refusal: &str| {
            let faults = Arguments::new(component, vec![argument.to_owned()]).err();
            let texts: Vec<_> = faults.iter().flatten().map(|(_, it)| it.to_string()).collect();
            assert_eq!(texts.join(", "), refusal, "{argument}");
        };
        check(ApiServer, "--max-requests-inflight=800", "");
        check(ApiServer, "--profiling=true", "");
        let malformed = "`--profiling` is not written as --flag=value";
        check(ApiServer, "--profiling", malformed);
        check(ApiServer, "-v=2", "`-v=2` is not written as --flag=value");
        check(ApiServer, "--v=2\n", "`--v=2\\n` is not written as --flag=value");
        check(ApiServer, "--a b=2", "`--a b=2` is not written as --flag=value");
        let owned = "--etcd-servers belongs to the provider: use etcd";
        check(ApiServer, "--etcd-servers=https://192.0.2.9:2379", owned);
        // The programs read both spellings.
        check(ApiServer, "--etcd_servers=https://192.0.2.9:2379", owned);
        let anonymous = "--anonymous-auth belongs to the provider: use anonymous_paths";
        check(ApiServer, "--anonymous-auth=true", anonymous);
        let mode = "--authorization-mode belongs to the provider: Node and RBAC decide";
        check(ApiServer, "--authorization-mode=AlwaysAllow", mode);
        let token = "--token-auth-file is never passed on: it lets in who has no credentials of the cluster";
        check(ApiServer, "--token-auth-file=/x", token);
        check(ControllerManager, "--node-cidr-mask-size=25", "");
        check(ControllerManager, "--etcd-servers=x", "");
        let pods = "--cluster-cidr belongs to the provider: use pod_cidrs";
        check(ControllerManager, "--cluster-cidr=10.0.0.0/16", pods);
        let lead = "--leader-elect belongs to the provider: it stays on";
        check(Scheduler, "--leader-elect=false", lead);
        let gates = "--feature-gates belongs to the provider: use feature_gates";
        for component in Component::ALL {
            check(*component, "--feature-gates=A=true", gates);
        }
    }

    #[test]
    fn every_fault_has_its_place_in_the_list() {
        let written = ["--v=2", "--bind-address=::", "--v=3"].map(str::to_owned);
        let faults = Arguments::new(Scheduler, written.to_vec()).unwrap_err();
        let places: Vec<_> = faults.iter().map(|(at, _)| *at).collect();
        assert_eq!(places, [1, 2]);
        assert_eq!(faults[1].1, ArgumentFault::Twice("v".to_owned()));
    }

    #[test]
    fn the_lists_are_sorted_and_do_not_overlap() {
        for list in [OWNED, OWNED_BY_API_SERVER, OWNED_BY_CONTROLLERS] {
            assert!(list.is_sorted());
        }
        let own = OWNED_BY_API_SERVER.iter().chain(OWNED_BY_CONTROLLERS);
        for (flag, _) in own {
            assert!(OWNED.iter().all(|(it, _)| it != flag), "{flag}");
            assert!(!UNSAFE.contains(flag), "{flag}");
        }
    }

    #[test]
    fn a_variable_is_not_the_providers() {
        let check = |name: &str, is_fine: bool| {
            let written = BTreeMap::from([(name.to_owned(), "1".to_owned())]);
            assert_eq!(Environment::new(written).is_ok(), is_fine, "{name}");
        };
        check("GOMAXPROCS", true);
        check("HA_ETCD_GENERATION", false);
        check("A B", false);
    }
}
