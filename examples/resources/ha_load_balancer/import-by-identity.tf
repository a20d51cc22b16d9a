import {
  to = ha_load_balancer.api
  identity = {
    name    = "api"
    address = "10.0.0.11"
  }
}
