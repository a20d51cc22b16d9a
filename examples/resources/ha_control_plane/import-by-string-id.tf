import {
  to = ha_control_plane.this
  id = "prod@192.0.2.21"
}
