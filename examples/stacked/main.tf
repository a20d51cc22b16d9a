# A control plane on three hosts and no more: each has a member of etcd, an API server and a balancer, and one of them the
# virtual IP under which clients come. Any one of the three may die.
#
#     terraform init
#     terraform apply -var 'hosts={ a = "10.0.0.11", b = "10.0.0.12", c = "10.0.0.13" }' -var virtual_ip=10.0.0.100/24

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
}

module "control_plane" {
  source = "../../modules/control-plane"

  name               = "stacked"
  etcd_version       = "3.6.16"
  kubernetes_version = "1.34.4"
  # The balancers listen here, the API servers at the address of their host: so both have the port that everybody knows.
  endpoint = "${split("/", var.virtual_ip)[0]}:6443"

  # etcd and API servers are on all hosts unless something else is said.
  hosts               = { for name, address in var.hosts : name => { address = address } }
  load_balancer_nodes = keys(var.hosts)
  virtual_ip          = { address = var.virtual_ip, router_id = var.router_id }

  deletion_protection = var.deletion_protection
}

# For kubectl on this machine. It lives for a day; an apply makes it anew before.
resource "ha_kubeconfig_file" "admin" {
  control_plane = module.control_plane.control_plane
  path          = coalesce(var.kubeconfig, abspath("${path.root}/kubeconfig"))
}

output "kubeconfig" {
  description = "What kubectl reads: `kubectl --kubeconfig $(terraform output -raw kubeconfig) get namespaces`."
  value       = ha_kubeconfig_file.admin.path
}
