# What a plan tells before anything is contacted: the hosts are not there.

variables {
  name               = "test"
  etcd_version       = "3.6.16"
  kubernetes_version = "1.34.4"
  endpoint           = "api.example.test:6443"
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

run "api_servers_are_known" {
  command = plan

  variables {
    control_plane_nodes = ["b", "c"]
    api_server_port     = 7443
  }

  assert {
    condition     = output.api_servers == tomap({ b = "127.20.0.22:7443", c = "127.20.0.23:7443" })
    error_message = "The API servers are not those of the nodes."
  }
}

run "an_address_of_its_own_is_used" {
  command = plan

  variables {
    etcd_members        = ["a"]
    control_plane_nodes = ["a"]
    addresses           = { a = "127.20.0.31" }
  }

  assert {
    condition     = output.api_servers == tomap({ a = "127.20.0.31:6443" })
    error_message = "The API server is not at the address of its own."
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
    condition     = ha_etcd_cluster.this.deletion_protection && ha_control_plane.this.deletion_protection
    error_message = "The data is not protected."
  }

  assert {
    condition     = ha_control_plane.this.service_cidrs == tolist(["10.96.0.0/12"]) && ha_control_plane.this.port == 6443
    error_message = "A value of the control plane that was left out is another than the default."
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

run "a_version_of_kubernetes_is_whole" {
  command = plan

  variables {
    kubernetes_version = "1.34"
  }

  expect_failures = [var.kubernetes_version]
}

run "an_endpoint_has_a_port" {
  command = plan

  variables {
    endpoint = "api.example.test"
  }

  expect_failures = [var.endpoint]
}

run "nodes_are_hosts" {
  command = plan

  variables {
    control_plane_nodes = ["a", "x"]
  }

  expect_failures = [var.control_plane_nodes]
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
