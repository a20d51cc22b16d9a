output "etcd_endpoints" {
  description = "URLs for clients. Certificates for them lie in `etc/etcd-local` of each host."
  value       = module.control_plane.etcd_endpoints
}
