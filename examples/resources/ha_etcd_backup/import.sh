terraform import ha_etcd_backup.nightly prod/nightly@root@192.0.2.11:22
