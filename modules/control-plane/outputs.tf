output "etcd" {
  description = "What other resources and ephemeral credentials need to use etcd. It holds no secret."
  value       = ha_etcd_cluster.this.access
}

output "etcd_endpoints" {
  description = "URLs of etcd for clients, in the order of the names of the members."
  value       = ha_etcd_cluster.this.endpoints
}

output "etcd_ca_certificate" {
  description = "Certificate of etcd's authority, in PEM."
  value       = ha_etcd_cluster.this.ca_certificate
}

output "control_plane" {
  description = "What other resources and ephemeral credentials need to use the control plane. It holds no secret."
  value       = ha_control_plane.this.access
}

output "api_servers" {
  description = "API servers by the names of their hosts, each `address:port`."
  value       = ha_control_plane.this.api_servers
}

output "ca_certificate" {
  description = "Certificate of the authority of the API, in PEM."
  value       = ha_control_plane.this.ca_certificate
}

output "recovery_bundle" {
  description = "The keys of the control plane, encrypted to `recovery_recipients`; null without any. Keep a copy elsewhere."
  value       = ha_control_plane.this.recovery_bundle
}

output "load_balancer" {
  description = "What other resources need to find the balancer; null without one. It holds no secret."
  value       = one(ha_load_balancer.this[*].access)
}

output "addresses" {
  description = "Where clients find the balancer: the virtual IP, or the address of every node; null without one."
  value       = one(ha_load_balancer.this[*].addresses)
}

output "dns_name" {
  description = "The name that was made in `dns_zone`; null without one."
  value       = one(ha_dns_record.this[*].fqdn)
}
