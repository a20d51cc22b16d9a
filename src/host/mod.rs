//! What the provider says to a host, and how that can fail.

mod binaries;
mod connect;
mod error;
mod hello;
mod name;
pub mod ssh;

pub use self::binaries::{Binaries, BinariesError, Binary};
pub use self::connect::{ConnectError, Stream};
pub use self::error::{Cause, HostError};
pub use self::name::{HostName, HostNameError};
