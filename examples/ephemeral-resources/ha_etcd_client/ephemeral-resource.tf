# Lives for this run alone, and is never stored.
ephemeral "ha_etcd_client" "root" {
  cluster = ha_etcd_cluster.this.access
  ttl     = "30m"
}

# For a provider that speaks to etcd.
provider "etcd" {
  endpoints = ephemeral.ha_etcd_client.root.endpoints
  ca        = ephemeral.ha_etcd_client.root.ca_certificate
  cert      = ephemeral.ha_etcd_client.root.client_certificate
  key       = ephemeral.ha_etcd_client.root.client_key
}
