data "ha_etcd_snapshots" "nightly" {
  cluster = ha_etcd_cluster.this.access
  store   = "nightly"
  name    = "nightly"
}

# Told by every plan, and never in its way.
check "backup" {
  assert {
    condition     = data.ha_etcd_snapshots.nightly.newest_verified != null
    error_message = "There is no verified snapshot."
  }
}
