resource "ha_load_balancer" "api" {
  name = "api"
  port = 6443

  nodes = {
    lb1 = { host = { address = "10.0.0.11" } }
    lb2 = { host = { address = "10.0.0.12" } }
  }

  backends = {
    cp1 = "10.0.0.21:6443"
    cp2 = "10.0.0.22:6443"
    cp3 = "10.0.0.23:6443"
  }

  health_check = { ca_certificate = file("${path.module}/kubernetes-ca.crt") }
  virtual_ip   = { address = "10.0.0.100/24", router_id = 71 }
}
