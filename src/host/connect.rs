//! What every way to a host has in common.

use tokio::io::{AsyncRead, AsyncWrite};

use super::Cause;

/// Anything that carries the agent's bytes.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// Why there is no connection. In neither case has anything been asked of the host's agent.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answers, or not in time: it may be starting. Trying again may help.
    #[error("{what}")]
    Silent {
        /// What was tried.
        what: String,
        /// What came of it.
        source: Option<Cause>,
    },
    /// It answers, and will not have us or cannot be used. Trying again gives the same.
    #[error("{0}")]
    Refused(String),
}

impl ConnectError {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Silent { .. })
    }
}
