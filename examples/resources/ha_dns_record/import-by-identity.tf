import {
  to = ha_dns_record.api
  identity = {
    zone = "example.test"
    name = "api"
    type = "A"
  }
}
