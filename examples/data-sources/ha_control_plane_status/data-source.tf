data "ha_control_plane_status" "this" {
  control_plane = ha_control_plane.this.access
}

# Differs from plan to plan: an API server may stop at any time.
output "not_ready" {
  value = [
    for name, node in data.ha_control_plane_status.this.nodes : name if !node.ready
  ]
}
