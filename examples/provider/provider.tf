terraform {
  required_providers {
    ha = {
      source = "terraform-ha/ha"
    }
  }
}

provider "ha" {}
