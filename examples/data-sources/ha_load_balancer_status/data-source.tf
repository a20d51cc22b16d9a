data "ha_load_balancer_status" "api" {
  load_balancer = ha_load_balancer.api.access
}

# Told by every plan, and never in its way.
check "balancer" {
  assert {
    condition     = alltrue([for it in data.ha_load_balancer_status.api.nodes : it.serving])
    error_message = "These nodes do not serve: ${join(", ", [for name, it in data.ha_load_balancer_status.api.nodes : name if !it.serving])}."
  }
}
