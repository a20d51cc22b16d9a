//! A cluster as those see it who use it: where its members are, and a certificate for a client.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};

use super::site::authority;
use crate::domain::etcd::ClusterName;
use crate::domain::pki::Certificate;
use crate::engine::{Fleet, chain};
use crate::host::messages::{SignRequest, Subject};
use crate::host::{Host, HostError};

/// What is known of a cluster without being asked.
#[derive(Clone, Debug)]
pub struct Access {
    /// Part of its paths.
    pub name: ClusterName,
    /// Its authority, PEM.
    pub authority: String,
    /// Where clients reach each member, by its name.
    pub members: BTreeMap<String, SocketAddr>,
}

/// A certificate of the cluster's authority, with its key. Not printable.
#[derive(Clone)]
pub struct Issued {
    /// PEM.
    pub certificate: String,
    /// PEM. It has never been outside of this process.
    pub key: String,
}

/// A key that was born here, and the request for a certificate for it.
pub(in crate::actions) struct Newborn {
    key: KeyPair,
    csr: String,
}

impl Newborn {
    /// # Errors
    /// In words.
    pub(in crate::actions) fn new() -> Result<Self, String> {
        let key = KeyPair::generate().map_err(|it| it.to_string())?;
        let csr = CertificateParams::default().serialize_request(&key).and_then(|it| it.pem());
        Ok(Self { csr: csr.map_err(|it| it.to_string())?, key })
    }

    /// PEM.
    pub(in crate::actions) fn key(&self) -> String {
        self.key.serialize_pem()
    }

    /// PEM.
    pub(in crate::actions) fn csr(&self) -> &str {
        &self.csr
    }

    /// For a client. Without any name beside that of the user: members would compare one with where the connection comes
    /// from.
    pub(super) fn request(&self, authority: &str, user: &str, lifetime: Duration) -> SignRequest {
        SignRequest {
            authority: authority.to_owned().into(),
            csr: self.csr.clone(),
            subject: Some(Subject { common_name: user.to_owned(), ..Subject::default() }),
            client: true,
            lifetime: u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX),
            ..SignRequest::default()
        }
    }
}

/// Has a certificate for `user` signed by the first host that can, for at most 24 hours. Nothing is written anywhere.
///
/// # Errors
/// Why no host has signed, by its key.
pub async fn issue(
    fleet: &Fleet,
    access: &Access,
    user: &str,
    lifetime: Duration,
) -> Result<Issued, BTreeMap<String, String>> {
    let newborn = Newborn::new().map_err(|it| BTreeMap::from([("here".to_owned(), it)]))?;
    let ours = Certificate::parse(access.authority.as_bytes()).ok();
    let directory = authority(access.name.as_str());
    let request = newborn.request(&directory, user, lifetime);
    let sign = async |_: String, host: Host| {
        let certificate = host.sign_for_client(request.clone()).await?;
        let signed = Certificate::parse(certificate.as_bytes()).ok();
        let is_ours =
            ours.as_ref().zip(signed.as_ref()).is_some_and(|(it, of)| of.is_signed_by(it));
        if is_ours {
            return Ok(certificate);
        }
        let reason = "its authority is not that of the cluster".to_owned();
        let call = "sign a certificate".to_owned();
        Err(HostError::Failed { host: host.name().clone(), call, reason })
    };
    let certificate = fleet.first(sign).await.map_err(|why| {
        why.into_iter().map(|(key, it)| (key, chain(&it))).collect::<BTreeMap<_, _>>()
    })?;
    Ok(Issued { certificate, key: newborn.key() })
}
