//! Services that are not hosts.

#[cfg(feature = "provider")]
pub mod checksums;
#[cfg(feature = "provider")]
pub mod dns;
pub mod http;
