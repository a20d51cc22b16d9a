data "ha_etcd_status" "this" {
  cluster = ha_etcd_cluster.this.access
}

# Told by every plan, and never in its way.
check "etcd" {
  assert {
    condition     = data.ha_etcd_status.this.healthy
    error_message = "These members do not answer: ${join(", ", [for name, it in data.ha_etcd_status.this.members : name if !it.reachable])}."
  }
}
