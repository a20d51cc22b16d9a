//! Services that are not hosts.

#[cfg(feature = "provider")]
pub mod checksums;
#[cfg(feature = "provider")]
pub mod dns;
#[cfg(feature = "provider")]
pub mod etcd;
pub mod http;
