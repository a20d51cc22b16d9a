//! Fleets in a few letters, for tests.
//!
//! One word for each wanted member: `a` did not answer and is no member, `a:` is a fresh host, and otherwise the
//! version that runs and how it is:
//!
//! | sign | member | host |
//! |---|---|---|
//! | `+` `*` | a voter that serves, and leads | holds its data |
//! | `-` | a voter that does not serve | holds its data, the unit is stopped |
//! | `#` | a voter that hangs | holds its data, the unit is stuck |
//! | `0` | a voter that does not serve | answers, and holds nothing |
//! | `!` `x` | a voter that serves, or does not | did not answer |
//! | `?` `~` | a learner in sync, or not yet started | holds its data, or is prepared |
//! | `d` | none: its member was removed by others | holds stale data |
//!
//! A letter after it changes one thing: `o` other settings run, `e` somebody edited its files, `c` certificates are
//! due, `i` invalid, `n` for other names, `u` its address is to change, `r` its record is stale. In brackets: a host
//! that the state knows and the wish does not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::*;

/// A wish for these members, with defaults for the rest.
pub(super) fn wish(names: &str, version: &str) -> Wish {
    let members = names.split_whitespace();
    Wish {
        name: "prod".parse().unwrap(),
        version: parse_version(version),
        members: members.map(|it| (it.parse().unwrap(), place(it))).collect(),
        ports: Ports { client: 2379, peer: 2380, metrics: 2381 },
        data_dir: "/var/lib/etcd/prod".parse().unwrap(),
        wal_dir: None,
        timing: Timing::default(),
        quota: 2 << 30,
        auto_compaction: None,
        arguments: Arguments::default(),
        environment: Environment::default(),
        lost_hosts: BTreeSet::new(),
        is_protected: false,
        on_destroy: OnDestroy::Keep,
    }
}

pub(crate) fn want(names: &str, version: &str) -> Desired {
    Desired::new(wish(names, version)).unwrap()
}

fn parse_version(text: &str) -> Version {
    match text {
        "3.5" => Version::new(5, 35),
        "3.6" => Version::new(6, 16),
        "3.7" => Version::new(7, 1),
        _ => text.parse().unwrap(),
    }
}

fn number(name: &str) -> u8 {
    name.as_bytes()[0] - b'a' + 1
}

fn place(name: &str) -> Place {
    Place { address: IpAddr::from([192, 0, 2, number(name)]), is_local: false }
}

const ID: ClusterId = ClusterId(0xc1);

pub(super) fn fresh(name: &str) -> Facts {
    Facts {
        machine: MachineId(name.to_owned()),
        memory: None,
        owner: Owner::Nobody,
        token: None,
        is_formed: false,
        data: None,
        unit: Unit::Absent,
        seeds: None,
        told: None,
        staged: BTreeSet::new(),
        on_disk: None,
        running: None,
        certificates: Certificates::Missing,
    }
}

/// What is seen of such a fleet. With no member at all there is no list.
pub(super) fn look(text: &str) -> Observed {
    let mut members = Vec::new();
    let (mut hosts, mut former) = (BTreeMap::new(), BTreeMap::new());
    for word in text.split_whitespace() {
        let is_former = word.starts_with('(');
        let (name, rest) = match word.trim_matches(['(', ')']).split_once(':') {
            Some((name, rest)) => (name, Some(rest)),
            None => (word.trim_matches(['(', ')']), None),
        };
        let (host, member) = rest.map_or((Host::Unseen { last: None }, None), |it| parse(name, it));
        members.extend(member);
        let key: Name = name.parse().unwrap();
        let peer_url = PeerUrl::new(place(name).address, 2380);
        if is_former {
            former.insert(key, Former { peer_url, host });
        } else {
            hosts.insert(key, host);
        }
    }
    let alarms = BTreeSet::new();
    let is_formed = !members.is_empty();
    let voters = members.iter().filter(|it| !it.is_learner);
    let last_voters = voters.map(|it| it.id).collect();
    let cluster = is_formed.then_some(Cluster { id: ID, members, alarms, is_settled: true });
    Observed {
        hosts,
        former,
        known: is_formed.then_some(ID),
        last_voters,
        cluster,
        done: Done::default(),
    }
}

fn parse(name: &str, text: &str) -> (Host, Option<Member>) {
    let Some(at) = text
        .find(|it: char| !it.is_ascii_digit() && it != '.')
        .or_else(|| text.ends_with('0').then(|| text.len() - 1))
    else {
        return (Host::Seen(Box::new(fresh(name))), None);
    };
    let (version, signs) = text.split_at(at);
    let version = parse_version(version);
    let has = |it: char| signs.contains(it);
    let id = MemberId(u64::from(number(name)));
    let address = place(name).address;
    let settings = Settings { version, address, is_current: true };
    let mut facts = Facts {
        owner: Owner::Ours { is_current: true },
        token: Some(Token("t".to_owned())),
        is_formed: true,
        data: Some(Data { cluster: ID, member: id }),
        unit: Unit::Running,
        staged: BTreeSet::from([version]),
        on_disk: Some(settings),
        running: Some(settings),
        certificates: Certificates::Good,
        ..fresh(name)
    };
    let serves = has('+') || has('*') || has('!') || has('?');
    if has('-') || has('~') || has('d') {
        (facts.unit, facts.running) = (Unit::Stopped, None);
    }
    if has('#') {
        facts.unit = Unit::Stuck;
    }
    if has('~') {
        facts.data = None;
    }
    if has('o') {
        facts.running = Some(Settings { is_current: false, ..settings });
        facts.on_disk = facts.running;
    }
    if has('e') {
        facts.on_disk = Some(Settings { is_current: false, ..settings });
    }
    let certificates =
        [('c', Certificates::Due), ('i', Certificates::Invalid), ('n', Certificates::OtherNames)];
    for (_, it) in certificates.into_iter().filter(|(sign, _)| has(*sign)) {
        facts.certificates = it;
    }
    if has('r') {
        facts.owner = Owner::Ours { is_current: false };
    }
    let last = if has('o') { Settings { is_current: false, ..settings } } else { settings };
    let host = match () {
        () if has('0') => Host::Seen(Box::new(fresh(name))),
        () if has('!') || has('x') => Host::Unseen { last: Some(last) },
        () => Host::Seen(Box::new(facts)),
    };
    let old = IpAddr::from([198, 51, 100, number(name)]);
    let address = if has('u') { old } else { place(name).address };
    let status = Status { is_leader: has('*'), version, raft_index: 100, revision: 10, db_size: 1 };
    let member = Member {
        id,
        name: if has('~') { String::new() } else { name.to_owned() },
        peer_urls: vec![PeerUrl::new(address, 2380)],
        is_learner: has('?') || has('~'),
        status: serves.then_some(status),
    };
    (host, (!has('d')).then_some(member))
}
