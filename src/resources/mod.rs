//! The Terraform types that the provider serves, one file each, the provider block, and what types have in common.

mod certificates;
mod checks;
mod client_certificate;
mod control_plane;
mod control_plane_access;
mod control_plane_status;
mod dns;
mod dns_lookup;
mod dns_record;
mod etcd_access;
mod etcd_backup;
mod etcd_client;
mod etcd_cluster;
mod etcd_snapshots;
mod etcd_status;
mod explain;
mod filled;
mod fleet;
pub mod host;
mod hosted;
pub mod hosts;
pub mod import;
mod kubeconfig;
mod kubeconfig_ephemeral;
mod kubeconfig_file;
mod load_balancer;
mod load_balancer_status;
mod moment;
mod pins;
#[cfg(test)]
mod planned;
mod programs;
pub mod provider;
mod recorded;
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test has a clock of its own")]
mod trial;

pub use self::explain::{explain, run};
pub use self::provider::Ha;
use crate::tfplugin::api::Registry;

/// The provider with everything it serves.
pub fn registry() -> Registry<Ha> {
    Registry::new(Ha)
        .resource(control_plane::ControlPlane)
        .resource(dns_record::DnsRecord)
        .resource(etcd_backup::EtcdBackup)
        .resource(etcd_cluster::EtcdCluster)
        .resource(kubeconfig_file::KubeconfigFile)
        .resource(load_balancer::LoadBalancer)
        .data_source(control_plane_status::ControlPlaneStatus)
        .data_source(dns_lookup::DnsLookup)
        .data_source(etcd_snapshots::EtcdSnapshots)
        .data_source(etcd_status::EtcdStatus)
        .data_source(load_balancer_status::LoadBalancerStatus)
        .ephemeral(etcd_client::EtcdClient)
        .ephemeral(kubeconfig_ephemeral::Kubeconfig)
}
