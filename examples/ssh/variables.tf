variable "name" {
  description = "Name of the control plane, part of units and paths on the hosts. It cannot change."
  type        = string
  default     = "prod"
}

variable "hosts" {
  description = "Address of each host, by a name that stays: where SSH connects, and what the parts use among each other."
  type        = map(string)
}

variable "host_keys" {
  description = "Public keys of hosts, `ssh-ed25519 AAAA…`, by name: how to agree to that of a machine that was built anew."
  type        = map(string)
  default     = {}
}

variable "members" {
  description = "Names of the hosts with a member of etcd and an API server: one, three or five."
  type        = set(string)
  default     = ["a", "b", "c"]
}

variable "load_balancers" {
  description = "Names of the hosts with a balancer, two at least, in one network. They may be members as well."
  type        = set(string)
  default     = ["lb1", "lb2"]
}

variable "virtual_ip" {
  description = "A free address of the network of the balancers, with the length of its prefix. One of them has it."
  type        = string
}

variable "router_id" {
  description = "Number of the virtual router, from 1 to 255, unlike that of every other one in the network."
  type        = number
  default     = 71
}

variable "ssh_user" {
  description = "Who logs in: root, or somebody with sudo."
  type        = string
  default     = "root"
}

variable "ssh_private_key_file" {
  description = "File with the private key. Those of an SSH agent when left out."
  type        = string
  default     = null
}

variable "ssh_known_hosts_file" {
  description = "Keys of the hosts. `~/.ssh/known_hosts` when left out."
  type        = string
  default     = null
}

variable "dns_zone" {
  description = "Zone in which `api` is to be the name of the control plane. None when left out: clients use the virtual IP."
  type        = string
  default     = null
}

variable "dns_server" {
  description = "The name server that takes updates of the zone, an address with an optional port."
  type        = string
  default     = null
}

variable "dns_key_name" {
  description = "Name of the key for updates. Its secret is in the environment variable `HA_TSIG_SECRET`."
  type        = string
  default     = "ha"
}

variable "artifacts_directory" {
  description = "Directory with the releases and their files of checksums, uploaded from here. Hosts download them when left out."
  type        = string
  default     = null
}

variable "kubeconfig" {
  description = "Absolute path for the credentials of kubectl. `kubeconfig` beside this file when left out."
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

variable "lost_hosts" {
  description = "Names of hosts that are gone for ever: neither a destroy nor a restore waits for them."
  type        = set(string)
  default     = []
}

variable "deletion_protection" {
  description = "Refuses to destroy what holds data."
  type        = bool
  default     = true
}
