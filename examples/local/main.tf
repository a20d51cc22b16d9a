# A control plane on this machine alone, to try it out: each host is a directory and a loopback address. It needs Linux and
# HAProxy, neither root nor systemd.
#
#     terraform init
#     terraform apply
#     terraform destroy

terraform {
  required_version = ">= 1.11"

  required_providers {
    ha = {
      source = "terraform-ha/ha"
    }
  }
}

provider "ha" {
  artifacts = { directory = var.artifacts_directory }

  # The secret of the key is in HA_TSIG_SECRET.
  dns = var.dns_zone == null ? null : { rfc2136 = { servers = [var.dns_server], key_name = var.dns_key_name } }
}

locals {
  directory = coalesce(var.directory, abspath("${path.root}/hosts"))

  # The balancer has an address of its own, as it would have a virtual IP on hosts with systemd.
  balancer  = "front"
  addresses = merge(var.hosts, { (local.balancer) = var.load_balancer_address })
}

module "control_plane" {
  source = "../../modules/control-plane"

  name               = "local"
  etcd_version       = var.etcd_version
  kubernetes_version = var.kubernetes_version
  endpoint           = "${var.dns_zone == null ? var.load_balancer_address : "api.${var.dns_zone}"}:6443"

  hosts = {
    for name, address in local.addresses : name => {
      address   = address
      transport = "local"
      root      = "${local.directory}/${name}"
    }
  }

  etcd_members        = keys(var.hosts)
  control_plane_nodes = keys(var.hosts)
  load_balancer_nodes = [local.balancer]
  dns_zone            = var.dns_zone

  etcd_quota_backend_bytes = var.etcd_quota_backend_bytes

  # In the directory of each host.
  backup = {
    schedule  = "0 2 * * *"
    directory = "/srv/etcd-backups"
    retention = { last = 3, daily = 7 }
    triggers  = { now = var.take_snapshot }
  }
  restore = var.restore

  # Nothing to be sorry for: a destroy leaves no data behind, but for what a restore has put aside.
  deletion_protection = false
  on_destroy          = "purge"
}

# For kubectl on this machine. It lives for a day; an apply makes it anew before.
resource "ha_kubeconfig_file" "admin" {
  control_plane = module.control_plane.control_plane
  path          = "${local.directory}/kubeconfig"
}
