import {
  to = ha_etcd_cluster.this
  identity = {
    name    = "prod"
    address = "192.0.2.11"
  }
}
