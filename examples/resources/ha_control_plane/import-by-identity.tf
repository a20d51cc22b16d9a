import {
  to = ha_control_plane.this
  identity = {
    name    = "prod"
    address = "192.0.2.21"
  }
}
