//! Fetches files of checksums. What they say is read elsewhere.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use rustls::crypto::aws_lc_rs;

use super::http::{self, Route, RouteError};

/// The one of a large release has some kilobytes.
const MOST_BYTES: usize = 1 << 20;
/// Pauses after what may be over in a moment.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
const STALL: Duration = Duration::from_secs(15);

/// Why there is no file of checksums.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Neither http nor https.
    #[error("the place of the checksums is no URL")]
    Url,
    /// The proxy or the authorities.
    #[error("cannot prepare to fetch {url}")]
    Route {
        /// Without its query.
        url: String,
        /// What is wrong with it.
        source: RouteError,
    },
    /// Nobody answered, or not to the end; in several tries.
    #[error("cannot fetch {url}")]
    Unreachable {
        /// Without its query.
        url: String,
        /// Of the last try.
        source: std::io::Error,
    },
    /// The server answered otherwise.
    #[error("{url} answered with status {status}")]
    Status {
        /// Without its query.
        url: String,
        /// As the server said.
        status: StatusCode,
    },
    /// A page or an archive.
    #[error("{url} is no text of at most 1 MiB")]
    NoText {
        /// Without its query.
        url: String,
    },
}

impl FetchError {
    /// Whether it may be over in a moment.
    fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Url | Self::Route { .. } | Self::NoText { .. } => false,
        }
    }
}

/// The text at a URL.
///
/// # Errors
/// Three tries when nobody answers or the server has a trouble of its own; one when it says no.
pub async fn fetch(url: &str, route: &Route) -> Result<String, FetchError> {
    fetch_with(url, route, &PAUSES).await
}

async fn fetch_with(url: &str, route: &Route, pauses: &[Duration]) -> Result<String, FetchError> {
    let url = http::parse(url).ok_or(FetchError::Url)?;
    let client = http::client(aws_lc_rs::default_provider(), route, STALL)
        .map_err(|source| FetchError::Route { url: http::shown(&url), source })?;
    for pause in pauses {
        match fetch_once(&client, url.clone()).await {
            Err(fault) if fault.is_transient() => tokio::time::sleep(*pause).await,
            done => return done,
        }
    }
    fetch_once(&client, url).await
}

async fn fetch_once(client: &Client, url: reqwest::Url) -> Result<String, FetchError> {
    let shown = http::shown(&url);
    let unreachable =
        |error| FetchError::Unreachable { url: shown.clone(), source: http::fault(error) };
    let mut response = client.get(url).send().await.map_err(unreachable)?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(FetchError::Status { url: shown, status });
    }
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        text.extend_from_slice(&chunk);
        if MOST_BYTES < text.len() {
            return Err(FetchError::NoText { url: shown });
        }
    }
    String::from_utf8(text).map_err(|_| FetchError::NoText { url: shown })
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test serves on a loopback port")]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::remote::http::Proxy;

    /// Gives these answers, one to each connection, the last one again and again. Tells what came of it and how many
    /// were asked for.
    async fn answers(texts: &[&str]) -> (Result<String, FetchError>, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/SHA256SUMS?token=secret", listener.local_addr().unwrap());
        let texts: Vec<_> = texts.iter().map(|it| (*it).to_owned()).collect();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let server = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let at = count.fetch_add(1, Ordering::SeqCst).min(texts.len() - 1);
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                // A client that has read enough is gone.
                let _ = stream.write_all(texts[at].as_bytes()).await;
            }
        });
        let route = Route { proxy: Proxy::Direct, authorities: None };
        let done = fetch_with(&url, &route, &[Duration::from_millis(1); 2]).await;
        server.abort();
        (done, asked.load(Ordering::SeqCst))
    }

    const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc";
    const BUSY: &str = "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const CUT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nabc";
    const NONE: &str = "HTTP/1.1 404 None\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

    #[tokio::test]
    async fn what_may_be_over_in_a_moment_is_tried_again() {
        for (texts, tries) in [(&[FINE][..], 1), (&[BUSY, FINE], 2), (&[CUT, BUSY, FINE], 3)] {
            let (done, asked) = answers(texts).await;
            assert_eq!((done.unwrap().as_str(), asked), ("abc", tries));
        }
        let (done, asked) = answers(&[CUT]).await;
        assert!(matches!(done, Err(FetchError::Unreachable { .. })));
        assert_eq!(asked, 3);
    }

    #[tokio::test]
    async fn a_no_is_not_tried_again_and_tells_no_secret() {
        let (done, asked) = answers(&[NONE]).await;
        let text = done.unwrap_err().to_string();
        assert!(text.ends_with("/SHA256SUMS answered with status 404 Not Found"), "{text}");
        assert_eq!(asked, 1);
    }

    #[tokio::test]
    async fn what_is_too_long_or_no_text_is_refused() {
        let long =
            format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(MOST_BYTES + 1));
        let (done, asked) = answers(&[&long]).await;
        assert!(matches!(done, Err(FetchError::NoText { .. })), "{done:?}");
        assert_eq!(asked, 1);
        let route = Route { proxy: Proxy::Direct, authorities: None };
        let done = fetch("file:///etc/passwd", &route).await;
        assert!(matches!(done, Err(FetchError::Url)));
    }
}
