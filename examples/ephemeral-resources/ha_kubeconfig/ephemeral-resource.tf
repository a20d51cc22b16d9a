# Lives for this run alone, and is never stored.
ephemeral "ha_kubeconfig" "admin" {
  control_plane = ha_control_plane.this.access
  ttl           = "30m"
}

provider "kubernetes" {
  host                   = ephemeral.ha_kubeconfig.admin.host
  cluster_ca_certificate = ephemeral.ha_kubeconfig.admin.cluster_ca_certificate
  client_certificate     = ephemeral.ha_kubeconfig.admin.client_certificate
  client_key             = ephemeral.ha_kubeconfig.admin.client_key
}
