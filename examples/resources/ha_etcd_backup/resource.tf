resource "ha_etcd_backup" "nightly" {
  name      = "nightly"
  cluster   = ha_etcd_cluster.this.access
  schedule  = "0 2 * * *"
  time_zone = "Europe/Berlin"
  store     = "nightly"
  retention = { last = 7, daily = 14, weekly = 8 }
}

# Beside it, on the hosts themselves: nearer, and gone with them.
resource "ha_etcd_backup" "hourly" {
  name      = "hourly"
  cluster   = ha_etcd_cluster.this.access
  schedule  = "0 * * * *"
  directory = "/srv/etcd-backups"
  retention = { last = 24 }
}
