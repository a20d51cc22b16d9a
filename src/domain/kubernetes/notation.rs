//! Control planes in a few letters, for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::domain::host::Place;
use crate::domain::name::OnDestroy;

/// A wish for these nodes, with defaults for the rest.
pub(super) fn wish(names: &str, version: &str) -> Wish {
    let nodes = names.split_whitespace();
    let parse_all = |it: &[&str]| it.iter().map(|it| it.parse().unwrap()).collect();
    Wish {
        name: "prod".parse().unwrap(),
        version: parse_version(version),
        endpoint: "api.example.test:6443".parse().unwrap(),
        etcd: Etcd {
            endpoints: ["https://198.51.100.1:2379", "https://192.0.2.2:2379"]
                .map(|it| it.parse().unwrap())
                .into(),
            generation: 0,
        },
        etcd_prefix: "/registry".parse().unwrap(),
        nodes: nodes.map(|it| (it.parse().unwrap(), place(it))).collect(),
        port: 6443,
        service_cidrs: vec!["10.96.0.0/12".parse().unwrap()],
        pod_cidrs: vec!["10.244.0.0/16".parse().unwrap()],
        cluster_domain: "cluster.local".parse().unwrap(),
        issuer: None,
        api_server: Extras::default(),
        controller_manager: Extras::default(),
        scheduler: Extras::default(),
        feature_gates: BTreeMap::new(),
        admission: Admission::default(),
        audit: Some(Audit { policy: None, max_age: 30, max_backups: 10, max_size: 100 }),
        encryption: Encryption::Secretbox,
        anonymous_paths: parse_all(&["/livez", "/readyz", "/healthz"]),
        tls_min_version: TlsVersion::V12,
        tls_cipher_suites: None,
        shutdown_delay: Duration::from_secs(5),
        lost_hosts: BTreeSet::new(),
        is_protected: false,
        on_destroy: OnDestroy::Keep,
    }
}

pub(super) fn want(names: &str, version: &str) -> Desired {
    Desired::new(wish(names, version)).unwrap()
}

fn parse_version(text: &str) -> Version {
    match text {
        "1.34" => Version::new(34, 4),
        "1.35" => Version::new(35, 4),
        "1.36" => Version::new(36, 3),
        _ => text.parse().unwrap(),
    }
}

fn place(name: &str) -> Place {
    let number = name.as_bytes()[0] - b'a' + 1;
    Place { address: IpAddr::from([192, 0, 2, number]), is_local: false }
}
