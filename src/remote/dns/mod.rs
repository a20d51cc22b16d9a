//! Name servers: questions and updates (RFC 2136), signed with a key that both sides know (TSIG, RFC 8945).
//!
//! [`Client`] asks several servers in turn; [`ask`] asks one. What a message means is up to the caller.

mod client;
mod exchange;
mod fault;
mod key;
mod message;
#[cfg(test)]
pub(crate) mod server;
#[cfg(test)]
mod tests;
mod tsig;

use std::fmt;
use std::time::Duration;

pub use hickory_proto::rr::{Name, RData, RecordType, rdata};

pub use self::client::{Client, Looked, Updated, ask};
pub use self::fault::{Code, Failed, Fault};
pub use self::key::{Algorithm, Key};
pub use self::message::{Answer, Change, Prerequisite, Question, Update};

/// How name servers are spoken to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// At least one; the first is asked first.
    pub servers: Vec<Server>,
    /// What signs messages.
    pub key: Option<Key>,
    /// How messages travel.
    pub transport: Transport,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How often a question is asked again when no server has answered it.
    pub retries: u32,
}

/// A name server: a name or an IP address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Server {
    /// A name or an IP address, without brackets.
    pub address: String,
    /// 53 nearly always.
    pub port: u16,
}

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// By UDP, and by TCP what does not fit.
    Udp,
    /// By TCP.
    Tcp,
}

/// `10.0.0.53:53`, `[2001:db8::53]:53`
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.address.contains(':') {
            return write!(f, "[{}]:{}", self.address, self.port);
        }
        write!(f, "{}:{}", self.address, self.port)
    }
}

impl Server {
    /// Where name servers listen (RFC 1035, section 4.2).
    pub const PORT: u16 = 53;
}

/// Nobody to ask; the rest as the provider has it when nothing is written.
impl Default for Settings {
    fn default() -> Self {
        let timeout = Duration::from_secs(3);
        Self { servers: Vec::new(), key: None, transport: Transport::Udp, timeout, retries: 3 }
    }
}
