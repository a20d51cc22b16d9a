//! Authorities, certificates and pretend fleets for tests.

use std::collections::BTreeMap;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use super::{
    Authority, Certificate, Desired, Digest, Found, Leaf, Observed, Pair, Profile, Seen, Step,
    Usage, Wish,
};

/// The moment of all tests.
pub(super) fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_893_456_000).unwrap() // 2030-01-01
}

pub(super) fn profile(common_name: &str, names: &[&str]) -> Profile {
    let usages = [Usage::Server, Usage::Client];
    Profile::new((common_name, Some("ha")), names, usages, Duration::hours(8760)).unwrap()
}

pub(super) fn digest(key: &KeyPair) -> Digest {
    Sha256::digest(key.subject_public_key_info()).into()
}

/// An authority that can sign, made on 2029-01-01 for ten years.
#[derive(Debug)]
pub(super) struct Ca {
    pub(super) certificate: Certificate,
    pub(super) pem: String,
    key: KeyPair,
}

impl Ca {
    pub(super) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.not_before = now() - Duration::days(365);
        params.not_after = params.not_before + Duration::days(3652);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Self { certificate: Certificate::parse(pem.as_bytes()).unwrap(), pem, key }
    }
}

/// A leaf that was signed at some time.
pub(super) fn leaf(profile: &Profile, ca: &Ca, key: &KeyPair, at: OffsetDateTime) -> Certificate {
    let mut params = CertificateParams::default();
    params.not_before = at;
    params.not_after = (at + profile.lifetime()).min(ca.certificate.not_after);
    params.distinguished_name = DistinguishedName::new();
    if let Some(organization) = profile.organization() {
        params.distinguished_name.push(DnType::OrganizationName, organization);
    }
    params.distinguished_name.push(DnType::CommonName, profile.common_name());
    let dns_names = profile.dns_names().iter().map(|it| it.as_str().try_into().unwrap());
    params.subject_alt_names.extend(dns_names.map(SanType::DnsName));
    params.subject_alt_names.extend(profile.addresses().iter().copied().map(SanType::IpAddress));
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = profile.usages().iter().copied().map(usage).collect();
    let issuer = Issuer::from_ca_cert_pem(&ca.pem, &ca.key).unwrap();
    Certificate::parse(params.signed_by(key, &issuer).unwrap().pem().as_bytes()).unwrap()
}

fn usage(usage: Usage) -> ExtendedKeyUsagePurpose {
    match usage {
        Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
        Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
        Usage::Other => ExtendedKeyUsagePurpose::CodeSigning,
    }
}

/// Hosts with a `server` certificate each; `-c` trusts in the authority and does not hold it.
pub(super) fn desired(hosts: &str) -> Desired {
    let hosts = hosts.split(' ').map(|it| {
        let host = it.trim_start_matches('-');
        let leaves = BTreeMap::from([("server".to_owned(), profile("etcd", &[host]))]);
        (host.to_owned(), Wish { holds_authority: it == host, leaves })
    });
    let authority = Authority { common_name: "ca".to_owned(), lifetime: Duration::days(3652) };
    Desired::new(authority, hosts.collect()).unwrap()
}

/// Hosts as they really are, and which of them answer.
#[derive(Debug)]
pub(super) struct Fleet<'a> {
    pub(super) hosts: BTreeMap<String, Seen>,
    pub(super) silent: Vec<String>,
    /// The private keys of leaves, by their digests.
    keys: BTreeMap<Digest, KeyPair>,
    /// Those that may be made or are there.
    authorities: [&'a Ca; 2],
}

impl<'a> Fleet<'a> {
    /// In the notation of the tables.
    pub(super) fn of(text: &str, ca: &'a Ca, other: &'a Ca) -> Self {
        let (hosts, silent) = (BTreeMap::new(), Vec::new());
        let mut fleet = Self { hosts, silent, keys: BTreeMap::new(), authorities: [ca, other] };
        for word in text.split(' ') {
            let (host, marks) = word.split_once(':').unwrap();
            let mut seen = Seen::default();
            for mark in marks.chars() {
                fleet.mark(&mut seen, host, mark);
            }
            fleet.hosts.insert(host.to_owned(), seen);
        }
        fleet
    }

    /// One more host that holds the first authority.
    pub(super) fn mark_whole(&mut self, host: &str) {
        let mut seen = Seen::default();
        self.mark(&mut seen, host, 'A');
        self.hosts.insert(host.to_owned(), seen);
    }

    fn mark(&mut self, seen: &mut Seen, host: &str, mark: char) {
        let [ca, other] = self.authorities;
        let whole = |ca: &Ca| Pair {
            key: Found::Is(ca.certificate.public_key),
            certificate: Found::Is(ca.certificate.clone()),
        };
        match mark {
            'A' => seen.authority = whole(ca),
            'B' => seen.authority = whole(other),
            'K' => seen.authority.key = whole(ca).key,
            'C' => seen.authority.certificate = whole(ca).certificate,
            'x' => seen.authority.key = Found::Broken("it is x".to_owned()),
            '?' => self.silent.push(host.to_owned()),
            'k' | 'l' | 'o' | 'f' => {
                let key = KeyPair::generate().unwrap();
                let profile = profile("etcd", &[host]);
                let certificate = match mark {
                    'l' => Some(leaf(&profile, ca, &key, now())),
                    'o' => Some(leaf(&profile, ca, &key, now() - Duration::days(265))),
                    'f' => Some(leaf(&profile, other, &key, now())),
                    _ => None,
                };
                let certificate = certificate.map_or(Found::Absent, Found::Is);
                let pair = Pair { key: Found::Is(digest(&key)), certificate };
                self.keys.insert(digest(&key), key);
                seen.leaves.insert("server".to_owned(), pair);
            }
            _ => unreachable!("{mark}"),
        }
    }

    pub(super) fn observed(&self) -> Observed {
        let hosts = self.hosts.iter().map(|(host, seen)| {
            (host.clone(), (!self.silent.contains(host)).then(|| seen.clone()))
        });
        Observed { now: now(), hosts: hosts.collect() }
    }

    /// Does the first `most` writes of a step; each is one that is there as a whole or not at all. How many there were.
    pub(super) fn perform(&mut self, step: &Step, desired: &Desired, most: usize) -> usize {
        let writes = self.writes(step);
        for write in writes.iter().take(most) {
            self.write(write, desired);
        }
        writes.len()
    }

    fn writes(&self, step: &Step) -> Vec<Write> {
        match step {
            Step::MakeAuthority { on } => vec![Write::Authority(on.clone())],
            Step::CopyAuthority { from, to } => {
                let pair = self.hosts[from].authority.clone();
                let writes = to.iter().flat_map(|host| {
                    let key = Pair { certificate: Found::Absent, ..pair.clone() };
                    [key, pair.clone()].map(|it| Write::Copy(host.clone(), Box::new(it)))
                });
                writes.collect()
            }
            Step::Trust { from, to } => {
                let certificate = self.hosts[from].authority.certificate.clone();
                let pair = Pair { key: Found::Absent, certificate };
                to.iter().map(|host| Write::Copy(host.clone(), Box::new(pair.clone()))).collect()
            }
            Step::MakeKeys(leaves) => leaves.iter().cloned().map(Write::Key).collect(),
            Step::Certify { by, leaves } => {
                leaves.iter().map(|it| Write::Certificate(by.clone(), it.clone())).collect()
            }
        }
    }

    fn write(&mut self, write: &Write, desired: &Desired) {
        match write {
            Write::Authority(on) => {
                let ca = self.authorities[0].certificate.clone();
                let pair = Pair { key: Found::Is(ca.public_key), certificate: Found::Is(ca) };
                self.hosts.get_mut(on).unwrap().authority = pair;
            }
            Write::Copy(host, pair) => {
                let there = &mut self.hosts.get_mut(host).unwrap().authority;
                if pair.key != Found::Absent {
                    there.key = pair.key.clone();
                }
                if pair.certificate != Found::Absent {
                    there.certificate = pair.certificate.clone();
                }
            }
            Write::Key(Leaf { host, name }) => {
                let key = KeyPair::generate().unwrap();
                let pair = self.hosts.get_mut(host).unwrap().leaves.entry(name.clone());
                pair.or_default().key = Found::Is(digest(&key));
                self.keys.insert(digest(&key), key);
            }
            Write::Certificate(by, Leaf { host, name }) => {
                let held = self.hosts[by].authority.clone();
                let (Found::Is(_), Found::Is(held)) = (held.key, held.certificate) else {
                    panic!("{by} cannot sign");
                };
                let ca = self.authorities.into_iter().find(|it| it.certificate == held).unwrap();
                let profile = &desired.hosts()[host].leaves[name];
                let pair =
                    self.hosts.get_mut(host).unwrap().leaves.entry(name.clone()).or_default();
                let Found::Is(key) = &pair.key else { panic!("{host} has no key") };
                let signed = leaf(profile, ca, &self.keys[key], now());
                pair.certificate = Found::Is(signed);
            }
        }
    }
}

/// What is on a host before or after, and not between.
enum Write {
    Authority(String),
    Copy(String, Box<Pair>),
    Key(Leaf),
    Certificate(String, Leaf),
}
