//! Services that are not hosts.

#[cfg(feature = "provider")]
pub mod dns;
pub mod etcd;
#[cfg(feature = "provider")]
pub mod fetch;
#[cfg(feature = "provider")]
pub mod haproxy;
pub mod http;
