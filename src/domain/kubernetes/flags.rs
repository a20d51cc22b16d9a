//! The command lines of the components. What a user may choose is set only where none did: of two, the later would count,
//! or both.

use super::arguments::Component;
use super::cidr::Cidr;
use super::desired::{Audit, Desired, Encryption, TlsVersion};
use super::layout::Layout;
use super::text::Word;
use crate::domain::host::Place;

/// Authenticated encryption alone, for TLS 1.2; the suites of 1.3 are all of that kind.
const SUITES: &str = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,\
TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,\
TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";

/// On beside what is on by default (CIS 1.2.3, 1.2.9 and 1.2.14).
const PLUGINS: [&str; 3] = ["DenyServiceExternalIPs", "EventRateLimit", "NodeRestriction"];

/// The plugin that needs a file.
pub(super) const EVENT_RATE_LIMIT: &str = "EventRateLimit";

/// After the name of the program. No secret is among them.
pub fn flags(desired: &Desired, component: Component, place: Place, at: &Layout) -> Vec<String> {
    let mut lines = match component {
        Component::ApiServer => api_server(desired, place, at),
        Component::ControllerManager => controller_manager(desired, place, at),
        Component::Scheduler => scheduler(place, at),
    };
    lines.extend(tls(desired));
    if !desired.feature_gates.is_empty() {
        let gates: Vec<_> =
            desired.feature_gates.iter().map(|(name, on)| format!("{name}={on}")).collect();
        lines.push(format!("--feature-gates={}", gates.join(",")));
    }
    let arguments = &desired.extras(component).arguments;
    let chosen = chosen(component).iter().filter(|(flag, _)| !arguments.has(flag));
    lines.extend(chosen.map(|(flag, value)| format!("--{flag}={value}")));
    lines.extend_from_slice(arguments.as_slice());
    lines
}

/// What a user may set to something else.
fn chosen(component: Component) -> &'static [(&'static str, &'static str)] {
    match component {
        Component::ApiServer => &[
            ("allow-privileged", "true"),
            ("enable-bootstrap-token-auth", "true"),
            // Spreads clients over the servers again after one was away (kubernetes/kubernetes#88567).
            ("goaway-chance", "0.001"),
            ("kubelet-preferred-address-types", "InternalIP,ExternalIP,Hostname"),
            ("profiling", "false"),
            ("request-timeout", "60s"),
        ],
        Component::ControllerManager => &[
            ("allocate-node-cidrs", "true"),
            ("controllers", "*,bootstrap-signer-controller,token-cleaner-controller"),
            ("profiling", "false"),
            ("terminated-pod-gc-threshold", "12500"),
        ],
        Component::Scheduler => &[("profiling", "false")],
    }
}

fn api_server(desired: &Desired, place: Place, at: &Layout) -> Vec<String> {
    let pki = |file: &str| at.pki(file);
    let mut lines = vec![
        format!("--bind-address={}", place.address),
        format!("--advertise-address={}", place.address),
        format!("--secure-port={}", desired.port),
        format!("--etcd-servers={}", etcd_servers(desired, place)),
        format!("--etcd-prefix={}", desired.etcd_prefix),
        format!("--etcd-cafile={}", pki("etcd/ca.crt")),
        format!("--etcd-certfile={}", pki("apiserver-etcd-client.crt")),
        format!("--etcd-keyfile={}", pki("apiserver-etcd-client.key")),
        format!("--service-cluster-ip-range={}", join(&desired.service_cidrs)),
        format!("--service-account-issuer={}", desired.issuer()),
        format!("--service-account-key-file={}", pki("sa.pub")),
        format!("--service-account-signing-key-file={}", pki("sa.key")),
        "--service-account-lookup=true".to_owned(),
        "--service-account-extend-token-expiration=false".to_owned(),
        format!("--client-ca-file={}", pki("ca.crt")),
        format!("--tls-cert-file={}", pki("apiserver.crt")),
        format!("--tls-private-key-file={}", pki("apiserver.key")),
        format!("--kubelet-certificate-authority={}", pki("ca.crt")),
        format!("--kubelet-client-certificate={}", pki("apiserver-kubelet-client.crt")),
        format!("--kubelet-client-key={}", pki("apiserver-kubelet-client.key")),
        format!("--proxy-client-cert-file={}", pki("front-proxy-client.crt")),
        format!("--proxy-client-key-file={}", pki("front-proxy-client.key")),
        format!("--requestheader-client-ca-file={}", pki("front-proxy-ca.crt")),
        "--requestheader-allowed-names=front-proxy-client".to_owned(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
        "--requestheader-group-headers=X-Remote-Group".to_owned(),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
        "--authorization-mode=Node,RBAC".to_owned(),
    ];
    // Loopback is no address that a service may point to.
    if place.is_local {
        lines.push("--endpoint-reconciler-type=none".to_owned());
    }
    // With the file, the flag may not be there at all, whatever it says.
    lines.push(if desired.anonymous_paths.is_empty() {
        "--anonymous-auth=false".to_owned()
    } else {
        format!("--authentication-config={}", at.config("authentication.yaml"))
    });
    lines.extend(admission(desired, at));
    if desired.encryption == Encryption::Secretbox {
        let file = at.config("encryption.yaml");
        lines.push(format!("--encryption-provider-config={file}"));
        lines.push("--encryption-provider-config-automatic-reload=true".to_owned());
    }
    lines.extend(desired.audit.iter().flat_map(|it| audit(it, at)));
    lines.extend([
        format!("--shutdown-delay-duration={}ms", desired.shutdown_delay.as_millis()),
        // Without these two, it waits for the watches of its clients until `--request-timeout`.
        "--shutdown-send-retry-after=true".to_owned(),
        "--shutdown-watch-termination-grace-period=5s".to_owned(),
    ]);
    lines
}

/// The member on the same host first: it is asked as long as it answers.
fn etcd_servers(desired: &Desired, place: Place) -> String {
    let mut all: Vec<_> = desired.etcd.endpoints.iter().collect();
    all.sort_by_key(|it| it.address() != Some(place.address));
    let all: Vec<_> = all.into_iter().map(super::text::EtcdEndpoint::as_str).collect();
    all.join(",")
}

/// What is on, without what a user switched off: the API server does not start with both.
pub(super) fn plugins(desired: &Desired) -> Vec<&str> {
    let own = PLUGINS.into_iter();
    let own = own.filter(|own| desired.admission.disabled.iter().all(|it| it.as_str() != *own));
    let mut all: Vec<_> = own.chain(desired.admission.enabled.iter().map(Word::as_str)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn admission(desired: &Desired, at: &Layout) -> Vec<String> {
    let enabled = plugins(desired);
    let mut lines = Vec::new();
    if enabled.contains(&EVENT_RATE_LIMIT) {
        let file = at.config("admission.yaml");
        lines.push(format!("--admission-control-config-file={file}"));
    }
    if !enabled.is_empty() {
        lines.push(format!("--enable-admission-plugins={}", enabled.join(",")));
    }
    if !desired.admission.disabled.is_empty() {
        let disabled: Vec<_> = desired.admission.disabled.iter().map(Word::as_str).collect();
        lines.push(format!("--disable-admission-plugins={}", disabled.join(",")));
    }
    lines
}

fn audit(audit: &Audit, at: &Layout) -> [String; 5] {
    [
        format!("--audit-policy-file={}", at.config("audit-policy.yaml")),
        format!("--audit-log-path={}/audit.log", at.log()),
        format!("--audit-log-maxage={}", audit.max_age),
        format!("--audit-log-maxbackup={}", audit.max_backups),
        format!("--audit-log-maxsize={}", audit.max_size),
    ]
}

/// What both have that talk to the API server of their node. On a local host there are several on one loopback address.
fn controller(component: Component, place: Place, at: &Layout) -> Vec<String> {
    let file = at.kubeconfig(component);
    let loopback = std::net::Ipv4Addr::LOCALHOST.into();
    let address = if place.is_local { place.address } else { loopback };
    vec![
        format!("--kubeconfig={file}"),
        format!("--authentication-kubeconfig={file}"),
        format!("--authorization-kubeconfig={file}"),
        format!("--bind-address={address}"),
        "--leader-elect=true".to_owned(),
        format!("--client-ca-file={}", at.pki("ca.crt")),
        format!("--requestheader-client-ca-file={}", at.pki("front-proxy-ca.crt")),
    ]
}

fn controller_manager(desired: &Desired, place: Place, at: &Layout) -> Vec<String> {
    let mut lines = controller(Component::ControllerManager, place, at);
    lines.extend([
        format!("--cluster-name={}", desired.name),
        format!("--cluster-cidr={}", join(&desired.pod_cidrs)),
        format!("--service-cluster-ip-range={}", join(&desired.service_cidrs)),
        format!("--root-ca-file={}", at.pki("ca.crt")),
        // Copies of its own, which its user may read.
        format!("--cluster-signing-cert-file={}", at.pki("ca.crt")),
        format!("--cluster-signing-key-file={}", at.pki("controller-manager/ca.key")),
        format!("--service-account-private-key-file={}", at.pki("controller-manager/sa.key")),
        "--use-service-account-credentials=true".to_owned(),
    ]);
    lines
}

fn scheduler(place: Place, at: &Layout) -> Vec<String> {
    controller(Component::Scheduler, place, at)
}

fn tls(desired: &Desired) -> Vec<String> {
    if desired.tls_min_version == TlsVersion::V13 {
        return vec!["--tls-min-version=VersionTLS13".to_owned()];
    }
    let suites = match &desired.tls_cipher_suites {
        Some(suites) => suites.iter().map(super::text::Suite::as_str).collect::<Vec<_>>().join(","),
        None => SUITES.to_owned(),
    };
    vec!["--tls-min-version=VersionTLS12".to_owned(), format!("--tls-cipher-suites={suites}")]
}

fn join(ranges: &[Cidr]) -> String {
    ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
