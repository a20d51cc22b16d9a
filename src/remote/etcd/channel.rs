//! HTTP/2 under TLS over one stream, which is never opened a second time.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
#[cfg(feature = "provider")]
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
#[cfg(feature = "provider")]
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
#[cfg(feature = "provider")]
use rustls::pki_types::UnixTime;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
#[cfg(feature = "provider")]
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tonic::body::Body;
use tonic::codegen::Service;

/// Who asks, and whom to believe.
#[derive(Clone)]
pub struct Credentials(Arc<ClientConfig>);

/// Why there is no connection to a member.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No certificate, no key, or they are no pair.
    #[error("the credentials cannot be used")]
    Credentials(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It is not who it should be, does not know us, or the stream ended.
    #[error("no TLS session comes about")]
    Tls(#[source] std::io::Error),
    /// It speaks something else.
    #[error("no HTTP/2 session comes about")]
    Http(#[source] hyper::Error),
}

impl Credentials {
    /// All in PEM: the only authority that is believed, the certificate that is shown, and its key.
    ///
    /// # Errors
    /// [`OpenError::Credentials`].
    pub fn new(authority: &str, certificate: &str, key: &str) -> Result<Self, OpenError> {
        let wrong = |err: rustls::Error| OpenError::Credentials(Box::new(err));
        let unreadable = |err: rustls::pki_types::pem::Error| OpenError::Credentials(Box::new(err));
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(authority.as_bytes()).map_err(unreadable)?;
        roots.add(authority).map_err(wrong)?;
        let chain = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(unreadable)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(unreadable)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(backend()))
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![chain], key)
            .map_err(wrong)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

#[cfg(feature = "provider")]
impl Credentials {
    /// Shows nothing, and believes whoever answers: for questions whose answers do no harm, to programs that make
    /// themselves a certificate when they start.
    ///
    /// # Errors
    /// None that this program can cause.
    pub fn none() -> Result<Self, OpenError> {
        let provider = Arc::new(backend());
        let anybody = Arc::new(Anybody(Arc::clone(&provider)));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|err| OpenError::Credentials(Box::new(err)))?
            .dangerous()
            .with_custom_certificate_verifier(anybody)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

/// Believes everybody who has the key of the certificate that they show.
#[cfg(feature = "provider")]
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

#[cfg(feature = "provider")]
impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The one that this program has.
pub(super) fn backend() -> CryptoProvider {
    #[cfg(feature = "provider")]
    return rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "provider"))]
    return rustls::crypto::ring::default_provider();
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// Carries calls to one member, for any client that `tonic` generates or builds.
#[derive(Clone, Debug)]
pub struct Channel(http2::SendRequest<Body>);

impl Channel {
    /// Speaks to whoever proves to have this address.
    ///
    /// # Errors
    /// It is not there, or not who it should be.
    pub async fn open(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        address: IpAddr,
        credentials: &Credentials,
    ) -> Result<Self, OpenError> {
        let name = ServerName::IpAddress(address.into());
        let connector = TlsConnector::from(Arc::clone(&credentials.0));
        let stream = connector.connect(name, stream).await.map_err(OpenError::Tls)?;
        let builder = http2::Builder::new(TokioExecutor::new());
        let (sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(OpenError::Http)?;
        // It ends with the last sender; what broke it is told to whoever has asked something.
        tokio::spawn(connection);
        Ok(Self(sender))
    }
}

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
