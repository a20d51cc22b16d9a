terraform {
  required_version = ">= 1.11"

  required_providers {
    ha = {
      source = "terraform-ha/ha"
    }
  }
}
