//! Real keys and certificates on a host in memory, without the checks of the agent.
//!
//! What is made once more under the same circumstances is the same: a host that goes its own way from the same moment has
//! the same keys as the other, so that both can be compared. A second key at one place is another one.
#![expect(clippy::disallowed_methods, reason = "a certificate begins now")]

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SubjectPublicKeyInfo,
};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};
use tonic::Status;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer as _;

use super::state::{Entry, State};
use crate::proto::agent::key::Kind;
use crate::proto::agent::{
    Key, MakeAuthorityReply, MakeAuthorityRequest, MakeCsrReply, MakeKeyReply, SealFilesReply,
    SealFilesRequest, SealedFile, SignReply, SignRequest, Subject,
};

/// As the agent's: clocks of other hosts may be behind.
const BACKDATED: Duration = Duration::minutes(5);

pub(super) fn make_key(state: &mut State, path: &str) -> Result<MakeKeyReply, Status> {
    let found = find(state, path);
    let (changed, key) = match found {
        Some(key) => (false, key),
        None if state.files.contains_key(path) => {
            return Err(Status::failed_precondition(format!("{path} is no private key")));
        }
        None => {
            let text = new_key(state, path)?;
            (true, KeyPair::from_pem(&text).map_err(failed)?)
        }
    };
    put(state, path, &key.serialize_pem(), 0o600);
    Ok(MakeKeyReply { changed, public_key: digest(&key) })
}

pub(super) fn make_csr(state: &State, path: &str) -> Result<MakeCsrReply, Status> {
    let key = find(state, path).ok_or_else(|| missing(path))?;
    let csr = CertificateParams::default().serialize_request(&key).and_then(|it| it.pem());
    Ok(MakeCsrReply { csr: csr.map_err(failed)? })
}

pub(super) fn make_authority(
    state: &mut State,
    directory: &str,
    request: &MakeAuthorityRequest,
) -> Result<MakeAuthorityReply, Status> {
    let (at_key, at_certificate) = (format!("{directory}/ca.key"), format!("{directory}/ca.crt"));
    match (find(state, &at_key), state.files.get(&at_certificate)) {
        (None, None) => {}
        (Some(_), Some(entry)) => {
            let certificate = String::from_utf8_lossy(&entry.content).into_owned();
            return Ok(MakeAuthorityReply { changed: false, certificate });
        }
        _ => return Err(Status::failed_precondition("only half of an authority is there")),
    }
    let text = new_key(state, &at_key)?;
    let certificate = once(format!("{text} {} {}", request.common_name, request.days), || {
        let mut params = valid_for(Duration::days(request.days.into()));
        params.distinguished_name.push(DnType::CommonName, &request.common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::from_pem(&text).map_err(failed)?;
        Ok(params.self_signed(&key).map_err(failed)?.pem())
    })?;
    put(state, &at_key, &text, 0o600);
    put(state, &at_certificate, &certificate, 0o644);
    Ok(MakeAuthorityReply { changed: true, certificate })
}

pub(super) fn sign(
    state: &State,
    subject: &Subject,
    request: &SignRequest,
) -> Result<SignReply, Status> {
    let directory = String::from_utf8_lossy(&request.authority);
    let path = format!("{directory}/ca.crt");
    let certificate = state.files.get(&path).ok_or_else(|| missing(&path))?;
    let certificate = String::from_utf8_lossy(&certificate.content);
    let path = format!("{directory}/ca.key");
    let key = find(state, &path).ok_or_else(|| missing(&path))?;
    let public = public_key(&request.csr).ok_or_else(|| Status::invalid_argument("no CSR"))?;
    let owner = public.der_bytes();
    let (server, client, lifetime) = (request.server, request.client, request.lifetime);
    let what = format!("{certificate} {owner:?} {subject:?} {server} {client} {lifetime}");
    let certificate = once(what, || {
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).map_err(failed)?;
        certify(&issuer, subject, request, &public)
    })?;
    Ok(SignReply { certificate })
}

fn certify(
    issuer: &Issuer<'_, KeyPair>,
    subject: &Subject,
    request: &SignRequest,
    public: &SubjectPublicKeyInfo,
) -> Result<String, Status> {
    let names = [subject.dns_names.as_slice(), &subject.addresses].concat();
    let mut params = valid_for(Duration::seconds(request.lifetime.into()));
    params.subject_alt_names = CertificateParams::new(names).map_err(failed)?.subject_alt_names;
    if !subject.organization.is_empty() {
        params.distinguished_name.push(DnType::OrganizationName, &subject.organization);
    }
    params.distinguished_name.push(DnType::CommonName, &subject.common_name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    if request.server {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    if request.client {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    }
    Ok(params.signed_by(public, issuer).map_err(failed)?.pem())
}

/// Nobody opens it: it stands for what is in it, and for whom.
pub(super) fn seal_files(
    state: &State,
    request: &SealFilesRequest,
) -> Result<SealFilesReply, Status> {
    if request.recipients.is_empty() {
        return Err(Status::failed_precondition("there is no recipient"));
    }
    let mut all = Sha256::new();
    for SealedFile { name, path } in &request.files {
        let path = String::from_utf8_lossy(path);
        let entry = state.files.get(&*path).ok_or_else(|| missing(&path))?;
        all.update(format!("{name} {:?} ", entry.content));
    }
    all.update(format!("{:?}", request.recipients));
    let body = BASE64_STANDARD.encode(all.finalize());
    let (begin, end) = ("-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----");
    Ok(SealFilesReply { bundle: format!("{begin}\n{body}\n{end}\n") })
}

impl super::FakeHost {
    /// Puts a certificate that has just expired in the place of the one at `path`, for the key beside it.
    pub fn expire(&self, path: &str, authority: &str, subject: &Subject) {
        self.certify(path, authority, subject, 0);
    }

    /// Puts a certificate for so many seconds at `path`, for the key beside it, which is made where there is none.
    pub fn certify(&self, path: &str, authority: &str, subject: &Subject, lifetime: u32) {
        let mut state = self.state();
        let key = path.replace(".crt", ".key");
        // Where a key is there already, it stays.
        let _ = make_key(&mut state, &key);
        let csr = make_csr(&state, &key).map(|it| it.csr).unwrap_or_default();
        let authority = authority.to_owned().into();
        let (server, client) = (true, true);
        let request =
            SignRequest { authority, csr, server, client, lifetime, ..SignRequest::default() };
        if let Ok(signed) = sign(&state, subject, &request) {
            put(&mut state, path, &signed.certificate, 0o644);
        }
    }

    /// Makes an authority behind the back of the provider. Its certificate in PEM.
    pub fn make_authority(&self, directory: &str, common_name: &str) -> String {
        let common_name = common_name.to_owned();
        let request = MakeAuthorityRequest { common_name, days: 3650, ..Default::default() };
        let made = make_authority(&mut self.state(), directory, &request);
        made.map(|it| it.certificate).unwrap_or_default()
    }
}

pub(super) fn describe(state: &State, path: &[u8]) -> Key {
    let key = Key { path: path.to_vec().into(), ..Key::default() };
    let path = String::from_utf8_lossy(path);
    match known(state, &path) {
        Some(public_key) => Key { kind: Kind::Key.into(), public_key, ..key },
        None if state.files.contains_key(&*path) => {
            Key { error: format!("{path} is no private key"), ..key }
        }
        None => Key { kind: Kind::Absent.into(), ..key },
    }
}

/// The digest of a key. Each is read once: to tell it takes longer than anything else that a look asks for.
fn known(state: &State, path: &str) -> Option<bytes::Bytes> {
    static KNOWN: Mutex<BTreeMap<Vec<u8>, bytes::Bytes>> = Mutex::new(BTreeMap::new());
    let content = &state.files.get(path)?.content;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(digest) = known.get(content) {
        return Some(digest.clone());
    }
    let digest = digest(&find(state, path)?);
    known.insert(content.clone(), digest.clone());
    Some(digest)
}

/// A key that nobody has had at this place.
fn new_key(state: &mut State, path: &str) -> Result<String, Status> {
    let made = state.keys.entry(path.to_owned()).or_default();
    *made += 1;
    let what = format!("{} {path} {made}", state.machine);
    once(what, || Ok(KeyPair::generate().map_err(failed)?.serialize_pem()))
}

/// Whatever this is called, as it was made the first time.
fn once(what: String, make: impl FnOnce() -> Result<String, Status>) -> Result<String, Status> {
    static MADE: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let mut texts = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = texts.get(&what) {
        return Ok(text.clone());
    }
    let text = make()?;
    texts.insert(what, text.clone());
    Ok(text)
}

fn find(state: &State, path: &str) -> Option<KeyPair> {
    KeyPair::from_pem(std::str::from_utf8(&state.files.get(path)?.content).ok()?).ok()
}

fn put(state: &mut State, path: &str, text: &str, mode: u32) {
    let entry = Entry { content: text.as_bytes().to_vec(), mode, is_directory: false };
    state.files.insert(path.to_owned(), entry);
}

fn valid_for(lifetime: Duration) -> CertificateParams {
    let now = OffsetDateTime::from(SystemTime::now());
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = (now - BACKDATED, now + lifetime);
    params.distinguished_name = DistinguishedName::new();
    params
}

fn public_key(csr: &str) -> Option<SubjectPublicKeyInfo> {
    let block = Pem::iter_from_buffer(csr.as_bytes()).next()?.ok()?;
    let (_, csr) = X509CertificationRequest::from_der(&block.contents).ok()?;
    SubjectPublicKeyInfo::from_der(csr.certification_request_info.subject_pki.raw).ok()
}

fn digest(key: &KeyPair) -> bytes::Bytes {
    Sha256::digest(key.subject_public_key_info()).to_vec().into()
}

fn missing(path: &str) -> Status {
    Status::failed_precondition(format!("there is no {path}"))
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(error: rcgen::Error) -> Status {
    Status::internal(error.to_string())
}
