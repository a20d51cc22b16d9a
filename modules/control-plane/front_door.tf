# What clients come through: a balancer in front of the API servers, and the name under which they find it.

locals {
  endpoint_host = lower(regex("^(.+):[0-9]+$", var.endpoint)[0])
  endpoint_port = tonumber(regex("[0-9]+$", var.endpoint))
  dns_zone      = var.dns_zone == null ? "" : lower(trimsuffix(var.dns_zone, "."))

  # Where clients are sent.
  addresses = var.dns_addresses == null ? one(ha_load_balancer.this[*].addresses) : tolist(var.dns_addresses)
}

resource "ha_load_balancer" "this" {
  count = length(var.load_balancer_nodes) == 0 ? 0 : 1

  name     = var.name
  port     = coalesce(var.load_balancer_port, local.endpoint_port)
  backends = ha_control_plane.this.api_servers

  nodes = {
    for name in var.load_balancer_nodes : name => {
      host    = var.hosts[name]
      address = lookup(var.addresses, name, null)
    }
  }

  health_check = { ca_certificate = ha_control_plane.this.ca_certificate }
  virtual_ip   = var.virtual_ip
  metrics_port = var.load_balancer_metrics_port
  install      = var.load_balancer_install

  lost_hosts = var.lost_hosts
}

resource "ha_dns_record" "this" {
  count = var.dns_zone == null ? 0 : 1

  zone    = var.dns_zone
  name    = local.endpoint_host == local.dns_zone ? "@" : trimsuffix(local.endpoint_host, ".${local.dns_zone}")
  type    = strcontains(local.addresses[0], ":") ? "AAAA" : "A"
  ttl     = var.dns_ttl
  records = local.addresses
}
