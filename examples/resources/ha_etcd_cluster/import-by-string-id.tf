import {
  to = ha_etcd_cluster.this
  id = "prod@192.0.2.11"
}
