#![cfg(feature = "provider")]

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use super::*;

/// Method, path and body of each request.
type Asked = Arc<Mutex<Vec<String>>>;

/// An API server at the other end of a stream, which answers everything with this.
async fn api(status: u16, text: &'static str) -> (Api, Asked) {
    let address = Ipv4Addr::LOCALHOST.into();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let leaf = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|it| (*it).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let signed = CertificateParams::new(names).unwrap().signed_by(&key, &*issuer).unwrap();
        (signed, key)
    };
    let (server, key) = leaf(&["127.0.0.1"]);
    let backend = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(backend)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![server.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (near, far) = tokio::io::duplex(64 << 10);
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        let stream = acceptor.accept(far).await.unwrap();
        let service = service_fn(move |request: http::Request<Incoming>| {
            let log = Arc::clone(&log);
            async move {
                let line = format!("{} {}", request.method(), request.uri().path());
                let body = body::whole(request.into_body(), 1 << 20).await.unwrap();
                let body = String::from_utf8(body).unwrap();
                log.lock().unwrap().push(format!("{line} {body}").trim().to_owned());
                let response = http::Response::builder()
                    .status(status)
                    .header("date", "Sun, 29 Nov 2026 14:58:02 GMT")
                    .body(Body::new(text.to_owned()));
                Ok::<_, std::convert::Infallible>(response.unwrap())
            }
        });
        let server = http2::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    });
    let (client, key) = leaf(&[]);
    let credentials = Credentials::new(&issuer.pem(), &client.pem(), &key.serialize_pem()).unwrap();
    (Api::open(near, address, &credentials).await.unwrap(), asked)
}

#[tokio::test]
async fn a_server_is_ready_when_it_says_so() {
    assert!(api(200, "ok").await.0.is_ready().await.unwrap());
    assert!(!api(500, "[-]shutdown failed").await.0.is_ready().await.unwrap());
}

#[tokio::test]
async fn a_binding_is_made_once() {
    let binding = Binding::administrators("ha:cluster-admins").unwrap();
    let (made, asked) = api(201, "{}").await;
    assert!(made.bind(&binding).await.unwrap());
    let line = format!("POST {} {}", Binding::COLLECTION, binding.object());
    assert_eq!(*asked.lock().unwrap(), [line]);
    assert!(!api(409, "{}").await.0.bind(&binding).await.unwrap());
    let refused = api(403, "{\"message\":\"no\"}").await.0.bind(&binding).await.unwrap_err();
    let expected = "cannot make the binding ha:cluster-admins: 403 Forbidden: {\"message\":\"no\"}";
    assert_eq!(refused.to_string(), expected);
}

#[tokio::test]
async fn who_may_not_look_is_not_bound() {
    let binding = Binding::administrators("ha:cluster-admins").unwrap();
    for (status, expected) in [(200, true), (404, false), (403, false)] {
        let (api, asked) = api(status, "{}").await;
        assert_eq!(api.has(&binding).await.unwrap(), expected);
        assert_eq!(*asked.lock().unwrap(), [format!("GET {}", binding.path())]);
    }
    assert!(api(500, "").await.0.has(&binding).await.is_err());
}

#[tokio::test]
async fn a_lease_is_looked_at_where_upstream_has_it() {
    let held = r#"{"spec":{"holderIdentity":"a_1","leaseDurationSeconds":15,"renewTime":"2026-11-29T14:58:00.000000Z"}}"#;
    let (held, asked) = api(200, held).await;
    let lease = held.lease("kube-scheduler").await.unwrap();
    assert_eq!(lease, Some(Lease { holder: "a_1".to_owned() }));
    let path = "GET /apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler";
    assert_eq!(*asked.lock().unwrap(), [path]);
    assert_eq!(api(404, "{}").await.0.lease("kube-scheduler").await.unwrap(), None);
    assert!(api(200, "{}").await.0.lease("kube-scheduler").await.is_err());
}
