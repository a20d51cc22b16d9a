//! TLS between one client and one server that have both made their certificate a moment ago.
//!
//! The client's certificate is P-521, signed by itself, and carries `CA:true`. The verifier of rustls refuses such a
//! one as an end entity, and ring knows no P-521, which leads others to make client certificates optional: then every
//! local process may call. Here the very bytes of the announced certificate are required, and the cryptography is
//! that of aws-lc-rs.

use std::sync::Arc;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;

/// The name that go-plugin asks the server for.
const NAME: &str = "localhost";
/// As long as go-plugin's own: a clock that is set right during a run must not end it.
const LIFETIME: Duration = Duration::days(30 * 365);
/// So that a clock which is set back a little does no harm either.
const BACKDATED: Duration = Duration::days(1);

/// The server's end of TLS.
pub(super) struct Tls {
    pub(super) acceptor: TlsAcceptor,
    /// For the handshake line: the client trusts this certificate and no other.
    pub(super) certificate: CertificateDer<'static>,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("cannot make a server certificate")]
    Certificate(#[source] rcgen::Error),
    #[error("cannot set TLS up")]
    Configuration(#[source] rustls::Error),
}

/// Makes a key and a certificate, and lets nobody in but the owner of `client`.
pub(super) fn only_for(client: CertificateDer<'static>) -> Result<Tls, TlsError> {
    let (certificate, key) = identity().map_err(TlsError::Certificate)?;
    // Given explicitly: with two providers in one build, asking for the default one panics.
    let crypto = Arc::new(aws_lc_rs::default_provider());
    let config = configure(&crypto, client, certificate.clone(), key);
    let config = config.map_err(TlsError::Configuration)?;
    Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), certificate })
}

fn configure(
    crypto: &Arc<CryptoProvider>,
    client: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let algorithms = crypto.signature_verification_algorithms;
    let mut config = ServerConfig::builder_with_provider(Arc::clone(crypto))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_client_cert_verifier(Arc::new(Pinned { client, algorithms }))
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A client connects once, so there is nothing to resume.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn identity() -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::new([NAME.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.not_before = now - BACKDATED;
    params.not_after = now + LIFETIME;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key)?.der().clone();
    Ok((certificate, PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
}

/// Accepts one certificate, byte by byte. That the peer owns its key is left to the provider's signature checks.
#[derive(Debug)]
struct Pinned {
    client: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if *end_entity != self.client {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
