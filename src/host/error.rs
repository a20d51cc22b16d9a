//! The kinds of failure on a host. They exist because callers must act differently.

use std::error::Error;

use super::HostName;

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
    #[error("{host}: `{command}` exited with status {status}{}", said(stderr))]
    Failed {
        /// The host.
        host: HostName,
        /// What ran, without secrets.
        command: String,
        /// Its exit status.
        status: i32,
        /// What it said.
        stderr: String,
    },
    /// The connection broke midway: it may have happened. Observe before anything else.
    #[error("{host}: lost the connection while `{command}` ran")]
    Interrupted {
        /// The host.
        host: HostName,
        /// What ran, without secrets.
        command: String,
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
}

/// What a program wrote to stderr, as the end of a sentence.
fn said(stderr: &str) -> String {
    match stderr.trim() {
        "" => String::new(),
        text => format!(": {text}"),
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
        let command = "systemctl start etcd".to_owned();
        let failed = |stderr: &str| HostError::Failed {
            host: host.clone(),
            command: command.clone(),
            status: 1,
            stderr: stderr.to_owned(),
        };
        check(
            &HostError::Unreachable { host: host.clone(), source: cause() },
            "b: cannot be reached",
            Some("connection reset"),
        );
        check(
            &failed("no such unit\n"),
            "b: `systemctl start etcd` exited with status 1: no such unit",
            None,
        );
        check(&failed(""), "b: `systemctl start etcd` exited with status 1", None);
        check(
            &HostError::Interrupted {
                host: host.clone(),
                command: command.clone(),
                source: cause(),
            },
            "b: lost the connection while `systemctl start etcd` ran",
            Some("connection reset"),
        );
    }
}
