//! What the provider says to a host, and how that can fail.

mod error;
mod name;

pub use self::error::{Cause, HostError};
pub use self::name::{HostName, HostNameError};
