# Snapshots of the data store.

resource "ha_etcd_backup" "this" {
  count = var.backup == null ? 0 : 1

  name      = var.backup.name
  cluster   = ha_etcd_cluster.this.access
  schedule  = var.backup.schedule
  time_zone = var.backup.time_zone
  store     = var.backup.store
  directory = var.backup.directory
  retention = var.backup.retention
  triggers  = var.backup.triggers

  on_destroy = var.on_destroy
}
