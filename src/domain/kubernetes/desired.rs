//! What a user wishes, in types that hold no invalid wish.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Deref;
use std::time::Duration;

use super::arguments::{Arguments, Component, Environment};
use super::cidr::Cidr;
use super::refusal::Refusal;
use super::text::{
    AuditPolicy, Domain, Endpoint, EtcdEndpoint, Issuer, Prefix, Suite, UrlPath, Word,
};
use super::version::Version;
use crate::domain::host::Place;
use crate::domain::name::{ClusterName, Name, OnDestroy};
use crate::domain::recovery::Recipient;

/// Where the objects are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Etcd {
    /// In the order of its members.
    pub endpoints: Vec<EtcdEndpoint>,
    /// How often its data was replaced by a restore: then everybody who has read from it starts anew.
    pub generation: u64,
}

/// What a component gets beside what the provider gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// For its command line.
    pub arguments: Arguments,
    /// For its environment.
    pub environment: Environment,
}

/// Admission plugins beside those that are on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Switched on.
    pub enabled: BTreeSet<Word>,
    /// Switched off.
    pub disabled: BTreeSet<Word>,
}

/// How requests are logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// None: the built-in one.
    pub policy: Option<AuditPolicy>,
    /// Days that a file is kept.
    pub max_age: u32,
    /// Files that are kept.
    pub max_backups: u32,
    /// MB of a file.
    pub max_size: u32,
}

/// Whether Secrets are readable in etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// XSalsa20 and Poly1305.
    Secretbox,
    /// They are.
    None,
}

/// The lowest version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2
    V12,
    /// 1.3
    V13,
}

/// Everything that a user wishes of a control plane, part by part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Of the control plane.
    pub name: ClusterName,
    /// That all nodes are to run.
    pub version: Version,
    /// Where clients find it.
    pub endpoint: Endpoint,
    /// Where its objects are kept.
    pub etcd: Etcd,
    /// Below which they lie.
    pub etcd_prefix: Prefix,
    /// By name.
    pub nodes: BTreeMap<Name, Place>,
    /// Of the API servers.
    pub port: u16,
    /// One or two.
    pub service_cidrs: Vec<Cidr>,
    /// One or two.
    pub pod_cidrs: Vec<Cidr>,
    /// Of services.
    pub cluster_domain: Domain,
    /// None: it follows from the domain.
    pub issuer: Option<Issuer>,
    /// Of the API servers.
    pub api_server: Extras,
    /// Of the controller managers.
    pub controller_manager: Extras,
    /// Of the schedulers.
    pub scheduler: Extras,
    /// Of all components.
    pub feature_gates: BTreeMap<Word, bool>,
    /// Of the API servers.
    pub admission: Admission,
    /// None: no log.
    pub audit: Option<Audit>,
    /// Of Secrets.
    pub encryption: Encryption,
    /// For whoever asks.
    pub anonymous_paths: BTreeSet<UrlPath>,
    /// Of all that listens.
    pub tls_min_version: TlsVersion,
    /// None: those with authenticated encryption.
    pub tls_cipher_suites: Option<Vec<Suite>>,
    /// From the moment that an API server says it is not ready until it takes no more connections.
    pub shutdown_delay: Duration,
    /// Who can open the recovery bundle. Empty: there is none.
    pub recipients: BTreeSet<Recipient>,
    /// Nodes whose machines are gone for ever.
    pub lost_hosts: BTreeSet<Name>,
    /// Refuses to destroy.
    pub is_protected: bool,
    /// What becomes of the keys.
    pub on_destroy: OnDestroy,
}

/// A [`Wish`] whose parts fit each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired(Wish);

/// HTTP/2 cannot be spoken over TLS 1.2 without one of them (RFC 7540, 9.2.2; Go's server does not start).
const FOR_HTTP_2: [&str; 2] =
    ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"];

impl Desired {
    /// A wish that can be followed.
    ///
    /// # Errors
    /// Everything that does not fit, each with the attribute that is at fault.
    pub fn new(wish: Wish) -> Result<Self, Vec<Refusal>> {
        let mut faults = Vec::new();
        if let Err(fault) = wish.version.check_known() {
            faults.push(Refusal::Version(fault));
        }
        if wish.port == 0 {
            faults.push(Refusal::Port);
        }
        if wish.etcd.endpoints.is_empty() {
            faults.push(Refusal::NoEtcd);
        }
        faults.extend(nodes(&wish));
        faults.extend(super::ranges::faults(&wish));
        let both = wish.admission.enabled.intersection(&wish.admission.disabled);
        faults.extend(both.map(|it| Refusal::EnabledAndDisabled(it.clone())));
        if let Some(plugin) = wish.admission.enabled.iter().find(|it| it.as_str() == "AlwaysAdmit")
        {
            faults.push(Refusal::UnsafePlugin(plugin.clone()));
        }
        faults.extend(suites(&wish));
        // Otherwise systemd would kill it in the middle: the rest of a stop takes up to 85 s.
        if Duration::from_mins(10) < wish.shutdown_delay
            || !wish.shutdown_delay.subsec_nanos().is_multiple_of(1_000_000)
        {
            faults.push(Refusal::ShutdownDelay(wish.shutdown_delay));
        }
        if wish
            .audit
            .as_ref()
            .is_some_and(|it| [it.max_age, it.max_backups, it.max_size].contains(&0))
        {
            faults.push(Refusal::Audit);
        }
        if faults.is_empty() { Ok(Self(wish)) } else { Err(faults) }
    }

    /// Where the API server of a node listens.
    pub fn socket(&self, place: Place) -> SocketAddr {
        SocketAddr::new(place.address, self.port)
    }

    /// What a user gives to a component.
    pub fn extras(&self, component: Component) -> &Extras {
        match component {
            Component::ApiServer => &self.api_server,
            Component::ControllerManager => &self.controller_manager,
            Component::Scheduler => &self.scheduler,
        }
    }

    /// Whether this component reads the key that Secrets are encrypted with.
    pub fn needs_key(&self, component: Component) -> bool {
        component == Component::ApiServer && self.encryption == Encryption::Secretbox
    }

    /// Who vouches for tokens of service accounts.
    pub fn issuer(&self) -> String {
        match &self.issuer {
            Some(issuer) => issuer.to_string(),
            None => format!("https://kubernetes.default.svc.{}", self.cluster_domain),
        }
    }
}

impl Deref for Desired {
    type Target = Wish;

    fn deref(&self) -> &Wish {
        &self.0
    }
}

fn nodes(wish: &Wish) -> Vec<Refusal> {
    let mut faults = Vec::new();
    if wish.nodes.is_empty() {
        faults.push(Refusal::NoNodes);
    }
    let all_local = wish.nodes.values().all(|it| it.is_local);
    let mut addresses = BTreeMap::new();
    for (name, place) in &wish.nodes {
        let at = place.address;
        if at.is_unspecified() || at.is_multicast() || at.is_loopback() && !all_local {
            faults.push(Refusal::Address { name: name.clone(), address: at });
        } else if let Some(other) = addresses.insert(at, name) {
            let (name, other) = (name.clone(), other.clone());
            faults.push(Refusal::SameAddress { name, other, address: at });
        }
    }
    faults
}

fn suites(wish: &Wish) -> Option<Refusal> {
    let suites = wish.tls_cipher_suites.as_ref()?;
    if wish.tls_min_version == TlsVersion::V13 {
        return Some(Refusal::SuitesOfTls13);
    }
    let has_one = suites.iter().any(|it| FOR_HTTP_2.contains(&it.as_str()));
    (!has_one).then_some(Refusal::NoSuiteForHttp2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::kubernetes::notation::wish;

    fn check(edit: impl Fn(&mut Wish), expected: &[&str]) {
        let mut wish = wish("a b c", "1.34");
        edit(&mut wish);
        let faults = Desired::new(wish).err().unwrap_or_default();
        let found: Vec<_> = faults.iter().map(|it| format!("{}: {it}", it.subject())).collect();
        assert_eq!(found, expected);
    }

    fn place<'a>(wish: &'a mut Wish, name: &str) -> &'a mut Place {
        wish.nodes.get_mut(&name.parse().unwrap()).unwrap()
    }

    #[test]
    fn nodes_have_addresses_of_their_own() {
        check(|_| (), &[]);
        check(|it| it.nodes.clear(), &["nodes: a control plane has at least one node"]);
        check(
            |it| place(it, "a").address = [0, 0, 0, 0].into(),
            &["nodes[\"a\"].address: 0.0.0.0 is no address by which others can reach a"],
        );
        check(
            |it| place(it, "b").address = place(it, "a").address,
            &["nodes[\"b\"].address: a and b have the same address 192.0.2.1"],
        );
        check(
            |it| place(it, "a").address = [127, 0, 0, 2].into(),
            &["nodes[\"a\"].address: 127.0.0.2 is no address by which others can reach a"],
        );
        let local = |it: &mut Wish| {
            for (at, place) in (2..).zip(it.nodes.values_mut()) {
                *place = Place { address: [127, 0, 0, at].into(), is_local: true };
            }
        };
        check(local, &[]);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused_with_their_attribute() {
        check(|it| it.port = 0, &["port: a port is not 0"]);
        check(
            |it| it.version = Version::new(33, 1),
            &["version: Kubernetes 1.33.1 cannot be managed: this provider knows 1.34 to 1.36"],
        );
        check(|it| it.etcd.endpoints.clear(), &["etcd: the cluster of etcd has no endpoint"]);
        let plugins = |it: &mut Wish| {
            it.admission.enabled.insert("PodNodeSelector".parse().unwrap());
            it.admission.disabled.insert("PodNodeSelector".parse().unwrap());
        };
        let both = "disable_admission_plugins: PodNodeSelector is to be both on and off";
        check(plugins, &[both]);
        let admit = |it: &mut Wish| it.admission.enabled = ["AlwaysAdmit".parse().unwrap()].into();
        check(admit, &["enable_admission_plugins: AlwaysAdmit switches all admission control off"]);
        check(
            |it| it.shutdown_delay = Duration::from_secs(601),
            &["shutdown_delay: a delay of 601s is not in whole milliseconds, or above 10 minutes"],
        );
        let age = |it: &mut Wish| it.audit.as_mut().unwrap().max_age = 0;
        check(age, &["audit: each limit of the audit log is at least 1"]);
    }

    #[test]
    fn cipher_suites_are_for_tls_1_2_and_hold_one_for_http_2() {
        let suites = |names: &'static [&'static str], version| {
            move |it: &mut Wish| {
                it.tls_min_version = version;
                it.tls_cipher_suites = Some(names.iter().map(|it| it.parse().unwrap()).collect());
            }
        };
        let needed = FOR_HTTP_2[1];
        let good: &'static [&'static str] =
            &["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"];
        assert_eq!(good[1], needed);
        check(suites(good, TlsVersion::V12), &[]);
        let none = "tls_cipher_suites: HTTP/2 needs TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 among the suites";
        check(suites(&good[..1], TlsVersion::V12), &[none]);
        check(suites(&[], TlsVersion::V12), &[none]);
        let fixed = "tls_cipher_suites: the suites of TLS 1.3 are fixed: leave them out";
        check(suites(good, TlsVersion::V13), &[fixed]);
    }
}
