# API servers, controller managers and schedulers.

locals {
  control_plane_nodes = var.control_plane_nodes == null ? keys(var.hosts) : tolist(var.control_plane_nodes)
}

resource "ha_control_plane" "this" {
  name     = var.name
  version  = var.kubernetes_version
  endpoint = var.endpoint
  etcd     = ha_etcd_cluster.this.access

  nodes = {
    for name in local.control_plane_nodes : name => {
      host    = var.hosts[name]
      address = lookup(var.addresses, name, null)
    }
  }

  port          = var.api_server_port
  service_cidrs = var.service_cidrs
  pod_cidrs     = var.pod_cidrs

  api_server         = var.api_server
  controller_manager = var.controller_manager
  scheduler          = var.scheduler
  certificates       = { extra_sans = var.extra_sans }

  recovery_recipients = var.recovery_recipients
  recover_from        = var.recover_from

  lost_hosts          = var.lost_hosts
  deletion_protection = var.deletion_protection
  on_destroy          = var.on_destroy
}
