//! What all ways to an agent have in common.

use tokio::io::{AsyncRead, AsyncWrite};

use super::Cause;

/// Anything that carries the bytes of an agent.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// Why there is no connection. Nothing was asked of the agent yet, so nothing happened on the host.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answers: the network, a time limit, a host that stalls or boots. Worth trying again.
    #[error(transparent)]
    Silent(Cause),
    /// Somebody answers, and this does not work: host key, login, sudo, disk. Trying again gives the same.
    #[error(transparent)]
    Refused(Cause),
}

impl ConnectError {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Silent(_))
    }
}
