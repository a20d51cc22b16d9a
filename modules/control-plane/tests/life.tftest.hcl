# From nothing to a cluster that runs on this machine, through a change, and back.

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
  deletion_protection = false
  on_destroy          = "purge"
}

run "one_member" {
  variables {
    hosts        = run.setup.hosts
    etcd_members = ["a"]
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

run "three_members" {
  variables {
    hosts = run.setup.hosts
  }

  assert {
    condition     = length(output.etcd_endpoints) == 3
    error_message = "Not every host has become a member."
  }
}

run "nothing_is_left_to_do" {
  command = plan

  variables {
    hosts = run.setup.hosts
  }

  # In a plan that changed the cluster they would not be known.
  assert {
    condition     = output.etcd.id != "" && startswith(output.etcd.ca_certificate, "-----BEGIN CERTIFICATE-----")
    error_message = "A plan without a change changes something."
  }
}
