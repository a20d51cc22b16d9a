//! Services that are not hosts.

#[cfg(feature = "provider")]
pub mod checksums;
pub mod http;
