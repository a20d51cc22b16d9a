//! Authorities and leaves, as upstream lays them out (kubeadm, `cmd/kubeadm/app/phases/certs/certlist.go`), but for one
//! thing: no leaf on a disk is of the group `system:masters` or any other that may do everything.

use std::collections::BTreeMap;

use time::Duration;

use super::desired::Desired;
use crate::domain::host::Place;
use crate::domain::pki::{self, Profile, ProfileError, Usage};

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Authority {
    /// For the API and its clients.
    Cluster,
    /// For the one who may say in whose name a request is made.
    FrontProxy,
    /// That of the cluster of etcd, which is on its hosts and never made here.
    Etcd,
}

/// How certificates are to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateWish {
    /// Of a leaf.
    pub validity: Duration,
    /// Of an authority.
    pub ca_validity: Duration,
    /// Names and addresses beside those of the node and the endpoint.
    pub extra_sans: Vec<String>,
}

/// Who may ask kubelets for logs, by a binding that is made with the first start.
pub const KUBELET_CLIENT: &str = "kube-apiserver-kubelet-client";

impl Authority {
    /// The two that are made here.
    pub const OWN: [Self; 2] = [Self::Cluster, Self::FrontProxy];

    /// Its file among the keys and certificates, without an ending.
    pub fn file(self) -> &'static str {
        match self {
            Self::Cluster => "ca",
            Self::FrontProxy => "front-proxy-ca",
            Self::Etcd => "etcd/ca",
        }
    }

    /// What is made, once. Meaningless for that of etcd, which others make.
    pub fn made(self, certificates: &CertificateWish) -> pki::Authority {
        let common_name = match self {
            Self::Cluster => "kubernetes",
            Self::FrontProxy => "front-proxy-ca",
            Self::Etcd => "etcd-ca",
        };
        pki::Authority { common_name: common_name.to_owned(), lifetime: certificates.ca_validity }
    }

    /// What a node is to have of it, by the files without an ending.
    ///
    /// # Errors
    /// A name or a time that no certificate can have.
    pub fn leaves(
        self,
        desired: &Desired,
        certificates: &CertificateWish,
        place: Place,
    ) -> Result<BTreeMap<String, Profile>, ProfileError> {
        let client = |common_name: &str| {
            let none: [&str; 0] = [];
            Profile::new((common_name, None), none, [Usage::Client], certificates.validity)
        };
        let leaves = match self {
            Self::Cluster => vec![
                ("apiserver", server(desired, certificates, place)?),
                ("apiserver-kubelet-client", client(KUBELET_CLIENT)?),
                ("controller-manager", client("system:kube-controller-manager")?),
                ("scheduler", client("system:kube-scheduler")?),
            ],
            Self::FrontProxy => vec![("front-proxy-client", client("front-proxy-client")?)],
            Self::Etcd => vec![("apiserver-etcd-client", client("kube-apiserver-etcd-client")?)],
        };
        Ok(leaves.into_iter().map(|(name, profile)| (name.to_owned(), profile)).collect())
    }
}

/// By whatever name the API server is called: from pods, by a balancer that checks it as `kubernetes`, at the node, and at
/// the endpoint.
fn server(
    desired: &Desired,
    certificates: &CertificateWish,
    place: Place,
) -> Result<Profile, ProfileError> {
    let service = "kubernetes.default.svc";
    let mut names = ["kubernetes", "kubernetes.default", service].map(str::to_owned).to_vec();
    names.push(format!("{service}.{}", desired.cluster_domain));
    names.extend(desired.service_cidrs.first().map(|it| it.second().to_string()));
    names.push(place.address.to_string());
    names.push(desired.endpoint.host().to_owned());
    names.extend(certificates.extra_sans.iter().cloned());
    Profile::new(("kube-apiserver", None), names, [Usage::Server], certificates.validity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::kubernetes::notation::want;

    fn certificates(extra_sans: &[&str]) -> CertificateWish {
        CertificateWish {
            validity: Duration::days(365),
            ca_validity: Duration::days(3650),
            extra_sans: extra_sans.iter().map(|it| (*it).to_owned()).collect(),
        }
    }

    fn all(extra_sans: &[&str]) -> BTreeMap<String, Profile> {
        let desired = want("a b", "1.34");
        let place = desired.nodes[&"b".parse().unwrap()];
        let wish = certificates(extra_sans);
        [Authority::Cluster, Authority::FrontProxy, Authority::Etcd]
            .into_iter()
            .flat_map(|it| it.leaves(&desired, &wish, place).unwrap())
            .collect()
    }

    #[test]
    fn the_leaves_are_those_of_kubeadm_without_power_over_everything() {
        let found: Vec<_> = all(&[])
            .iter()
            .map(|(name, it)| {
                let usages: Vec<_> = it.usages().iter().map(|it| format!("{it:?}")).collect();
                assert_eq!(it.organization(), None, "{name}");
                format!("{name}: {} {}", it.common_name(), usages.join(" "))
            })
            .collect();
        let expected = [
            "apiserver: kube-apiserver Server",
            "apiserver-etcd-client: kube-apiserver-etcd-client Client",
            "apiserver-kubelet-client: kube-apiserver-kubelet-client Client",
            "controller-manager: system:kube-controller-manager Client",
            "front-proxy-client: front-proxy-client Client",
            "scheduler: system:kube-scheduler Client",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_api_server_has_every_name_by_which_it_is_called() {
        let found = all(&["vip.example.test", "203.0.113.9"]);
        let server = &found["apiserver"];
        let names: Vec<_> = server.dns_names().iter().map(String::as_str).collect();
        let expected = [
            "api.example.test",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "vip.example.test",
        ];
        assert_eq!(names, expected);
        let addresses: Vec<_> = server.addresses().iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.96.0.1", "192.0.2.2", "203.0.113.9"]);
    }

    #[test]
    fn a_name_that_no_certificate_can_have_is_refused() {
        let (desired, wish) = (want("a", "1.34"), certificates(&["a b"]));
        let place = desired.nodes[&"a".parse().unwrap()];
        Authority::Cluster.leaves(&desired, &wish, place).unwrap_err();
        assert_eq!(Authority::Cluster.made(&wish).common_name, "kubernetes");
        assert_eq!(Authority::OWN.map(Authority::file), ["ca", "front-proxy-ca"]);
    }
}
