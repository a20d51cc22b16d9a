//! A Kubernetes control plane against an etcd of its own: what is wished, and what its nodes run and read. Pure.
//!
//! [`Desired`] holds no wish that could not be followed; what is refused without a host is in [`Refusal`]. [`flags`],
//! [`files`], [`service`] and [`Authority`] say what is on a node. Values follow upstream (kubeadm) and the CIS benchmark.

mod arguments;
mod certificates;
mod cidr;
mod desired;
mod files;
mod flags;
mod layout;
#[cfg(test)]
mod notation;
mod ranges;
mod refusal;
mod text;
mod unit;
mod version;

pub use self::arguments::{ArgumentFault, Arguments, Component, Environment};
pub use self::certificates::{Authority, CertificateWish, KUBELET_CLIENT};
pub use self::cidr::{Cidr, CidrFault};
pub use self::desired::{Admission, Audit, Desired, Encryption, Etcd, Extras, TlsVersion, Wish};
pub use self::files::{ConfigFile, EncryptionKey, files};
pub use self::flags::flags;
pub use self::layout::{API_SERVER_LEAVES, Layout};
pub use self::refusal::{Refusal, Subject};
pub use self::text::{
    AuditPolicy, Domain, Endpoint, EtcdEndpoint, Issuer, Prefix, Suite, UrlPath, Word, WordFault,
};
pub use self::unit::service;
pub use self::version::{Version, VersionFault};
