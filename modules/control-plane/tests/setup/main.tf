# Hosts for a test: directories of this machine that nobody else uses, on loopback addresses.

terraform {
  # Not used here: the provider block of a test is that of all its runs, and OpenTofu asks each for its source.
  required_providers {
    ha = {
      source = "terraform-ha/ha"
    }
  }
}

variable "artifacts_directory" {
  description = "As in the provider block. TF_VAR_artifacts_directory sets it for all tests."
  type        = string
  default     = null
}

variable "network" {
  description = "The first three numbers of the addresses. TF_VAR_network sets it for all tests."
  type        = string
  default     = "127.20.0"
}

variable "scratch_directory" {
  description = "Where the hosts are made. TF_VAR_scratch_directory sets it for all tests."
  type        = string
  default     = "/tmp"
}

# Made once for a run of tests, and gone after it.
resource "terraform_data" "directory" {
  input = "${var.scratch_directory}/control-plane-${substr(uuid(), 0, 8)}"

  lifecycle {
    ignore_changes = [input]
  }

  provisioner "local-exec" {
    when    = destroy
    command = "rm -rf -- '${self.output}'"
  }
}

output "artifacts_directory" {
  value = var.artifacts_directory
}

output "hosts" {
  value = {
    for index, name in ["a", "b", "c", "front"] : name => {
      address   = "${var.network}.${11 + index}"
      transport = "local"
      root      = "${terraform_data.directory.output}/${name}"
    }
  }
}
