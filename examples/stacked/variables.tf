variable "hosts" {
  description = "Address of each host, by a name that stays."
  type        = map(string)

  validation {
    condition     = contains([3, 5, 7], length(var.hosts))
    error_message = "An odd number of hosts, three at least, bears the loss of one."
  }
}

variable "virtual_ip" {
  description = "A free address of the network of the hosts, with the length of its prefix. One of them has it."
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

variable "deletion_protection" {
  description = "Refuses to destroy what holds data."
  type        = bool
  default     = true
}
