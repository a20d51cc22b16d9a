//! Fetches files of checksums, whose text is read elsewhere, and files of releases, each known by its digest.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, StatusCode};
use rustls::crypto::aws_lc_rs;
use sha2::{Digest as _, Sha256};

use super::http::{self, Route, RouteError};

/// A file of checksums of a large release has some kilobytes.
const MOST_TEXT: usize = 1 << 20;
/// As much as an agent takes for an artifact.
const MOST_FILE: usize = 2 << 30;
/// Pauses after what may be over in a moment.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
const STALL: Duration = Duration::from_secs(15);

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Neither http nor https.
    #[error("the place of the file is no URL")]
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
    /// Where a text is meant, a page or an archive.
    #[error("{url} is no text of at most 1 MiB")]
    NoText {
        /// Without its query.
        url: String,
    },
    /// More than any file has.
    #[error("{url} has more than {MOST_FILE} bytes")]
    TooLarge {
        /// Without its query.
        url: String,
    },
    /// It is not what was published.
    #[error("{url} is another file: its SHA-256 is {found}, not {wanted}")]
    Digest {
        /// Without its query.
        url: String,
        /// In hexadecimal digits.
        found: String,
        /// The same.
        wanted: String,
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
            Self::Url
            | Self::Route { .. }
            | Self::NoText { .. }
            | Self::TooLarge { .. }
            | Self::Digest { .. } => false,
        }
    }
}

/// The text at a URL.
///
/// # Errors
/// Three tries when nobody answers or the server has a trouble of its own; one when it says no.
pub async fn text(url: &str, route: &Route) -> Result<String, FetchError> {
    text_with(url, route, &PAUSES).await
}

/// The file at a URL that has this digest, in memory.
///
/// # Errors
/// As [`text`]; it has another digest.
pub async fn file(url: &str, route: &Route, digest: &[u8; 32]) -> Result<Bytes, FetchError> {
    file_with(url, route, digest, &PAUSES).await
}

async fn text_with(url: &str, route: &Route, pauses: &[Duration]) -> Result<String, FetchError> {
    let (url, content) = get(url, route, pauses, MOST_TEXT).await?;
    let content = content.ok_or_else(|| FetchError::NoText { url: url.clone() })?;
    String::from_utf8(content).map_err(|_| FetchError::NoText { url })
}

async fn file_with(
    url: &str,
    route: &Route,
    digest: &[u8; 32],
    pauses: &[Duration],
) -> Result<Bytes, FetchError> {
    let (url, content) = get(url, route, pauses, MOST_FILE).await?;
    let content = content.ok_or_else(|| FetchError::TooLarge { url: url.clone() })?;
    let found = Sha256::digest(&content);
    if found[..] == digest[..] {
        return Ok(content.into());
    }
    Err(FetchError::Digest { url, found: hex(&found), wanted: hex(digest) })
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|it| [it >> 4, it & 15]);
    digits.filter_map(|it| char::from_digit(it.into(), 16)).collect()
}

/// How the URL is shown, and what is there, unless it is more than `most` bytes.
async fn get(
    url: &str,
    route: &Route,
    pauses: &[Duration],
    most: usize,
) -> Result<(String, Option<Vec<u8>>), FetchError> {
    let url = http::parse(url).ok_or(FetchError::Url)?;
    let shown = http::shown(&url);
    let client = http::client(aws_lc_rs::default_provider(), route, STALL)
        .map_err(|source| FetchError::Route { url: shown.clone(), source })?;
    for pause in pauses {
        match get_once(&client, url.clone(), most).await {
            Err(fault) if fault.is_transient() => tokio::time::sleep(*pause).await,
            done => return Ok((shown, done?)),
        }
    }
    Ok((shown, get_once(&client, url, most).await?))
}

async fn get_once(
    client: &Client,
    url: reqwest::Url,
    most: usize,
) -> Result<Option<Vec<u8>>, FetchError> {
    let shown = http::shown(&url);
    let unreachable =
        |error| FetchError::Unreachable { url: shown.clone(), source: http::fault(error) };
    let mut response = client.get(url).send().await.map_err(unreachable)?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(FetchError::Status { url: shown, status });
    }
    let mut content = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if most - content.len() < chunk.len() {
            return Ok(None);
        }
        content.extend_from_slice(&chunk);
    }
    Ok(Some(content))
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
        let route = Route { proxy: Proxy::Direct, authorities: None };
        asked(texts, async |url| text_with(&url, &route, &[Duration::from_millis(1); 2]).await)
            .await
    }

    async fn asked<T>(
        texts: &[&str],
        ask: impl AsyncFnOnce(String) -> Result<T, FetchError>,
    ) -> (Result<T, FetchError>, usize) {
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
        let done = ask(url).await;
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
            format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(MOST_TEXT + 1));
        let (done, asked) = answers(&[&long]).await;
        assert!(matches!(done, Err(FetchError::NoText { .. })), "{done:?}");
        assert_eq!(asked, 1);
        let route = Route { proxy: Proxy::Direct, authorities: None };
        let done = text("file:///etc/passwd", &route).await;
        assert!(matches!(done, Err(FetchError::Url)));
    }

    #[tokio::test]
    async fn a_file_is_what_was_published_or_nothing() {
        let route = Route { proxy: Proxy::Direct, authorities: None };
        let check = async |texts: &[&str], content: &str| {
            let digest: [u8; 32] = Sha256::digest(content).into();
            let pauses = [Duration::from_millis(1); 2];
            asked(texts, async |url| file_with(&url, &route, &digest, &pauses).await).await
        };
        assert_eq!(check(&[CUT, FINE], "abc").await.0.unwrap(), "abc");
        let (done, asked) = check(&[FINE], "abd").await;
        let text = done.unwrap_err().to_string();
        assert!(text.contains("/SHA256SUMS is another file: its SHA-256 is ba7816bf"), "{text}");
        assert_eq!(asked, 1);
        assert!(matches!(check(&[NONE], "abc").await.0, Err(FetchError::Status { .. })));
        assert!(matches!(check(&[CUT], "abc").await.0, Err(FetchError::Unreachable { .. })));
    }
}
