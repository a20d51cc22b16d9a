# What `make demo-plugin` applies. The provider is the test provider: each thing is a JSON file in a directory.

terraform {
  required_version = ">= 1.11"
  required_providers {
    probe = { source = "terraform-ha/probe" }
  }
}

variable "note" {
  type    = string
  default = "first"
}

variable "size" {
  type    = number
  default = 1
}

variable "kind" {
  type    = string
  default = "small"
}

variable "fail" {
  description = "A fault to inject, as if a host had failed midway."
  type        = string
  default     = null
}

variable "delay" {
  description = "How long an update takes."
  type        = string
  default     = null
}

# Reads its directory from PROBE_DIRECTORY.
provider "probe" {}

resource "probe_thing" "web" {
  name  = "web"
  note  = var.note
  size  = var.size
  kind  = var.kind
  fail  = var.fail
  delay = var.delay

  settings = { depth = 2 }
  members = {
    a = { address = "10.0.0.1", host = { user = "ops" } }
    b = { address = "10.0.0.2", port = 2390, host = {} }
  }
}

resource "probe_thing" "db" {
  name  = "db"
  ratio = 0.75
  tags  = { tier = "data" }
  rules = [
    { match = "read", weight = 3 },
    { match = "write" },
  ]
  groups = [{ title = "readers", roles = ["get", "list"] }]
}

output "endpoints" {
  value = { for name, member in probe_thing.web.members : name => member.endpoint }
}
