//! Gets a file from a server.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, StatusCode, Url};
use rustls::crypto::ring;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::{Answer, Answers, Size};
use crate::agent::fault::Fault;
use crate::proto::agent::{FetchArtifactReply, Progress};
use crate::remote::http::{self, Proxy, Route};

/// How often the client hears how far it is.
const PROGRESS: Duration = Duration::from_millis(300);

/// Where a file is, and the way there.
#[derive(Debug)]
pub(super) struct Source {
    url: Url,
    client: Client,
}

impl Source {
    pub(super) fn parse(
        url: &str,
        proxy: String,
        authorities: &str,
        stall: Duration,
    ) -> Result<Self, Fault> {
        let url = http::parse(url)
            .ok_or_else(|| Fault::Invalid("the artifact has no http or https URL".to_owned()))?;
        let proxy = if proxy.is_empty() { Proxy::Direct } else { Proxy::At(proxy) };
        let authorities = (!authorities.is_empty()).then(|| authorities.to_owned());
        let client = http::client(ring::default_provider(), &Route { proxy, authorities }, stall)
            .map_err(|fault| Fault::Invalid(fault.to_string()))?;
        Ok(Self { url, client })
    }

    /// Sends on what comes, to its end or until nobody takes it any more.
    pub(super) async fn download(
        &self,
        chunks: mpsc::Sender<Bytes>,
        size: Size,
        answers: &Answers,
    ) -> Result<(), Fault> {
        let shown = http::shown(&self.url);
        let failed = |error| Fault::failed(format!("fetch {shown}"))(http::fault(error));
        let mut response = self.client.get(self.url.clone()).send().await.map_err(failed)?;
        if response.status() != StatusCode::OK {
            let status = response.status();
            return Err(Fault::Refused(format!("{shown} answered with status {status}")));
        }
        let total = response.content_length().unwrap_or_default();
        size.announce(total)?;
        let mut ticks = interval(PROGRESS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut done = 0;
        loop {
            tokio::select! {
                chunk = response.chunk() => {
                    let Some(chunk) = chunk.map_err(failed)? else { return Ok(()) };
                    done += chunk.len() as u64;
                    if chunks.send(chunk).await.is_err() {
                        return Ok(());
                    }
                }
                _ = ticks.tick() => {
                    let progress = Progress { done, total };
                    let reply = FetchArtifactReply { message: Some(Answer::Progress(progress)) };
                    // A client that is slow to read misses some.
                    let _ = answers.try_send(Ok(reply));
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test serves on a loopback port")]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_server_that_stalls_is_given_up() {
        for head in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                stream.write_all(head.as_bytes()).await.unwrap();
                let mut rest = Vec::new();
                // Until the client closes.
                let _ = stream.read_to_end(&mut rest).await;
            });
            let url = format!("http://me:secret@{address}/x?token=secret");
            let source =
                Source::parse(&url, String::new(), "", Duration::from_millis(200)).unwrap();
            let (size, _announced) = Size::channel();
            let (chunks, mut received) = mpsc::channel(8);
            let (answers, _told) = mpsc::channel(8);
            let fault = source.download(chunks, size, &answers).await.unwrap_err();
            let text = tonic::Status::from(fault).message().to_owned();
            assert!(text.starts_with(&format!("cannot fetch http://{address}/x: ")), "{text}");
            assert!(text.contains("timed out") && !text.contains("secret"), "{text}");
            assert_eq!(received.recv().await.is_some(), !head.is_empty());
            drop(source);
            server.await.unwrap();
        }
    }

    #[test]
    fn what_is_no_source_is_refused_without_its_secrets() {
        for (url, proxy, authorities) in [
            ("file:///etc/secret", "", ""),
            ("http://a/x", "secret", ""),
            ("http://a/x", "", "secret"),
        ] {
            let fault = Source::parse(url, proxy.to_owned(), authorities, PROGRESS).unwrap_err();
            assert!(matches!(&fault, Fault::Invalid(text) if !text.contains("secret")), "{fault}");
        }
    }
}
