//! Why a call came to nothing, and how that is said to the client.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use tonic::Status;

/// A call that came to nothing, or stopped on its way.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The call makes no sense: it would be refused on every host.
    #[error("{0}")]
    Invalid(String),
    /// The host is not in the state that the call needs. Nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// It was tried, and the system said no.
    #[error("cannot {doing}")]
    Failed { doing: String, source: io::Error },
    /// The host is going down, so the system said no. It may have happened.
    #[error("the host is going down: {0}")]
    GoingDown(String),
    /// It was not begun.
    #[error("the agent is ending")]
    Ending,
}

impl Fault {
    /// For `map_err`: what was being done.
    pub(super) fn failed<E: Into<io::Error>>(doing: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |source| Self::Failed { doing: doing.into(), source: source.into() }
    }
}

/// An error with all that led to it.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        let text = chain(&fault);
        match fault {
            Fault::Invalid(_) => Self::invalid_argument(text),
            Fault::Refused(_) => Self::failed_precondition(text),
            Fault::Failed { .. } => Self::internal(text),
            // The client takes it for a connection that was lost midway.
            Fault::GoingDown(_) => Self::unavailable(text),
            Fault::Ending => Self::aborted(text),
        }
    }
}
