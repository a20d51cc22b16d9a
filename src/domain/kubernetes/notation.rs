//! Control planes in a few letters, for tests.
//!
//! One word for each wanted node: `a` was never seen, `a:` is a fresh host, and otherwise the version that runs and how it
//! is:
//!
//! | sign | node |
//! |---|---|
//! | `+` `*` | all serve; and both leaders are there |
//! | `-` `#` `s` | its API server is stopped, stuck, starting; with `k`, its controller manager |
//! | `x` | did not answer, and ran this when it last did |
//! | `o` | runs with other settings than are wished |
//! | `m` | its API server runs this, the other two the minor before |
//! | `p` | ran the minor before, and has not yet been seen to serve with this one |
//! | `e` | somebody edited files of its scheduler |
//! | `c` `i` `n` | certificates are due, invalid, for other names |
//! | `r` `u` | its record is stale, unfinished |
//!
//! In brackets: a host that the state knows and the wish does not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::domain::host::{Certificates, MachineId, Owner, Place, Unit};
use crate::domain::name::{Name, OnDestroy};
use crate::domain::recovery::Recipient;

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
        recipients: BTreeSet::new(),
        lost_hosts: BTreeSet::new(),
        is_protected: false,
        on_destroy: OnDestroy::Keep,
    }
}

/// Somebody who can open a recovery bundle.
pub(super) fn recipient() -> Recipient {
    "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj".parse().unwrap()
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

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(super) fn fresh(machine: &str) -> Facts {
    Facts {
        machine: MachineId(machine.to_owned()),
        owner: Owner::Nobody,
        keys: None,
        is_begun: false,
        staged: BTreeSet::new(),
        parts: [Part::ABSENT; 3],
        previous: None,
        certificates: Certificates::Missing,
        bundle: KeptBundle::Absent,
    }
}

/// What is seen of such nodes. It was formed if one of them has a version.
pub(super) fn look(text: &str) -> Observed {
    let (mut nodes, mut former) = (BTreeMap::new(), BTreeMap::new());
    let mut leader = Leader::Nobody;
    for word in text.split_whitespace() {
        let is_former = word.starts_with('(');
        let word = word.trim_matches(['(', ')']);
        let (key, rest) = word.split_once(':').map_or((word, None), |(key, it)| (key, Some(it)));
        if rest.is_some_and(|it| it.contains('*')) {
            leader = if is_former { Leader::Other } else { Leader::Node(name(key)) };
        }
        let node = rest.map_or(Node::Unseen { last: None }, |it| parse(key, it));
        if is_former {
            former.insert(name(key), node)
        } else {
            nodes.insert(name(key), node)
        };
    }
    let all = || nodes.values().chain(former.values());
    let is_formed = all().any(|it| match it {
        Node::Seen(facts) => matches!(facts.owner, Owner::Ours { .. }),
        Node::Unseen { last } => last.is_some(),
    });
    let serves = nodes.values().filter_map(Node::seen).any(Facts::serves);
    let leaders = Leaders { controller_manager: leader.clone(), scheduler: leader };
    Observed {
        is_known: is_formed,
        data: if is_formed { Data::Present } else { Data::Absent },
        leaders: serves.then_some(leaders),
        has_admins: serves.then_some(is_formed),
        recovery: None,
        failed: BTreeSet::new(),
        nodes,
        former,
    }
}

fn parse(key: &str, text: &str) -> Node {
    let at = text.find(|it: char| !it.is_ascii_digit() && it != '.');
    let Some(at) = at else { return Node::Seen(Box::new(fresh(key))) };
    let (version, signs) = text.split_at(at);
    let version = parse_version(version);
    let has = |it: char| signs.contains(it);
    let settings = Settings { version, is_current: !has('o') };
    if has('x') {
        return Node::Unseen { last: Some(settings) };
    }
    let part = Part { unit: Unit::Running, on_disk: Some(settings), running: Some(settings) };
    let mut facts = Facts {
        owner: Owner::Ours { is_current: !has('r') },
        keys: Some(KeysId("k".to_owned())),
        is_begun: true,
        staged: BTreeSet::from([version]),
        parts: [part; 3],
        certificates: Certificates::Good,
        ..fresh(key)
    };
    if has('p') {
        let before = Version { minor: version.minor - 1, ..version };
        (facts.previous, _) = (Some(before), facts.staged.insert(before));
    }
    let units = [('-', Unit::Stopped), ('#', Unit::Stuck), ('s', Unit::Starting)];
    for (_, unit) in units.into_iter().filter(|(sign, _)| has(*sign)) {
        let which = if has('k') { &Component::ALL[1..2] } else { &Component::ALL[..1] };
        for component in which {
            facts.part_mut(*component).unit = unit;
            if unit.is_down() {
                facts.part_mut(*component).running = None;
            }
        }
    }
    if has('m') {
        // Its API server has the version already.
        let before =
            Settings { version: Version { minor: version.minor - 1, ..version }, ..settings };
        for part in &mut facts.parts[1..] {
            (part.on_disk, part.running) = (Some(before), Some(before));
        }
    }
    if has('e') {
        facts.parts[2].on_disk = Some(Settings { is_current: false, ..settings });
    }
    let certificates =
        [('c', Certificates::Due), ('i', Certificates::Invalid), ('n', Certificates::OtherNames)];
    for (_, it) in certificates.into_iter().filter(|(sign, _)| has(*sign)) {
        facts.certificates = it;
    }
    if has('u') {
        facts.owner = Owner::Unfinished;
    }
    Node::Seen(Box::new(facts))
}
