//! HTTP and HTTPS to servers of others, with a TLS back end that is given and never the default of the process.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// A release on GitHub takes one.
const MOST_REDIRECTS: usize = 5;
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// The way to servers, and whom to believe there.
#[derive(Clone, PartialEq, Eq)]
pub struct Route {
    /// Who stands between.
    pub proxy: Proxy,
    /// PEM of the only authorities that are believed. Absent: those of the system.
    pub authorities: Option<String>,
}

/// Who stands between.
#[derive(Clone, PartialEq, Eq)]
pub enum Proxy {
    /// Nobody.
    Direct,
    /// As HTTPS_PROXY, HTTP_PROXY and NO_PROXY say.
    Environment,
    /// One at a URL, which may hold a password.
    At(String),
}

/// Why there is no way.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// Its text is not told: it may hold a password.
    #[error("the proxy is no http or https URL")]
    Proxy,
    /// Text that holds something else, or nothing.
    #[error("the authorities are no certificates in PEM")]
    Authorities,
    /// The back end lacks what TLS needs.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
    /// Whatever else a client needs.
    #[error("cannot set up an HTTP client")]
    Client(#[source] reqwest::Error),
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("proxy", &self.proxy).finish_non_exhaustive()
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "Direct",
            Self::Environment => "Environment",
            Self::At(_) => "At(…)",
        })
    }
}

/// A client that gives up when nothing comes for as long as `stall`.
///
/// # Errors
/// The route makes no sense. Nobody is asked yet.
pub fn client(tls: CryptoProvider, route: &Route, stall: Duration) -> Result<Client, RouteError> {
    let roots = match &route.authorities {
        Some(only) => given(RootCertStore::empty(), only)?,
        None => of_system(),
    };
    build(tls, roots, &route.proxy, stall)
}

/// The same without a proxy, for a server that may have authorities of its own beside those of the system.
///
/// # Errors
/// They are no certificates.
pub fn direct(
    tls: CryptoProvider,
    authorities: Option<&str>,
    stall: Duration,
) -> Result<Client, RouteError> {
    let roots = authorities.map_or_else(|| Ok(of_system()), |it| given(of_system(), it))?;
    build(tls, roots, &Proxy::Direct, stall)
}

fn build(
    tls: CryptoProvider,
    roots: RootCertStore,
    proxy: &Proxy,
    stall: Duration,
) -> Result<Client, RouteError> {
    let config = ClientConfig::builder_with_provider(Arc::new(tls))
        .with_safe_default_protocol_versions()
        .map_err(RouteError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Client::builder()
        .tls_backend_preconfigured(config)
        .redirect(Policy::limited(MOST_REDIRECTS))
        .referer(false)
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(stall);
    let client = match proxy {
        Proxy::Environment => client,
        Proxy::Direct => client.no_proxy(),
        Proxy::At(url) => {
            let url = parse(url).ok_or(RouteError::Proxy)?;
            client.proxy(reqwest::Proxy::all(url).map_err(|_| RouteError::Proxy)?)
        }
    };
    client.build().map_err(RouteError::Client)
}

/// A URL of HTTP.
pub fn parse(url: &str) -> Option<Url> {
    let url = Url::parse(url).ok()?;
    (["http", "https"].contains(&url.scheme()) && url.has_host()).then_some(url)
}

/// For people: without what may be a password or a token.
pub fn shown(url: &Url) -> String {
    let port = url.port().map(|it| format!(":{it}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// A fault without its URL, as the source of another.
pub fn fault(error: reqwest::Error) -> io::Error {
    io::Error::other(error.without_url())
}

/// None of the system at all is no fault here: the server may need none.
fn of_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // One that cannot be read or used is one that nobody is believed by.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// With these, one at least.
fn given(mut roots: RootCertStore, pem: &str) -> Result<RootCertStore, RouteError> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| RouteError::Authorities)?;
        roots.add(certificate).map_err(|_| RouteError::Authorities)?;
    }
    if roots.len() == before { Err(RouteError::Authorities) } else { Ok(roots) }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test serves on a loopback port")]
mod tests {
    use super::*;

    #[cfg(feature = "provider")]
    #[tokio::test]
    async fn only_the_authorities_that_were_given_are_believed() {
        use rustls::pki_types::PrivateKeyDer;
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(backend()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // A client that does not believe goes away.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let _ = stream.read(&mut [0; 4096]).await;
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx";
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            }
        });
        for tls in backends() {
            let get = async |authorities: Option<String>| {
                let route = Route { proxy: Proxy::Direct, authorities };
                let client = client(tls.clone(), &route, CONNECT_LIMIT).unwrap();
                client.get(&url).send().await?.text().await
            };
            assert_eq!(get(Some(made.cert.pem())).await.unwrap(), "x");
            let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
            get(Some(other.cert.pem())).await.unwrap_err();
            get(None).await.unwrap_err();
            let beside = made.cert.pem();
            let client = direct(tls.clone(), Some(&beside), CONNECT_LIMIT).unwrap();
            assert_eq!(client.get(&url).send().await.unwrap().text().await.unwrap(), "x");
            assert!(matches!(direct(tls, Some(""), CONNECT_LIMIT), Err(RouteError::Authorities)));
        }
        server.abort();
    }

    #[cfg(feature = "provider")]
    fn backends() -> Vec<CryptoProvider> {
        vec![
            backend(),
            #[cfg(feature = "agent")]
            rustls::crypto::ring::default_provider(),
        ]
    }

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(parse(text).as_ref().map(shown).as_deref(), expected, "{text}");
        };
        check(
            "https://me:secret@a.example:8443/x/y?token=secret#z",
            Some("https://a.example:8443/x/y"),
        );
        check("http://[2001:db8::1]/x", Some("http://[2001:db8::1]/x"));
        check("file:///etc/shadow", None);
        check("/x", None);
    }

    #[test]
    fn neither_a_password_nor_a_wrong_proxy_is_told() {
        let route = |proxy: &str, authorities: Option<&str>| Route {
            proxy: Proxy::At(proxy.to_owned()),
            authorities: authorities.map(str::to_owned),
        };
        assert_eq!(
            format!("{:?}", route("http://me:secret@a", None)),
            "Route { proxy: At(…), .. }"
        );
        for wrong in ["me:secret", "ftp://me:secret@a", "secret"] {
            let fault = client(backend(), &route(wrong, None), CONNECT_LIMIT).unwrap_err();
            assert!(!format!("{fault:?} {fault}").contains("secret"));
        }
        client(backend(), &route("http://me:secret@a", None), CONNECT_LIMIT).unwrap();
        for pem in ["", "secret", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            let fault = client(backend(), &route("http://a", Some(pem)), CONNECT_LIMIT);
            assert!(matches!(fault, Err(RouteError::Authorities)), "{pem}");
        }
    }

    fn backend() -> CryptoProvider {
        #[cfg(feature = "provider")]
        return rustls::crypto::aws_lc_rs::default_provider();
        #[cfg(not(feature = "provider"))]
        return rustls::crypto::ring::default_provider();
    }
}
