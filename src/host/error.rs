//! The kinds of failure on a host. They exist because callers must act differently.

use std::error::Error;

use super::{ConnectError, HostName};

/// What a connection failed of, whatever carries it.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why a host did not do what it was asked to do.
///
/// # Caveats
/// None of these says that something is absent: that takes an answer.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// It never started: trying again is safe.
    #[error("{host}: cannot be reached")]
    Unreachable {
        /// The host.
        host: HostName,
        /// What the connection failed of.
        source: Cause,
    },
    /// It ran and refused: trying again gives the same answer.
    #[error("{host}: cannot {call}: {reason}")]
    Failed {
        /// The host.
        host: HostName,
        /// What was asked for, without secrets, in the imperative: "put /etc/etcd.conf".
        call: String,
        /// What the host said.
        reason: String,
    },
    /// The connection broke midway: it may have happened. Observe before anything else.
    #[error("{host}: lost the connection, having asked it to {call}")]
    Interrupted {
        /// The host.
        host: HostName,
        /// What was asked for.
        call: String,
        /// What the connection broke of.
        source: Cause,
    },
}

impl HostError {
    /// The host that it happened on.
    pub fn host(&self) -> &HostName {
        match self {
            Self::Unreachable { host, .. }
            | Self::Failed { host, .. }
            | Self::Interrupted { host, .. } => host,
        }
    }

    /// Whether trying again may help, having looked again where it may have happened.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => {
                source.downcast_ref().is_none_or(ConnectError::is_transient)
            }
            Self::Failed { .. } => false,
            Self::Interrupted { .. } => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn check(error: &HostError, text: &str, source: Option<&str>) {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.source().map(ToString::to_string).as_deref(), source);
        assert_eq!(error.host().as_str(), "b");
    }

    #[test]
    fn a_text_names_the_host_and_leaves_the_cause_to_its_source() {
        let host: HostName = "b".parse().unwrap();
        let cause = || io::Error::other("connection reset").into();
        let call = "start etcd.service".to_owned();
        check(
            &HostError::Unreachable { host: host.clone(), source: cause() },
            "b: cannot be reached",
            Some("connection reset"),
        );
        check(
            &HostError::Failed {
                host: host.clone(),
                call: call.clone(),
                reason: "no such unit".to_owned(),
            },
            "b: cannot start etcd.service: no such unit",
            None,
        );
        check(
            &HostError::Interrupted { host, call, source: cause() },
            "b: lost the connection, having asked it to start etcd.service",
            Some("connection reset"),
        );
    }

    #[test]
    fn a_host_that_will_not_have_us_is_not_asked_again() {
        let check = |source: Cause, expected| {
            let error = HostError::Unreachable { host: "b".parse().unwrap(), source };
            assert_eq!(error.is_transient(), expected, "{error:?}");
        };
        check(Box::new(ConnectError::Refused("its key has changed".into())), false);
        check(Box::new(ConnectError::Silent("no answer".into())), true);
        check(io::Error::other("reset").into(), true);
    }
}
