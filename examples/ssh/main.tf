# A control plane on plain hosts that answer by SSH: etcd and API servers on three or five of them, and in front of these two
# balancers that share a virtual IP. Hosts need Linux with systemd; HAProxy and keepalived are installed by their package manager.
#
#     terraform init
#     terraform apply -var-file=hosts.tfvars
#
# where hosts.tfvars has at least
#
#     hosts      = { a = "10.0.0.11", b = "10.0.0.12", c = "10.0.0.13", lb1 = "10.0.0.21", lb2 = "10.0.0.22" }
#     virtual_ip = "10.0.0.100/24"
#
# One more key in `members` grows the control plane, one less shrinks it; a key that moves to another address replaces a host.

terraform {
  required_version = ">= 1.11"

  required_providers {
    ha = {
      source = "terraform-ha/ha"
    }
  }
}

provider "ha" {
  ssh = {
    user             = var.ssh_user
    private_key_file = var.ssh_private_key_file
    known_hosts_file = var.ssh_known_hosts_file
  }

  artifacts = { directory = var.artifacts_directory }

  # The secret of the key is in HA_TSIG_SECRET.
  dns = var.dns_zone == null ? null : { rfc2136 = { servers = [var.dns_server], key_name = var.dns_key_name } }
}

locals {
  virtual_address = split("/", var.virtual_ip)[0]
}

module "control_plane" {
  source = "../../modules/control-plane"

  name               = var.name
  etcd_version       = var.etcd_version
  kubernetes_version = var.kubernetes_version
  endpoint           = "${var.dns_zone == null ? local.virtual_address : "api.${var.dns_zone}"}:6443"

  hosts               = { for name, address in var.hosts : name => { address = address, host_key = lookup(var.host_keys, name, null) } }
  etcd_members        = var.members
  control_plane_nodes = var.members

  load_balancer_nodes = var.load_balancers
  virtual_ip          = { address = var.virtual_ip, router_id = var.router_id }
  dns_zone            = var.dns_zone
  # Clients that are told the address instead of the name hold certificates against it as well.
  extra_sans = [local.virtual_address]

  backup = {
    schedule  = "0 2 * * *"
    directory = "/srv/etcd-backups"
    retention = { last = 7, daily = 14 }
    triggers  = { now = var.take_snapshot }
  }
  restore = var.restore

  lost_hosts          = var.lost_hosts
  deletion_protection = var.deletion_protection
}

# For kubectl on this machine. It lives for a day; an apply makes it anew before.
resource "ha_kubeconfig_file" "admin" {
  control_plane = module.control_plane.control_plane
  path          = coalesce(var.kubeconfig, abspath("${path.root}/kubeconfig"))
}
