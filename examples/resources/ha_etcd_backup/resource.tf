resource "ha_etcd_backup" "nightly" {
  name      = "nightly"
  cluster   = ha_etcd_cluster.this.access
  schedule  = "0 2 * * *"
  time_zone = "Europe/Berlin"
  directory = "/srv/etcd-backups"
  retention = { last = 7, daily = 14, weekly = 8 }
}
