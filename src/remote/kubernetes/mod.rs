//! The API of Kubernetes, as far as a control plane itself needs it: one connection to one API server, over any stream.
//!
//! Nothing is repeated here: what a lost answer has done shows when it is looked at again.

mod binding;
#[cfg(all(test, feature = "provider"))]
pub(crate) mod fake;
#[cfg(feature = "provider")]
mod lease;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::Service as _;

pub use self::binding::{Binding, NameFault, Subject};
#[cfg(feature = "provider")]
pub use self::lease::Lease;
use super::body;
pub use super::etcd::{Channel, Credentials, OpenError};

/// An API server gives up a request after 60 s; what is asked here takes milliseconds.
const LIMIT: Duration = Duration::from_secs(10);
/// For the handshake, on a host that is reached already.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// Of an answer: an object without its long parts.
const MOST: usize = 1 << 20;
/// Of what is told of one that was refused.
const TOLD: usize = 500;

/// A connection to one API server.
#[derive(Clone, Debug)]
pub struct Api(Channel);

/// Why an API server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is no connection.
    #[error("cannot connect")]
    Open(#[from] OpenError),
    /// It has answered with another status than one that has a meaning here.
    #[error("cannot {call}: {status}: {told}")]
    Status {
        /// In the imperative.
        call: String,
        /// Of HTTP.
        status: StatusCode,
        /// The beginning of what it said.
        told: String,
    },
    /// The connection broke, or it speaks something else.
    #[error("cannot {0}: the connection broke")]
    Broken(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer in time: it may have happened.
    #[error("cannot {0}: no answer in time")]
    Late(String),
}

/// What an API server has answered.
pub(super) struct Answer {
    status: StatusCode,
    #[cfg_attr(not(feature = "provider"), expect(dead_code, reason = "leases are the provider's"))]
    date: Option<String>,
    text: Vec<u8>,
}

impl Api {
    /// Speaks to whoever proves to have this address.
    ///
    /// # Errors
    /// It is not there, or not who it should be.
    pub async fn open(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        address: IpAddr,
        credentials: &Credentials,
    ) -> Result<Self, CallError> {
        let opened = timeout(OPEN_LIMIT, Channel::open(stream, address, credentials)).await;
        Ok(Self(opened.map_err(|_| CallError::Late("connect".to_owned()))??))
    }

    /// Whether it is ready, by its own word.
    ///
    /// # Errors
    /// It does not answer. One that refuses is not ready for us.
    pub async fn is_ready(&self) -> Result<bool, CallError> {
        let answer = self.ask(Method::GET, "/readyz", None).await?;
        Ok(answer.status == StatusCode::OK)
    }

    /// What it runs, as `1.34.4`.
    ///
    /// # Errors
    /// It was refused, or what was answered names no version.
    #[cfg(feature = "provider")]
    pub async fn version(&self) -> Result<String, CallError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Info {
            git_version: String,
        }
        let call = || "ask for its version".to_owned();
        let answer = self.ask(Method::GET, "/version", None).await?;
        if answer.status != StatusCode::OK {
            return Err(answer.refused(call()));
        }
        let info: Info = serde_json::from_slice(&answer.text)
            .map_err(|err| CallError::Broken(call(), err.into()))?;
        Ok(info.git_version.trim_start_matches('v').to_owned())
    }

    /// Whether a binding is there. Who may not look at it is not bound by it either.
    ///
    /// # Errors
    /// Neither yes nor no was answered.
    pub async fn has(&self, binding: &Binding) -> Result<bool, CallError> {
        let call = format!("look at the binding {}", binding.name());
        let answer = self.ask(Method::GET, &binding.path(), None).await?;
        match answer.status {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Ok(false),
            _ => Err(answer.refused(call)),
        }
    }

    /// Makes a binding. False: it was there.
    ///
    /// # Errors
    /// It was refused, or nobody knows.
    pub async fn bind(&self, binding: &Binding) -> Result<bool, CallError> {
        let call = format!("make the binding {}", binding.name());
        let body = Some(binding.object());
        let answer = self.ask(Method::POST, Binding::COLLECTION, body).await?;
        match answer.status {
            StatusCode::CREATED => Ok(true),
            StatusCode::CONFLICT => Ok(false),
            _ => Err(answer.refused(call)),
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Answer, CallError> {
        let call = format!("{method} {path}");
        timeout(LIMIT, self.exchange(&call, method, path, body))
            .await
            .unwrap_or(Err(CallError::Late(call)))
    }

    async fn exchange(
        &self,
        call: &str,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Answer, CallError> {
        let broken =
            |err: Box<dyn std::error::Error + Send + Sync>| CallError::Broken(call.to_owned(), err);
        let request = http::Request::builder()
            .method(method)
            .uri(format!("https://kubernetes{path}"))
            .header(CONTENT_TYPE, "application/json")
            .body(body.map_or_else(Body::empty, Body::new))
            .map_err(|err| broken(Box::new(err)))?;
        let mut channel = self.0.clone();
        std::future::poll_fn(|it| channel.poll_ready(it))
            .await
            .map_err(|err| broken(Box::new(err)))?;
        let response = channel.call(request).await.map_err(|err| broken(Box::new(err)))?;
        let status = response.status();
        let date = response.headers().get(http::header::DATE);
        let date = date.and_then(|it| it.to_str().ok()).map(str::to_owned);
        let text = body::whole(response.into_body(), MOST).await;
        let text = text.ok_or_else(|| broken("the answer has no end".into()))?;
        Ok(Answer { status, date, text })
    }
}

/// Whether a controller manager or a scheduler serves, by its own word. Both make themselves a certificate when they start,
/// so nobody can know them by it: such an answer may hold up a run, and give nothing away.
///
/// # Errors
/// It does not answer.
#[cfg(feature = "provider")]
pub async fn is_healthy(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    address: IpAddr,
) -> Result<bool, CallError> {
    let api = Api::open(stream, address, &Credentials::none()?).await?;
    let answer = api.ask(Method::GET, "/healthz", None).await?;
    Ok(answer.status == StatusCode::OK)
}

impl Answer {
    fn refused(self, call: String) -> CallError {
        let text = String::from_utf8_lossy(&self.text);
        let told = text.chars().take(TOLD).collect();
        CallError::Status { call, status: self.status, told }
    }
}
