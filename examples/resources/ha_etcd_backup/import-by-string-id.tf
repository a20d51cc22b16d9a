import {
  to = ha_etcd_backup.nightly
  id = "prod/nightly@192.0.2.11"
}
