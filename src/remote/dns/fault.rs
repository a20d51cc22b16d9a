//! Why name servers did not do what they were asked to do.

use std::fmt;
use std::io;
use std::time::Duration;

use hickory_proto::ProtoError;

use super::Server;

/// Why one server did not.
///
/// # Caveats
/// None of these says that a record is absent: that takes an answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Its address is not known.
    #[error("its name cannot be resolved")]
    Unresolved(#[source] io::Error),
    /// Nothing was sent, or nobody was there.
    #[error("it cannot be reached")]
    Unreachable(#[source] io::Error),
    /// No answer came in time.
    #[error("it did not answer within {0:?}")]
    Silent(Duration),
    /// The connection broke before the answer.
    #[error("the connection broke before it answered")]
    Broken(#[source] io::Error),
    /// What came is no answer.
    #[error("what it answered cannot be read")]
    Malformed,
    /// What is to be sent is no message.
    #[error("the message cannot be made")]
    Unsendable(#[source] ProtoError),
    /// The answer has no signature, so that anybody may have sent it.
    #[error("its answer is not signed, and the question was")]
    Unsigned,
    /// The answer has a signature of another key, or of another answer.
    #[error("the signature of its answer is wrong")]
    BadSignature,
    /// The answer is from another time.
    #[error("its answer was signed {0} seconds from now by the clock of this machine")]
    Stale(u64),
    /// It says no.
    #[error("it answered {0}")]
    Answered(Code),
    /// It only passes on what others have told it.
    #[error("it does not answer for the zone itself")]
    NotAuthoritative,
}

/// A refusal in the code of the DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// FORMERR, 1.
    FormErr,
    /// SERVFAIL, 2.
    ServFail,
    /// NXDOMAIN, 3, where no name is missing.
    NxDomain,
    /// NOTIMP, 4.
    NotImp,
    /// REFUSED, 5.
    Refused,
    /// NOTAUTH, 9.
    NotAuth,
    /// NOTZONE, 10.
    NotZone,
    /// BADSIG, 16 of TSIG.
    BadSig,
    /// BADKEY, 17 of TSIG.
    BadKey,
    /// BADTIME, 18 of TSIG.
    BadTime {
        /// How far the clock of the server is ahead of ours, in seconds, if it says so.
        ahead: Option<i64>,
    },
    /// Another one.
    Other(u16),
}

impl Fault {
    /// Whether the server certainly did nothing, and would do nothing the next time.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Answered(code) => *code != Code::ServFail,
            Self::NotAuthoritative | Self::Unsendable(_) => true,
            _ => false,
        }
    }

    /// Whether it may have done what it was asked to do.
    pub fn may_have_run(&self) -> bool {
        !self.is_refusal() && !matches!(self, Self::Unresolved(_) | Self::Unreachable(_))
    }
}

/// Why all servers together did not.
#[derive(Debug, Default)]
pub struct Failed {
    /// What each of them failed of when it was asked last.
    pub faults: Vec<(Server, Fault)>,
}

impl Failed {
    pub(super) fn note(&mut self, server: &Server, fault: Fault) {
        self.faults.retain(|(it, _)| it != server);
        self.faults.push((server.clone(), fault));
    }

    /// Whether trying again may help, having looked again where it may have happened.
    pub fn is_transient(&self) -> bool {
        self.faults.iter().any(|(_, fault)| !fault.is_refusal())
    }

    /// Whether it may have happened.
    pub fn may_have_run(&self) -> bool {
        self.faults.iter().any(|(_, fault)| fault.may_have_run())
    }
}

impl std::error::Error for Failed {}

/// Each server with its whole chain of sources.
impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.faults.is_empty() {
            return f.write_str("no server was asked in time");
        }
        for (at, (server, fault)) in self.faults.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{server}: {fault}")?;
            let mut source = std::error::Error::source(fault);
            while let Some(cause) = source {
                write!(f, ": {cause}")?;
                source = cause.source();
            }
        }
        Ok(())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FormErr => "FORMERR: it does not understand the message",
            Self::ServFail => "SERVFAIL: it has a fault of its own",
            Self::NxDomain => "NXDOMAIN: a name does not exist",
            Self::NotImp => "NOTIMP: it takes no such messages",
            Self::Refused => "REFUSED: its rules do not allow this",
            Self::NotAuth => "NOTAUTH: it does not answer for the zone, or the key may not do this",
            Self::NotZone => "NOTZONE: a name is not in the zone",
            Self::BadSig => "BADSIG: by its copy of the key the signature is wrong",
            Self::BadKey => "BADKEY: it does not know the key, or not for this algorithm",
            Self::BadTime { ahead: Some(ahead) } => {
                return write!(f, "BADTIME: its clock is {ahead} seconds ahead of this machine's");
            }
            Self::BadTime { ahead: None } => "BADTIME: its clock is not that of this machine",
            Self::Other(code) => return write!(f, "code {code}"),
        })
    }
}
