terraform import ha_control_plane.this prod@root@192.0.2.21:22
