variable "directory" {
  description = "Absolute path of a directory for the hosts, one directory for each. `hosts` beside this file when left out."
  type        = string
  default     = null
}

variable "hosts" {
  description = "Loopback address of each host, by its name: a member of etcd and a node of the control plane. Three take a gigabyte of memory."
  type        = map(string)
  default = {
    a = "127.0.0.11"
    b = "127.0.0.12"
    c = "127.0.0.13"
  }
}

variable "load_balancer_address" {
  description = "Loopback address of the balancer."
  type        = string
  default     = "127.0.0.10"
}

variable "dns_zone" {
  description = "Zone in which `api` is to be the name of the control plane. None when left out; a name server for it is not made here."
  type        = string
  default     = null
}

variable "dns_server" {
  description = "The name server that takes updates of the zone, an address with an optional port."
  type        = string
  default     = "127.0.0.1"
}

variable "dns_key_name" {
  description = "Name of the key for updates. Its secret is in the environment variable `HA_TSIG_SECRET`."
  type        = string
  default     = "ha"
}

variable "artifacts_directory" {
  description = "Directory with the releases and their files of checksums, for a machine without a way to them. They are downloaded when left out."
  type        = string
  default     = null
}

variable "etcd_version" {
  description = "Version of etcd."
  type        = string
  default     = "3.6.16"
}

variable "kubernetes_version" {
  description = "Version of Kubernetes."
  type        = string
  default     = "1.34.4"
}

variable "etcd_quota_backend_bytes" {
  description = "The most that the data of etcd may take, in bytes. A change restarts one member after the other."
  type        = number
  default     = null
}

variable "take_snapshot" {
  description = "Any change takes a snapshot of etcd now: `-var take_snapshot=before-the-upgrade`."
  type        = string
  default     = ""
}

variable "restore" {
  description = "Brings back what etcd had, as `restore` of the module: `{ generation = 1, directory = \"/srv/etcd-backups\", discard_current_data = true }`."
  type        = any
  default     = null
}
