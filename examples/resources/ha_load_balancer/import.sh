terraform import ha_load_balancer.api api@root@10.0.0.11:22
