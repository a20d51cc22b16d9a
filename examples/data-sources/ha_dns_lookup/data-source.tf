# What two resolvers say at this moment.
data "ha_dns_lookup" "api" {
  name    = "api.example.test"
  type    = "A"
  servers = ["10.0.0.2", "10.0.0.3"]
}

output "api_is_seen_by" {
  value = [for server, answer in data.ha_dns_lookup.api.answers : server if answer.error == null]
}
