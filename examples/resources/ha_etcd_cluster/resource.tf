resource "ha_etcd_cluster" "this" {
  name    = "prod"
  version = "3.6.16"

  members = {
    a = { host = { address = "10.0.0.11" } }
    b = { host = { address = "10.0.0.12" } }
    c = { host = { address = "10.0.0.13" } }
  }
}
