import {
  to = ha_etcd_backup.nightly
  identity = {
    name    = "prod/nightly"
    address = "192.0.2.11"
  }
}
