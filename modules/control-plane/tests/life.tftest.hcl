# From nothing to a control plane that runs on this machine, through a change, and back.

run "setup" {
  module {
    source = "./tests/setup"
  }
}

provider "ha" {
  artifacts = { directory = run.setup.artifacts_directory }
}

variables {
  name                = "test"
  etcd_version        = "3.6.16"
  kubernetes_version  = "1.34.4"
  endpoint            = "api.example.test:6443"
  deletion_protection = false
  on_destroy          = "purge"
}

run "one_host" {
  variables {
    hosts               = run.setup.hosts
    etcd_members        = ["a"]
    control_plane_nodes = ["a"]
  }

  assert {
    condition     = output.etcd_endpoints == tolist(["https://${var.hosts["a"].address}:2379"])
    error_message = "There is another endpoint than that of the first host."
  }

  assert {
    condition     = startswith(output.etcd_ca_certificate, "-----BEGIN CERTIFICATE-----")
    error_message = "There is no certificate of an authority."
  }
}

run "three_members_with_backups_and_two_nodes_behind_a_balancer" {
  variables {
    hosts               = run.setup.hosts
    etcd_members        = ["a", "b", "c"]
    control_plane_nodes = ["a", "b"]
    load_balancer_nodes = ["front"]
    backup              = { schedule = "0 0 1 1 *", directory = "/srv/etcd", retention = { last = 3 } }
  }

  assert {
    condition     = ha_etcd_backup.this[0].id != ""
    error_message = "There are no backups."
  }

  assert {
    condition     = length(output.etcd_endpoints) == 3
    error_message = "Not every host has become a member."
  }

  assert {
    condition     = keys(output.api_servers) == tolist(["a", "b"])
    error_message = "There are other API servers than those of the nodes."
  }

  assert {
    condition     = output.addresses == tolist([var.hosts["front"].address])
    error_message = "The balancer is not where its node is."
  }
}

run "nothing_is_left_to_do" {
  command = plan

  variables {
    hosts               = run.setup.hosts
    etcd_members        = ["a", "b", "c"]
    control_plane_nodes = ["a", "b"]
    load_balancer_nodes = ["front"]
    backup              = { schedule = "0 0 1 1 *", directory = "/srv/etcd", retention = { last = 3 } }
  }

  # In a plan that changed the cluster they would not be known.
  assert {
    condition     = output.etcd.id != "" && startswith(output.etcd.ca_certificate, "-----BEGIN CERTIFICATE-----")
    error_message = "A plan without a change changes something."
  }

  assert {
    condition     = output.control_plane.id != "" && startswith(output.ca_certificate, "-----BEGIN CERTIFICATE-----")
    error_message = "A plan without a change changes the control plane."
  }

  assert {
    condition     = output.load_balancer.id != ""
    error_message = "A plan without a change changes the balancer."
  }
}

# Neither the first member nor the first node is special.
run "one_of_each_is_left" {
  variables {
    hosts               = run.setup.hosts
    etcd_members        = ["c"]
    control_plane_nodes = ["b"]
  }

  assert {
    condition     = output.etcd_endpoints == tolist(["https://${var.hosts["c"].address}:2379"])
    error_message = "Other members than the last one are left."
  }

  assert {
    condition     = output.api_servers == tomap({ b = "${var.hosts["b"].address}:6443" }) && output.load_balancer == null
    error_message = "Other nodes than the last one are left, or a balancer."
  }
}
