output "endpoint" {
  description = "Where clients find the API."
  value       = module.control_plane.control_plane.endpoint
}

output "api_servers" {
  description = "API servers by the names of their hosts."
  value       = module.control_plane.api_servers
}

output "etcd_endpoints" {
  description = "URLs of etcd for clients. `ha_etcd_client` makes credentials for them."
  value       = module.control_plane.etcd_endpoints
}

output "kubeconfig" {
  description = "What kubectl reads: `kubectl --kubeconfig $(terraform output -raw kubeconfig) get namespaces`."
  value       = ha_kubeconfig_file.admin.path
}
