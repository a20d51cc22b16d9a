//! What stands behind a balancer: servers with TLS that say who they are, and clients that stay.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

/// Everything here takes milliseconds on a machine with nothing else to do.
const LONG: Duration = Duration::from_secs(20);

/// One certificate for all, which vouches for itself.
#[derive(Clone)]
pub(crate) struct Trust {
    pub(crate) pem: String,
    /// Of the same, in PEM, for servers of others.
    pub(crate) key: String,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Trust {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["kubernetes".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let der: CertificateDer<'static> = certificate.der().clone();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(der.clone()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let key_pem = key.serialize_pem();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![der], key)
            .unwrap();
        let (client, server) = (Arc::new(client), Arc::new(server));
        Self { pem: certificate.pem(), key: key_pem, client, server }
    }
}

/// Answers `/readyz` with 200 while it is ready, and everything else with its name. It ends with the process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    ready: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(name: &'static str, address: SocketAddr, trust: &Trust) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let ready = Arc::new(AtomicBool::new(true));
        let (config, is_ready) = (Arc::clone(&trust.server), Arc::clone(&ready));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, ready) = (Arc::clone(&config), Arc::clone(&is_ready));
                std::thread::spawn(move || serve(name, stream, config, &ready));
            }
        });
        Self { address, ready }
    }

    pub(crate) fn set_ready(&self, is_ready: bool) {
        self.ready.store(is_ready, Ordering::SeqCst);
    }
}

/// Until the client is gone: a client may ask as often as it likes. Whoever is no client of TLS is of no interest.
fn serve(name: &str, stream: TcpStream, config: Arc<ServerConfig>, ready: &AtomicBool) {
    let connection = ServerConnection::new(config).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, stream);
    while let Some(head) = head(&mut stream) {
        let is_check = head.starts_with("GET /readyz ");
        let (status, text) = match (is_check, ready.load(Ordering::SeqCst)) {
            (true, false) => ("500 Internal Server Error", "not ready"),
            (true, true) => ("200 OK", "ready"),
            (false, _) => ("200 OK", name),
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Up to an empty line.
fn head(stream: &mut impl std::io::Read) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 || 4096 < text.len() {
            return None;
        }
        text.push(byte[0]);
    }
    String::from_utf8(text).ok()
}

/// A connection that stays.
pub(crate) struct Client(rustls::StreamOwned<ClientConnection, TcpStream>);

impl Client {
    pub(crate) fn connect(to: SocketAddr, trust: &Trust) -> Option<Self> {
        Self::connect_within(LONG, to, trust)
    }

    /// Nothing that it waits for may take longer.
    pub(crate) fn connect_within(limit: Duration, to: SocketAddr, trust: &Trust) -> Option<Self> {
        let stream = TcpStream::connect_timeout(&to, limit).ok()?;
        stream.set_read_timeout(Some(limit)).unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("kubernetes").unwrap();
        let connection = ClientConnection::new(Arc::clone(&trust.client), name).unwrap();
        Some(Self(rustls::StreamOwned::new(connection, stream)))
    }

    /// Who answers. None: the connection is gone.
    pub(crate) fn ask(&mut self) -> Option<String> {
        self.0.write_all(b"GET /who HTTP/1.1\r\nHost: kubernetes\r\n\r\n").ok()?;
        let head = head(&mut self.0)?.to_ascii_lowercase();
        let (_, length) = head.split_once("content-length: ")?;
        let length: usize = length.lines().next()?.parse().ok()?;
        let mut text = vec![0; length];
        self.0.read_exact(&mut text).ok()?;
        String::from_utf8(text).ok()
    }
}

/// Who answers there.
pub(crate) fn ask(to: SocketAddr, trust: &Trust) -> Option<String> {
    Client::connect(to, trust)?.ask()
}

/// Asks anew until it is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "not within {LONG:?}: {what}");
        std::thread::yield_now();
    }
}
