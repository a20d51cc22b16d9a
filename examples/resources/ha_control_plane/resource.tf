locals {
  # A literal: the balancer behind it needs the control plane, so nothing of it can be asked here.
  endpoint = "api.example.test:6443"
}

resource "ha_control_plane" "this" {
  name     = "prod"
  version  = "1.34.4"
  endpoint = local.endpoint
  etcd     = ha_etcd_cluster.this.access

  nodes = {
    cp1 = { host = { address = "10.0.0.21" } }
    cp2 = { host = { address = "10.0.0.22" } }
    cp3 = { host = { address = "10.0.0.23" } }
  }
}
