//! What the provider says to a host, and how that can fail.
//!
//! [`Hosts`] keeps one connection to each [`Target`] for the whole process; [`Host`] is such a connection, with the calls
//! that change nothing; [`Locked`] has those that do. [`Lease`] keeps a host locked over the loss of a connection.

mod artifacts;
mod binaries;
mod channel;
mod client;
mod connect;
mod error;
pub mod fake;
mod forward;
mod hello;
mod kubernetes;
mod lease;
mod local;
mod locked;
mod name;
mod pki;
mod pool;
mod restore;
mod snapshot;
pub mod ssh;

pub use self::artifacts::Origin;
pub use self::binaries::{Binaries, BinariesError, Binary};
pub use self::client::{Facts, Host};
pub use self::connect::{ConnectError, Stream};
pub use self::error::{Cause, HostError};
pub use self::lease::Lease;
pub use self::locked::{File, Locked};
pub use self::name::{HostName, HostNameError};
pub use self::pool::{Hosts, Patience, Target, Way};
pub use self::restore::{Feed, read_here, sum_here};
/// The messages of `proto/agent.proto`.
pub use crate::proto::agent as messages;
