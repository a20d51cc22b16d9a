//! What is asked of a host that has an authority, and a certificate for a client of what it has signed for.

use std::collections::BTreeMap;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};

use crate::domain::pki::{Certificate, Digest, Found, Profile, Usage};
use crate::engine::{Fleet, chain};
use crate::host::messages::{self, SignRequest, Subject, key};
use crate::host::{Host, HostError};

/// A certificate of an authority on hosts, with its key. Not printable.
#[derive(Clone)]
pub struct Issued {
    /// PEM.
    pub certificate: String,
    /// PEM. It has never been outside of this process.
    pub key: String,
}

/// A key that was born here, and the request for a certificate for it.
pub(super) struct Newborn {
    key: KeyPair,
    csr: String,
}

impl Newborn {
    /// # Errors
    /// In words.
    pub(super) fn new() -> Result<Self, String> {
        let key = KeyPair::generate().map_err(|it| it.to_string())?;
        let csr = CertificateParams::default().serialize_request(&key).and_then(|it| it.pem());
        Ok(Self { csr: csr.map_err(|it| it.to_string())?, key })
    }

    /// PEM.
    pub(super) fn key(&self) -> String {
        self.key.serialize_pem()
    }

    /// For a client of what the authority in this directory signs for: `user` in `group` (empty: in none). Without any name
    /// beside that of the user: members of etcd would compare one with where the connection comes from.
    pub(super) fn request(
        &self,
        authority: &str,
        (user, group): (&str, &str),
        lifetime: Duration,
    ) -> SignRequest {
        let subject = Subject {
            common_name: user.to_owned(),
            organization: group.to_owned(),
            ..Subject::default()
        };
        SignRequest {
            authority: authority.to_owned().into(),
            csr: self.csr.clone(),
            subject: Some(subject),
            client: true,
            lifetime: u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX),
            ..SignRequest::default()
        }
    }
}

/// An authority that hosts have.
pub(super) struct Issuer<'a> {
    /// What it is the authority of, as people call it.
    pub(super) of: &'a str,
    /// Its certificate, PEM: what another one has signed does not count.
    pub(super) certificate: &'a str,
    /// Where hosts have it.
    pub(super) directory: &'a str,
}

impl Issuer<'_> {
    /// Has a certificate for `user` in `group` signed by the first host that can, for at most 24 hours. Nothing is written
    /// anywhere.
    ///
    /// # Errors
    /// Why no host has signed, by its key.
    pub(super) async fn issue(
        &self,
        fleet: &Fleet,
        person: (&str, &str),
        lifetime: Duration,
    ) -> Result<Issued, BTreeMap<String, String>> {
        let newborn = Newborn::new().map_err(|it| BTreeMap::from([("here".to_owned(), it)]))?;
        let ours = Certificate::parse(self.certificate.as_bytes()).ok();
        let request = newborn.request(self.directory, person, lifetime);
        let sign = async |_: String, host: Host| {
            let certificate = host.sign_for_client(request.clone()).await?;
            let signed = Certificate::parse(certificate.as_bytes()).ok();
            let is_ours =
                ours.as_ref().zip(signed.as_ref()).is_some_and(|(it, of)| of.is_signed_by(it));
            if is_ours {
                return Ok(certificate);
            }
            let reason = format!("its authority is not that of {}", self.of);
            let call = "sign a certificate".to_owned();
            Err(HostError::Failed { host: host.name().clone(), call, reason })
        };
        let certificate = fleet.first(sign).await.map_err(|why| {
            why.into_iter().map(|(key, it)| (key, chain(&it))).collect::<BTreeMap<_, _>>()
        })?;
        Ok(Issued { certificate, key: newborn.key() })
    }
}

/// Who a certificate is for.
pub(super) fn subject(profile: &Profile) -> Subject {
    Subject {
        common_name: profile.common_name().to_owned(),
        organization: profile.organization().unwrap_or_default().to_owned(),
        dns_names: profile.dns_names().iter().cloned().collect(),
        addresses: profile.addresses().iter().map(ToString::to_string).collect(),
    }
}

/// For a certificate of this profile, by the authority in this directory.
pub(super) fn request(profile: &Profile, authority: String, csr: String) -> SignRequest {
    SignRequest {
        authority: authority.into(),
        csr,
        subject: Some(subject(profile)),
        server: profile.usages().contains(&Usage::Server),
        client: profile.usages().contains(&Usage::Client),
        lifetime: u32::try_from(profile.lifetime().whole_seconds()).unwrap_or(u32::MAX),
        ..SignRequest::default()
    }
}

/// What a host tells of a private key: a digest of its public half.
pub(super) fn found_key(key: &messages::Key) -> Found<Digest> {
    match key.kind() {
        key::Kind::Absent => Found::Absent,
        key::Kind::Unseen => Found::Broken(key.error.clone()),
        key::Kind::Key => match key.public_key[..].try_into() {
            Ok(digest) => Found::Is(digest),
            Err(_) => Found::Broken("its digest has another length".to_owned()),
        },
    }
}
