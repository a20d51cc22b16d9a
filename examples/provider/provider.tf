terraform {
  required_providers {
    ha = {
      source = "terraform-ha/ha"
    }
  }
}

provider "ha" {
  ssh           = { user = "ops", private_key_file = "~/.ssh/id_ed25519" }
  connections   = { edge = { user = "root", agent = true, bastions = [{ address = "jump.example.net" }] } }
  dns           = { rfc2136 = { servers = ["10.0.0.53"], key_name = "ha.", key_algorithm = "hmac-sha256" } }
  object_stores = { nightly = { s3 = { bucket = "etcd-backups", region = "eu-central-1" } } }
}
