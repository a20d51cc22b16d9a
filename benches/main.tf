# What scripts/bench applies with each provider: items that touch nothing, so that the plugin library is measured.

terraform {
  required_providers {
    probe = { source = "terraform-ha/probe" }
  }
}

variable "count_of_items" {
  type    = number
  default = 200
}

resource "probe_item" "this" {
  count = var.count_of_items
  name  = "item-${count.index}"
  note  = "n"
  tags  = { tier = "data", zone = "a" }
}
