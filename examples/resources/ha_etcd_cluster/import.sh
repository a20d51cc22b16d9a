terraform import ha_etcd_cluster.this prod@root@192.0.2.11:22
