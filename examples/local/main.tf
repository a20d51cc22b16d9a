# A control plane on this machine alone, to try it out: each host is a directory and a loopback address. It needs Linux,
# neither root nor systemd.
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
}

locals {
  directory = coalesce(var.directory, abspath("${path.root}/hosts"))
}

module "control_plane" {
  source = "../../modules/control-plane"

  name               = "local"
  etcd_version       = var.etcd_version
  kubernetes_version = var.kubernetes_version
  endpoint           = "${values(var.hosts)[0]}:6443"

  hosts = {
    for name, address in var.hosts : name => {
      address   = address
      transport = "local"
      root      = "${local.directory}/${name}"
    }
  }

  etcd_quota_backend_bytes = var.etcd_quota_backend_bytes

  # Nothing to be sorry for: a destroy leaves no data behind.
  deletion_protection = false
  on_destroy          = "purge"
}

# For kubectl on this machine. It lives for a day; an apply makes it anew before.
resource "ha_kubeconfig_file" "admin" {
  control_plane = module.control_plane.control_plane
  path          = "${local.directory}/kubeconfig"
}
