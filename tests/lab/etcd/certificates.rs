//! Certificates that nobody accepts, put in the place of good ones.

use std::fs;
use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType,
};
use time::{Duration, OffsetDateTime};

use super::cluster::Cluster;

/// What is wrong with it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Wrong {
    Expired,
    OtherAddress,
    OtherAuthority,
}

/// Spoils the certificate that a member shows to its clients. It reads it anew with each connection.
pub(crate) fn spoil(on: &Cluster, host: usize, wrong: Wrong) {
    let home = on.lab.hosts[host].root().join("etc/etcd-prod");
    let read = |name: &str| fs::read_to_string(home.join(name)).unwrap();
    let key = KeyPair::from_pem(&read("server.key")).unwrap();
    let authority = KeyPair::from_pem(&read("ca/ca.key")).unwrap();
    let issuer = match wrong {
        Wrong::OtherAuthority => {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, "etcd-prod");
            Issuer::new(params, KeyPair::generate().unwrap())
        }
        _ => Issuer::from_ca_cert_pem(&read("ca/ca.crt"), authority).unwrap(),
    };
    let address = if wrong == Wrong::OtherAddress { "192.0.2.1" } else { on.lab.address(host) };
    let address: IpAddr = address.parse().unwrap();
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "etcd-server");
    params.subject_alt_names = vec![SanType::IpAddress(address)];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = now - Duration::days(100);
    params.not_after = now + Duration::days(if wrong == Wrong::Expired { -1 } else { 265 });
    let certificate = params.signed_by(&key, &issuer).unwrap();
    fs::write(home.join("server.crt"), certificate.pem()).unwrap();
}

/// The day before today, as drift writes it.
pub(crate) fn yesterday() -> String {
    (OffsetDateTime::now_utc() - Duration::days(1)).date().to_string()
}
