//! Services that are not hosts.

#[cfg(feature = "provider")]
pub mod dns;
