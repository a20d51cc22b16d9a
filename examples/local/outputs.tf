output "etcd_endpoints" {
  description = "URLs for clients. Certificates for them lie in `etc/etcd-local` of each host."
  value       = module.control_plane.etcd_endpoints
}

output "api_servers" {
  description = "API servers by the names of their hosts."
  value       = module.control_plane.api_servers
}

output "addresses" {
  description = "Where clients find the balancer."
  value       = module.control_plane.addresses
}

output "kubeconfig" {
  description = "What kubectl reads, which goes through the balancer: `kubectl --kubeconfig $(terraform output -raw kubeconfig) get namespaces`."
  value       = ha_kubeconfig_file.admin.path
}
