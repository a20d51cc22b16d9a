import {
  to = ha_dns_record.api
  id = "example.test/api/A"
}
