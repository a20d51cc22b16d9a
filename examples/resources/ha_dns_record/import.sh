terraform import ha_dns_record.api example.test/api/A
