# The data store.

locals {
  etcd_members = var.etcd_members == null ? keys(var.hosts) : tolist(var.etcd_members)
}

resource "ha_etcd_cluster" "this" {
  name    = var.name
  version = var.etcd_version

  members = {
    for name in local.etcd_members : name => {
      host    = var.hosts[name]
      address = lookup(var.addresses, name, null)
    }
  }

  data_dir            = var.etcd_data_dir
  wal_dir             = var.etcd_wal_dir
  quota_backend_bytes = var.etcd_quota_backend_bytes
  heartbeat_interval  = var.etcd_heartbeat_interval
  election_timeout    = var.etcd_election_timeout

  restore             = var.restore
  lost_hosts          = var.lost_hosts
  deletion_protection = var.deletion_protection
  on_destroy          = var.on_destroy
}
