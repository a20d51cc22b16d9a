//! What stands behind a balancer: servers with TLS that say who they are, and clients that stay.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

/// Everything here takes milliseconds on a machine with nothing else to do.
const LONG: Duration = Duration::from_secs(20);

/// Whom a client believes, who it is, and what it asks for.
#[derive(Clone)]
pub(crate) struct Caller {
    config: Arc<ClientConfig>,
    path: &'static str,
    /// A connection that its server has ended before a request is replaced by a new one, as clients of Kubernetes do.
    pub(crate) reconnects: bool,
}

impl Caller {
    /// A user of servers of others, by what is in PEM.
    pub(crate) fn user(
        authority: &[u8],
        certificate: &[u8],
        key: &[u8],
        path: &'static str,
    ) -> Self {
        let certificate = CertificateDer::from_pem_slice(certificate).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key).unwrap();
        let believing = believing(CertificateDer::from_pem_slice(authority).unwrap());
        let config = believing.with_client_auth_cert(vec![certificate], key).unwrap();
        Self { config: Arc::new(config), path, reconnects: true }
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn believing(
    authority: CertificateDer<'static>,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let mut roots = RootCertStore::empty();
    roots.add(authority).unwrap();
    let config = ClientConfig::builder_with_provider(provider());
    config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots)
}

/// One certificate for all, which vouches for itself.
#[derive(Clone)]
pub(crate) struct Trust {
    pub(crate) pem: String,
    /// Of the same, in PEM, for servers of others.
    pub(crate) key: String,
    caller: Caller,
    server: Arc<ServerConfig>,
}

impl Deref for Trust {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl Trust {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["kubernetes".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let der: CertificateDer<'static> = certificate.der().clone();
        let config = believing(der.clone()).with_no_client_auth();
        let caller = Caller { config: Arc::new(config), path: "/who", reconnects: false };
        let key_pem = key.serialize_pem();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![der], key)
            .unwrap();
        Self { pem: certificate.pem(), key: key_pem, caller, server: Arc::new(server) }
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
pub(crate) struct Client {
    stream: rustls::StreamOwned<ClientConnection, TcpStream>,
    path: &'static str,
}

impl Client {
    pub(crate) fn connect(to: SocketAddr, caller: &Caller) -> Option<Self> {
        Self::connect_within(LONG, to, caller)
    }

    /// Nothing that it waits for may take longer.
    pub(crate) fn connect_within(limit: Duration, to: SocketAddr, caller: &Caller) -> Option<Self> {
        let stream = TcpStream::connect_timeout(&to, limit).ok()?;
        stream.set_read_timeout(Some(limit)).unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("kubernetes").unwrap();
        let connection = ClientConnection::new(Arc::clone(&caller.config), name).unwrap();
        let stream = rustls::StreamOwned::new(connection, stream);
        Some(Self { stream, path: caller.path })
    }

    /// Who answers, or what. None: the connection is gone, or the answer is a refusal, which is told.
    pub(crate) fn ask(&mut self) -> Option<String> {
        let question = format!("GET {} HTTP/1.1\r\nHost: kubernetes\r\n\r\n", self.path);
        self.stream.write_all(question.as_bytes()).ok()?;
        let head = head(&mut self.stream)?.to_ascii_lowercase();
        let (_, length) = head.split_once("content-length: ")?;
        let length: usize = length.lines().next()?.parse().ok()?;
        let mut text = vec![0; length];
        self.stream.read_exact(&mut text).ok()?;
        let text = String::from_utf8(text).ok()?;
        if head.starts_with("http/1.1 200 ") {
            return Some(text);
        }
        eprintln!("refused: {head}{text}");
        None
    }

    /// Whether it was ended from the other side, as far as is known here. A server says nothing else unasked.
    pub(crate) fn is_over(&self) -> bool {
        let stream = &self.stream.sock;
        stream.set_nonblocking(true).unwrap();
        let seen = stream.peek(&mut [0]);
        stream.set_nonblocking(false).unwrap();
        !seen.is_err_and(|it| it.kind() == ErrorKind::WouldBlock)
    }
}

/// Who answers there.
pub(crate) fn ask(to: SocketAddr, caller: &Caller) -> Option<String> {
    Client::connect(to, caller)?.ask()
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
