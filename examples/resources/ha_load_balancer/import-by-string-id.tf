import {
  to = ha_load_balancer.api
  id = "api@10.0.0.11"
}
