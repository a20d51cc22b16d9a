# What a plan tells before anything is contacted: neither the hosts nor a name server are there.

provider "ha" {
  dns = { rfc2136 = { servers = ["127.0.0.1:1"], timeout = "100ms", retries = 0 } }
}

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

run "a_balancer_leads_to_the_api_servers" {
  command = plan

  variables {
    etcd_members        = ["a"]
    control_plane_nodes = ["a", "b"]
    load_balancer_nodes = ["c"]
  }

  assert {
    condition     = ha_load_balancer.this[0].backends == tomap({ a = "127.20.0.21:6443", b = "127.20.0.22:6443" })
    error_message = "There are other backends than the API servers."
  }

  assert {
    condition     = ha_load_balancer.this[0].port == 6443 && output.addresses == tolist(["127.20.0.23"])
    error_message = "The balancer is not where its node is, at the port of the endpoint."
  }

  assert {
    condition     = output.dns_name == null
    error_message = "A name is made without a zone."
  }
}

run "there_is_no_balancer_without_nodes" {
  command = plan

  assert {
    condition     = output.load_balancer == null && output.addresses == null
    error_message = "There is a balancer that nobody asked for."
  }
}

run "packages_may_be_the_business_of_others" {
  command = plan

  variables {
    etcd_members          = ["a"]
    control_plane_nodes   = ["a"]
    load_balancer_nodes   = ["c"]
    load_balancer_install = "never"
  }

  assert {
    condition     = ha_load_balancer.this[0].install == "never"
    error_message = "HAProxy is to be installed."
  }
}

run "data_and_log_may_have_disks_of_their_own" {
  command = plan

  variables {
    etcd_data_dir = "/data/etcd"
    etcd_wal_dir  = "/log/etcd"
  }

  assert {
    condition     = ha_etcd_cluster.this.data_dir == "/data/etcd" && ha_etcd_cluster.this.wal_dir == "/log/etcd"
    error_message = "Data or log are elsewhere than asked for."
  }
}

run "a_snapshot_is_taken_and_brought_back" {
  command = plan

  variables {
    backup  = { schedule = "0 2 * * *", directory = "/srv/etcd", retention = { last = 3 }, triggers = { now = "1" } }
    restore = { generation = 2, directory = "/srv/etcd", snapshot = "test.backup.20261129T020000Z" }
  }

  assert {
    condition     = ha_etcd_backup.this[0].triggers == tomap({ now = "1" })
    error_message = "No snapshot is taken."
  }

  assert {
    condition     = ha_etcd_cluster.this.restore.generation == 2 && ha_etcd_cluster.this.restore.snapshot == "test.backup.20261129T020000Z"
    error_message = "Another snapshot comes back, or none."
  }

  assert {
    condition     = !ha_etcd_cluster.this.restore.discard_current_data && ha_etcd_cluster.this.restore.from == "snapshot"
    error_message = "What was left out of the restore is another than the default."
  }
}

run "the_name_leads_to_the_balancer" {
  command = plan

  variables {
    etcd_members        = ["a"]
    control_plane_nodes = ["a"]
    load_balancer_nodes = ["b", "c"]
    dns_zone            = "Example.test."
  }

  assert {
    condition     = output.dns_name == "api.example.test" && ha_dns_record.this[0].name == "api"
    error_message = "The name is another than that in the endpoint."
  }

  assert {
    condition     = ha_dns_record.this[0].records == toset(["127.20.0.22", "127.20.0.23"])
    error_message = "The name leads elsewhere than to the balancer."
  }

  assert {
    condition     = ha_dns_record.this[0].type == "A" && ha_dns_record.this[0].ttl == 30
    error_message = "The record is of another type, or has another time to live."
  }
}

run "the_name_may_lead_to_a_balancer_of_others" {
  command = plan

  variables {
    endpoint      = "example.test:443"
    dns_zone      = "example.test"
    dns_addresses = ["2001:db8::1"]
    dns_ttl       = 60
  }

  assert {
    condition     = ha_dns_record.this[0].name == "@" && ha_dns_record.this[0].type == "AAAA"
    error_message = "The record is not that of the zone itself, or of another type."
  }

  assert {
    condition     = ha_dns_record.this[0].records == toset(["2001:db8::1"]) && ha_dns_record.this[0].ttl == 60
    error_message = "The record is another than the wanted one."
  }
}

run "the_name_is_in_the_zone" {
  command = plan

  variables {
    load_balancer_nodes = ["c"]
    dns_zone            = "ample.test"
  }

  expect_failures = [var.dns_zone]
}

run "a_name_leads_somewhere" {
  command = plan

  variables {
    dns_zone = "example.test"
  }

  expect_failures = [var.dns_addresses]
}

run "addresses_have_a_name" {
  command = plan

  variables {
    dns_addresses = ["10.0.0.9"]
  }

  expect_failures = [var.dns_addresses]
}

run "a_virtual_ip_moves_between_nodes" {
  command = plan

  variables {
    load_balancer_nodes = ["c"]
    virtual_ip          = { address = "10.0.0.100/24", router_id = 71 }
  }

  expect_failures = [var.virtual_ip]
}

run "packages_are_installed_or_not" {
  command = plan

  variables {
    load_balancer_install = "sometimes"
  }

  expect_failures = [var.load_balancer_install]
}

run "nodes_of_the_balancer_are_hosts" {
  command = plan

  variables {
    load_balancer_nodes = ["x"]
  }

  expect_failures = [var.load_balancer_nodes]
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
