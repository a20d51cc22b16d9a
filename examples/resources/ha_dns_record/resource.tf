# The name under which clients find the control plane.
resource "ha_dns_record" "api" {
  zone    = "example.test"
  name    = "api"
  type    = "A"
  records = ["10.0.0.100"]
}

# Two addresses, kept for a minute, and all name servers of the zone show them before the apply ends.
resource "ha_dns_record" "web" {
  zone     = "example.test"
  name     = "@"
  type     = "AAAA"
  ttl      = 60
  records  = ["2001:db8::1", "2001:db8::2"]
  wait_for = "all"
}
