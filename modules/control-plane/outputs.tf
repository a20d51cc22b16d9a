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
