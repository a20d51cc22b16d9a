# What a plan tells before anything is contacted: the hosts are not there.

variables {
  name         = "test"
  etcd_version = "3.6.16"
  hosts = {
    a = { address = "127.20.0.21", transport = "local", root = "/nonexistent/a" }
    b = { address = "127.20.0.22", transport = "local", root = "/nonexistent/b" }
    c = { address = "127.20.0.23", transport = "local", root = "/nonexistent/c" }
  }
}

run "endpoints_are_known" {
  command = plan

  assert {
    condition     = output.etcd_endpoints == tolist([for it in [1, 2, 3] : "https://127.20.0.2${it}:2379"])
    error_message = "The endpoints are not those of the members, in the order of their names."
  }
}

run "an_address_of_its_own_is_used" {
  command = plan

  variables {
    etcd_members = ["a"]
    addresses    = { a = "127.20.0.31" }
  }

  assert {
    condition     = output.etcd_endpoints == tolist(["https://127.20.0.31:2379"])
    error_message = "The address of the host itself is used."
  }
}

run "what_is_left_out_is_as_the_provider_has_it" {
  command = plan

  variables {
    etcd_members = ["a"]
  }

  assert {
    condition     = ha_etcd_cluster.this.heartbeat_interval == "100ms" && ha_etcd_cluster.this.quota_backend_bytes == 2147483648
    error_message = "A value that was left out is another than the default."
  }

  assert {
    condition     = ha_etcd_cluster.this.deletion_protection
    error_message = "The data is not protected."
  }
}

run "a_name_is_short_and_plain" {
  command = plan

  variables {
    name = "Prod"
  }

  expect_failures = [var.name]
}

run "a_version_is_whole" {
  command = plan

  variables {
    etcd_version = "v3.6"
  }

  expect_failures = [var.etcd_version]
}

run "members_are_hosts" {
  command = plan

  variables {
    etcd_members = ["a", "x"]
  }

  expect_failures = [var.etcd_members]
}

run "addresses_are_of_hosts" {
  command = plan

  variables {
    addresses = { x = "127.20.0.31" }
  }

  expect_failures = [var.addresses]
}
