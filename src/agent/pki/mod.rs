//! Certificates: keys that are born here, requests made from them, and an authority that signs.
//!
//! A private key is read and written, and never part of an answer, an error or the journal.

mod authority;
mod certificate;
mod key;
mod subject;

use rcgen::PublicKeyData as _;
use sha2::{Digest as _, Sha256};

use self::authority::Authority;
use super::fault::Fault;
use super::files::owner::Owner;
use super::place::{HostPath, Root};
use crate::proto::agent::{
    MakeAuthorityReply, MakeAuthorityRequest, MakeCsrReply, MakeCsrRequest, MakeKeyReply,
    MakeKeyRequest, SignReply, SignRequest, Subject,
};
use crate::remote::kubernetes::Credentials;

pub(super) use self::key::describe;

/// Makes sure that there is a key.
pub(super) fn make_key(
    root: &Root,
    path: &HostPath,
    request: &MakeKeyRequest,
) -> Result<MakeKeyReply, Fault> {
    let owner = Owner::named(root, &request.user, &request.group)?;
    let place = root.place(path)?;
    let key = match key::find(&place)? {
        Some(key) => key,
        None => key::generate()?,
    };
    let changed = key::put(&place, &key, owner)?;
    Ok(MakeKeyReply { changed, public_key: public_digest(&key) })
}

/// A request for a certificate.
pub(super) fn make_csr(root: &Root, request: &MakeCsrRequest) -> Result<MakeCsrReply, Fault> {
    let path = HostPath::parse(&request.path)?;
    let params = subject::params(request.subject.as_ref())?;
    let place = root.find(&path)?;
    let found = place.as_ref().map(key::find).transpose()?.flatten();
    let Some(key) = found else {
        return Err(Fault::Refused(format!("there is no key {path}")));
    };
    let csr = params.serialize_request(&key).and_then(|it| it.pem());
    Ok(MakeCsrReply { csr: csr.map_err(failed("make a request for a certificate"))? })
}

/// Makes sure that there is an authority. `now`: nanoseconds since 1970.
pub(super) fn make_authority(
    root: &Root,
    directory: &HostPath,
    request: &MakeAuthorityRequest,
    now: i64,
) -> Result<MakeAuthorityReply, Fault> {
    if let Some(found) = Authority::find(root, directory)? {
        return Ok(MakeAuthorityReply { changed: false, certificate: found.certificate });
    }
    let made = Authority::generate(&request.common_name, request.days, now)?;
    made.put(&root.place(directory)?)?;
    Ok(MakeAuthorityReply { changed: true, certificate: made.certificate })
}

/// In seconds, of a certificate that needs no lock.
const MOMENT: u32 = 24 * 3600;

/// Whether a certificate is for one run of a client alone. To sign it changes nothing here, and leaves nothing to renew.
pub(super) fn is_for_a_moment(request: &SignRequest) -> bool {
    request.client && !request.server && request.lifetime <= MOMENT
}

/// Those who may do everything in a cluster of Kubernetes, and from whom nothing can be taken.
const MASTERS: &str = "system:masters";
/// In seconds.
const MINUTES: u32 = 5 * 60;

/// Signs a certificate. `now`: nanoseconds since 1970.
pub(super) fn sign(
    root: &Root,
    directory: &HostPath,
    request: &SignRequest,
    now: i64,
) -> Result<SignReply, Fault> {
    let organization = request.subject.as_ref().map_or("", |it| &it.organization);
    if organization == MASTERS {
        return Err(Fault::Refused(format!("no certificate of {MASTERS} is handed out")));
    }
    let authority = find(root, directory)?;
    Ok(SignReply { certificate: certificate::sign(&authority, request, now)? })
}

/// What one of them asks an API server with, for some minutes, in this process. `now`: nanoseconds since 1970.
pub(super) fn of_masters(
    root: &Root,
    directory: &HostPath,
    now: i64,
) -> Result<Credentials, Fault> {
    let (authority, key) = (find(root, directory)?, key::generate()?);
    let subject = Some(Subject {
        common_name: "ha-agent".to_owned(),
        organization: MASTERS.to_owned(),
        ..Subject::default()
    });
    let csr = subject::params(subject.as_ref())?.serialize_request(&key);
    let csr = csr.and_then(|it| it.pem()).map_err(failed("make a request for a certificate"))?;
    let request =
        SignRequest { csr, subject, client: true, lifetime: MINUTES, ..SignRequest::default() };
    let certificate = certificate::sign(&authority, &request, now)?;
    Credentials::new(&authority.certificate, &certificate, &key.serialize_pem())
        .map_err(|it| Fault::Refused(format!("there is nothing to ask an API server with: {it}")))
}

fn find(root: &Root, directory: &HostPath) -> Result<Authority, Fault> {
    let found = Authority::find(root, directory)?;
    found.ok_or_else(|| Fault::Refused(format!("there is no certificate authority in {directory}")))
}

/// SHA-256 of the SubjectPublicKeyInfo.
fn public_digest(key: &rcgen::KeyPair) -> bytes::Bytes {
    Sha256::digest(key.subject_public_key_info()).to_vec().into()
}

/// For `map_err`: the crate that makes certificates says what it failed of, never what it was given.
fn failed(doing: &'static str) -> impl FnOnce(rcgen::Error) -> Fault {
    move |error| Fault::failed(doing)(std::io::Error::other(error))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test has a directory of its own")]
mod tests {
    use super::*;

    /// 2030-01-01.
    const NOW: i64 = 1_893_456_000_000_000_000;

    #[test]
    fn masters_are_made_for_the_agent_alone() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let directory = HostPath::parse(b"/ca").unwrap();
        let missing = of_masters(&root, &directory, NOW).unwrap_err();
        assert!(missing.to_string().contains("there is no certificate authority in /ca"));
        let wish = MakeAuthorityRequest {
            common_name: "kubernetes".to_owned(),
            days: 10,
            ..MakeAuthorityRequest::default()
        };
        make_authority(&root, &directory, &wish, NOW).unwrap();
        of_masters(&root, &directory, NOW).unwrap();
        let organization = MASTERS.to_owned();
        let subject =
            Some(Subject { common_name: "a".to_owned(), organization, ..Subject::default() });
        let request = SignRequest { subject, client: true, lifetime: 60, ..SignRequest::default() };
        let refused = sign(&root, &directory, &request, NOW).unwrap_err();
        assert_eq!(refused.to_string(), "no certificate of system:masters is handed out");
    }
}
