# All five parts on five hosts of this machine: three with etcd and API servers, two with a balancer.

terraform {
  required_providers {
    ha = {
      source = "terraform-ha/ha"
    }
  }
}

variable "artifacts_directory" {
  type = string
}

variable "directory" {
  type = string
}

variable "members" {
  type = map(string)
}

variable "balancers" {
  type = map(string)
}

variable "dns_server" {
  type = string
}

provider "ha" {
  artifacts = { directory = var.artifacts_directory }
  dns       = { rfc2136 = { servers = [var.dns_server], key_name = "ha" } }
}

module "control_plane" {
  source = "../../modules/control-plane"

  name               = "prod"
  etcd_version       = "3.6.16"
  kubernetes_version = "1.34.4"
  endpoint           = "api.example.test:6443"

  hosts = {
    for name, address in merge(var.members, var.balancers) : name => {
      address   = address
      transport = "local"
      root      = "${var.directory}/${name}"
    }
  }

  etcd_members        = keys(var.members)
  control_plane_nodes = keys(var.members)
  load_balancer_nodes = keys(var.balancers)
  dns_zone            = "example.test"

  backup = { schedule = "0 2 * * *", directory = "/srv/etcd-backups", retention = { last = 3 } }
}
