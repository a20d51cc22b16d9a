//! A component for tests: TLS and HTTP. What it answers is for whoever plays it.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::DuplexStream;
use tokio_rustls::TlsAcceptor;
use tonic::body::Body;

pub(crate) use crate::remote::etcd::fake::identity;

/// When everything is answered.
const NOW: &str = "Sun, 29 Nov 2026 14:58:02 GMT";

/// What a component shows that has made itself a certificate.
pub(crate) fn own_identity() -> Option<Arc<ServerConfig>> {
    static OWN: LazyLock<Option<Arc<ServerConfig>>> = LazyLock::new(|| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).ok()?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).ok()?;
        let backend = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(backend)
            .with_safe_default_protocol_versions()
            .ok()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .ok()?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Some(Arc::new(config))
    });
    OWN.clone()
}

/// A lease that its holder has renewed a second ago.
pub(crate) fn lease(holder: &str) -> String {
    format!(
        r#"{{"spec":{{"holderIdentity":"{holder}","leaseDurationSeconds":15,"renewTime":"2026-11-29T14:58:01.000000Z"}}}}"#
    )
}

/// Status and text for a path.
pub(crate) type Answer = Box<dyn Fn(&str) -> (u16, String) + Send + Sync>;

/// Serves one connection until its client goes, or is not believed.
pub(crate) async fn serve(stream: DuplexStream, identity: Arc<ServerConfig>, answer: Answer) {
    let Ok(stream) = TlsAcceptor::from(identity).accept(stream).await else { return };
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (status, text) = answer(request.uri().path());
        let mut response = http::Response::new(Body::new(text));
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        response.headers_mut().insert("date", http::HeaderValue::from_static(NOW));
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let server = http2::Builder::new(TokioExecutor::new());
    // How it ended is for the client to see.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}
