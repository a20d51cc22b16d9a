locals {
  # A literal: the balancer behind it needs the control plane, so nothing of it can be asked here.
  endpoint = "api.example.test:6443"
}

resource "ha_control_plane" "this" {
  name     = "prod"
  version  = "1.34.4"
  endpoint = local.endpoint
  etcd     = ha_etcd_cluster.this.access

  nodes = {
    cp1 = { host = { address = "10.0.0.21" } }
    cp2 = { host = { address = "10.0.0.22" } }
    cp3 = { host = { address = "10.0.0.23" } }
  }

  # The public half of what `age-keygen` prints. Its private half is kept where the nodes are not.
  recovery_recipients = ["age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"]
}

# Kept beside the private half, it brings the keys back once all nodes are lost.
output "recovery_bundle" {
  value = ha_control_plane.this.recovery_bundle
}
