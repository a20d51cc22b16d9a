//! Services that are not hosts.

mod body;
#[cfg(feature = "provider")]
pub mod dns;
pub mod etcd;
#[cfg(feature = "provider")]
pub mod fetch;
#[cfg(feature = "provider")]
pub mod haproxy;
pub mod http;
pub mod kubernetes;
