//! What a member says of its health, over plain HTTP, to whoever reaches its port for metrics: no credentials are needed.

use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::plain::get;

/// A member without a quorum gives up by itself after 7 s; a look does not wait for that.
const LIMIT: Duration = Duration::from_secs(3);
/// It says far less.
const MOST: usize = 64 << 10;

/// The answer of a member (`Health` in `server/etcdserver/api/etcdhttp/health.go`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Health {
    /// `true` or `false`, as a text.
    health: String,
    /// What is wrong: `ALARM NOSPACE`, `ALARM CORRUPT`, `RAFT NO LEADER`, `QGET ERROR:…`. Empty: nothing.
    #[serde(default)]
    reason: String,
}

impl Health {
    /// From the text that a member sends.
    pub fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// What is wrong, in etcd's words. None: it serves.
    pub fn ailment(&self) -> Option<&str> {
        (self.health != "true").then_some(&self.reason)
    }
}

/// Asks the member at the other end of the stream. None: it does not answer within 3 s, or speaks something else.
pub async fn health(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Option<Health> {
    let answer = timeout(LIMIT, get(stream, "/health", MOST)).await;
    Health::parse(&answer.ok().flatten()?)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn only_what_a_member_says_of_itself_is_believed() {
        let ailment = |text: &str| Health::parse(text.as_bytes())?.ailment().map(str::to_owned);
        assert!(Health::parse(br#"{"health":"true","reason":""}"#).unwrap().ailment().is_none());
        let ill = r#"{"health":"false","reason":"RAFT NO LEADER"}"#;
        assert_eq!(ailment(ill).as_deref(), Some("RAFT NO LEADER"));
        assert_eq!(ailment(r#"{"health":"false"}"#).as_deref(), Some(""));
        assert_eq!(Health::parse(b"<html>"), None);
    }

    async fn answered(reply: &'static str) -> Option<Health> {
        let (near, mut far) = tokio::io::duplex(1024);
        let server = tokio::spawn(async move {
            let mut request = vec![0; 1024];
            let size = far.read(&mut request).await.unwrap();
            assert!(request[..size].starts_with(b"GET /health HTTP/1.1\r\n"));
            far.write_all(reply.as_bytes()).await.unwrap();
            // Held open: who waits for the end waits for ever.
            std::future::pending::<()>().await;
        });
        let health = health(near).await;
        server.abort();
        health
    }

    #[tokio::test(start_paused = true)]
    async fn an_ill_member_is_heard_and_a_silent_one_given_up() {
        let ill = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 43\r\n\r\n\
                   {\"health\":\"false\",\"reason\":\"ALARM NOSPACE\"}";
        assert_eq!(answered(ill).await.unwrap().ailment(), Some("ALARM NOSPACE"));
        assert_eq!(answered("HTTP/1.1 200 OK\r\n").await, None);
        assert_eq!(answered("SSH-2.0-x\r\n").await, None);
    }
}
