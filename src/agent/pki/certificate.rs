//! Certificates of services and their clients, signed by an authority.

use rcgen::{
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData as _, SubjectPublicKeyInfo,
};
use time::Duration;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::parse_x509_certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer as _;

use super::authority::Authority;
use super::{failed, subject};
use crate::agent::fault::Fault;
use crate::proto::agent::SignRequest;

/// A certificate as the request says, for the public key of its CSR. `now`: nanoseconds since 1970.
///
/// # Guarantees
/// It is never that of an authority, and ends no later than the one that signs it.
///
/// # Errors
/// An authority that is not valid now; a CSR that was not signed with its own key, or is for another kind of key.
pub(super) fn sign(
    authority: &Authority,
    request: &SignRequest,
    now: i64,
) -> Result<String, Fault> {
    let key = public_key(request.csr.as_bytes())
        .ok_or_else(|| Fault::Invalid("the CSR is none for a key of ECDSA P-256".to_owned()))?;
    let mut params = subject::params(request.subject.as_ref())?;
    let now = subject::begin(&mut params, now)?;
    if request.lifetime == 0 {
        return Err(Fault::Invalid("a certificate lives for a second at least".to_owned()));
    }
    let (_, issuer) = parse_x509_certificate(&authority.der)
        .map_err(|_| Fault::Refused("the certificate of the authority is none".to_owned()))?;
    let validity = issuer.validity();
    let (begins, ends) = (validity.not_before.to_datetime(), validity.not_after.to_datetime());
    if now < begins || ends <= now {
        return Err(Fault::Refused(format!(
            "the certificate authority is valid from {begins} to {ends}, and it is {now} here"
        )));
    }
    let wished = now.checked_add(Duration::seconds(request.lifetime.into()));
    params.not_after = wished.map_or(ends, |it| it.min(ends));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    if request.server {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    if request.client {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    }
    // Without any it could be used for everything.
    if params.extended_key_usages.is_empty() {
        return Err(Fault::Invalid("a certificate is for a server, a client or both".to_owned()));
    }
    let issuer = Issuer::from_ca_cert_der(&authority.der.as_slice().into(), &authority.key);
    let signed = issuer.and_then(|it| params.signed_by(&key, &it));
    Ok(signed.map_err(failed("sign a certificate"))?.pem())
}

/// None when it is no CSR, was signed with another key, or has a key of another kind.
fn public_key(csr: &[u8]) -> Option<SubjectPublicKeyInfo> {
    let blocks: Vec<_> = Pem::iter_from_buffer(csr).collect::<Result<_, _>>().ok()?;
    let [block] = blocks.as_slice() else { return None };
    let (_, csr) = X509CertificationRequest::from_der(&block.contents).ok()?;
    csr.verify_signature().ok()?;
    let key =
        SubjectPublicKeyInfo::from_der(csr.certification_request_info.subject_pki.raw).ok()?;
    (key.algorithm() == &PKCS_ECDSA_P256_SHA256).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::super::key;
    use super::*;
    use crate::proto::agent::Subject;

    const DAY: i64 = 24 * 3600 * 1_000_000_000;
    /// 2030-01-01.
    const NOW: i64 = 1_893_456_000 * 1_000_000_000;

    #[test]
    fn an_authority_signs_while_it_is_valid_and_not_beyond() {
        let authority = Authority::generate("ca", 10, NOW).unwrap();
        let subject = Subject { common_name: "a".to_owned(), ..Subject::default() };
        let params = subject::params(Some(&subject)).unwrap();
        let csr = params.serialize_request(&key::generate().unwrap()).unwrap().pem().unwrap();
        let lifetime = 7 * 24 * 3600;
        let subject = Some(subject);
        let request =
            SignRequest { csr, subject, server: true, lifetime, ..SignRequest::default() };
        let left = |now| {
            let signed = sign(&authority, &request, now).ok()?;
            let block = Pem::iter_from_buffer(signed.as_bytes()).next().unwrap().unwrap();
            let parsed = block.parse_x509().unwrap();
            let issuer = parse_x509_certificate(&authority.der).unwrap().1;
            parsed.verify_signature(Some(issuer.public_key())).unwrap();
            Some(parsed.validity().not_after.timestamp() - now / 1_000_000_000)
        };
        let seconds = |days: i64| Some(days * 24 * 3600);
        assert_eq!(left(NOW), seconds(7));
        assert_eq!(left(NOW + 3 * DAY), seconds(7));
        assert_eq!(left(NOW + 4 * DAY), seconds(6));
        assert_eq!(left(NOW + 10 * DAY), None);
        assert_eq!(left(NOW - DAY), None);
    }
}
