# For whoever works on this machine. What a run alone needs is better off with the ephemeral resource.
resource "ha_kubeconfig_file" "admin" {
  control_plane = ha_control_plane.this.access
  path          = pathexpand("~/.kube/prod.yaml")
  ttl           = "12h"
}
