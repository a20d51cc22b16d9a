variable "name" {
  description = "Name of the control plane, part of units and paths on the hosts. It cannot change."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", var.name))
    error_message = "The name has 1 to 40 lower-case letters, digits and `-`, none of these at the ends."
  }
}

variable "hosts" {
  description = "All machines by a stable name, each as the `host` object of the provider: where it is, and how to get there. A name that changes renames; order never matters."
  type = map(object({
    address    = string
    port       = optional(number)
    user       = optional(string)
    connection = optional(string)
    host_key   = optional(string)
    transport  = optional(string)
    root       = optional(string)
  }))

  validation {
    condition     = 0 < length(var.hosts)
    error_message = "A control plane needs hosts: 1, 3, 5 or 7 of them for etcd."
  }
}

variable "addresses" {
  description = "Address that the cluster uses, by the name of the host, where it is another than `hosts[…].address`. An IP address, needed where that is a name."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.addresses), keys(var.hosts))) == 0
    error_message = "Each key is a name in `hosts`."
  }
}

variable "etcd_version" {
  description = "Version of etcd, such as `3.6.16`. It goes up, one minor at a time."
  type        = string

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.etcd_version))
    error_message = "The version has three numbers and no `v`, such as `3.6.16`."
  }
}

variable "etcd_members" {
  description = "Names in `hosts` of the machines with a member of etcd. All of them when left out."
  type        = set(string)
  default     = null

  validation {
    condition     = var.etcd_members == null ? true : length(setsubtract(var.etcd_members, keys(var.hosts))) == 0
    error_message = "Each member is a name in `hosts`."
  }
}

variable "etcd_quota_backend_bytes" {
  description = "The most that the data of etcd may take, in bytes: at most 8 GiB. 2 GiB when left out."
  type        = number
  default     = null
}

variable "etcd_data_dir" {
  description = "Directory with the data of etcd, such as one on a disk of its own. `/var/lib/etcd/<name>` when left out. It cannot change."
  type        = string
  default     = null
}

variable "etcd_wal_dir" {
  description = "Directory with the log of etcd, where it has a disk of its own. Inside the data when left out. It cannot change."
  type        = string
  default     = null
}

variable "etcd_heartbeat_interval" {
  description = "Time between two heartbeats of etcd's leader, such as `250ms` where hosts are far from each other. `100ms` when left out."
  type        = string
  default     = null
}

variable "etcd_election_timeout" {
  description = "Time without a heartbeat until another leader is elected: at least five heartbeats. `1s` when left out."
  type        = string
  default     = null
}

variable "kubernetes_version" {
  description = "Version of Kubernetes, such as `1.34.4`. It goes up, one minor at a time."
  type        = string

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.kubernetes_version))
    error_message = "The version has three numbers and no `v`, such as `1.34.4`."
  }
}

variable "endpoint" {
  description = "Where clients find the API: `host:port`, known beforehand. Its host becomes a name in certificates; it need not resolve yet."
  type        = string

  validation {
    condition     = can(regex("^.+:[0-9]+$", var.endpoint))
    error_message = "The endpoint has a host and a port, such as `api.example.test:6443`."
  }
}

variable "control_plane_nodes" {
  description = "Names in `hosts` of the machines with an API server. All of them when left out."
  type        = set(string)
  default     = null

  validation {
    condition     = var.control_plane_nodes == null ? true : length(setsubtract(var.control_plane_nodes, keys(var.hosts))) == 0
    error_message = "Each node is a name in `hosts`."
  }
}

variable "api_server_port" {
  description = "Port of the API servers. 6443 when left out."
  type        = number
  default     = null
}

variable "service_cidrs" {
  description = "Addresses of services: one range, or one of each family. `10.96.0.0/12` when left out."
  type        = list(string)
  default     = null
}

variable "pod_cidrs" {
  description = "Addresses of pods: one range, or one of each family. `10.244.0.0/16` when left out."
  type        = list(string)
  default     = null
}

variable "api_server" {
  description = "More arguments, each `--flag=value`, and variables of the API servers."
  type        = object({ extra_args = optional(list(string), []), environment = optional(map(string), {}) })
  default     = {}
  nullable    = false
}

variable "controller_manager" {
  description = "The same for the controller managers."
  type        = object({ extra_args = optional(list(string), []), environment = optional(map(string), {}) })
  default     = {}
  nullable    = false
}

variable "scheduler" {
  description = "The same for the schedulers."
  type        = object({ extra_args = optional(list(string), []), environment = optional(map(string), {}) })
  default     = {}
  nullable    = false
}

variable "extra_sans" {
  description = "Names and addresses in the certificates of the API servers beside those of the nodes and the endpoint, such as virtual IPs."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "load_balancer_nodes" {
  description = "Names in `hosts` of the machines with the balancer. No balancer when empty."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.load_balancer_nodes, keys(var.hosts))) == 0
    error_message = "Each node is a name in `hosts`."
  }
}

variable "load_balancer_port" {
  description = "Port of the balancer. That of `endpoint` when left out."
  type        = number
  default     = null
}

variable "load_balancer_metrics_port" {
  description = "Port for metrics of the balancer, plain HTTP on the address of each node. None when left out."
  type        = number
  default     = null
}

variable "load_balancer_install" {
  description = "`package` installs HAProxy and keepalived from the distribution, `never` expects them: for hosts whose packages come otherwise."
  type        = string
  default     = "package"
  nullable    = false

  validation {
    condition     = contains(["package", "never"], var.load_balancer_install)
    error_message = "It is `package` or `never`."
  }
}

variable "virtual_ip" {
  description = "An address that one of the nodes of the balancer has, with the length of its prefix, and the number of the virtual router, unlike that of every other one of the network."
  type = object({
    address            = string
    router_id          = number
    interface          = optional(string)
    advertise_interval = optional(string)
  })
  default = null

  validation {
    condition     = var.virtual_ip == null || 2 <= length(var.load_balancer_nodes)
    error_message = "A virtual IP moves between nodes: name two at least in `load_balancer_nodes`."
  }
}

variable "dns_zone" {
  description = "Zone in which the host of `endpoint` is made a name, by the `dns` of the provider. No name is made when left out."
  type        = string
  default     = null

  validation {
    condition = var.dns_zone == null ? true : endswith(
      lower(".${replace(var.endpoint, "/:[0-9]+$/", "")}"),
      lower(".${trimsuffix(var.dns_zone, ".")}"),
    )
    error_message = "The host of `endpoint` is not in this zone."
  }
}

variable "dns_addresses" {
  description = "Where the name leads, all addresses of one family. Those of the balancer when left out; of use with one that is not made here."
  type        = set(string)
  default     = null

  validation {
    condition     = var.dns_addresses == null ? true : 0 < length(var.dns_addresses) && var.dns_zone != null
    error_message = "There is one address at least, and `dns_zone` says where the name is made."
  }

  validation {
    condition     = var.dns_zone == null || var.dns_addresses != null || 0 < length(var.load_balancer_nodes)
    error_message = "A name leads somewhere: to the balancer of `load_balancer_nodes`, or to `dns_addresses`."
  }
}

variable "dns_ttl" {
  description = "How long others may keep the addresses, in seconds. 30 when left out."
  type        = number
  default     = null
}

variable "backup" {
  description = "Snapshots of etcd that its hosts take by themselves: when, by the five fields of cron, into which object store of the provider or directory of each host, and how many stay. Any change of `triggers` takes one now. None when left out."
  type = object({
    name      = optional(string, "backup")
    schedule  = string
    time_zone = optional(string)
    store     = optional(string)
    directory = optional(string)
    triggers  = optional(map(string))
    retention = object({
      last    = optional(number)
      hourly  = optional(number)
      daily   = optional(number)
      weekly  = optional(number)
      monthly = optional(number)
    })
  })
  default = null
}

variable "restore" {
  description = "Replaces the data of etcd by that of a snapshot, once for each `generation`, as `restore` of `ha_etcd_cluster` has it; API servers stop meanwhile. It may stay here afterwards."
  type = object({
    generation           = number
    from                 = optional(string)
    store                = optional(string)
    file                 = optional(string)
    directory            = optional(string)
    snapshot             = optional(string)
    discard_current_data = optional(bool)
    clients_stopped      = optional(bool)
  })
  default = null
}

variable "lost_hosts" {
  description = "Names of machines that are gone for ever: neither a destroy nor a restore waits for them."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "recovery_recipients" {
  description = "Public keys of age, `age1…`, whose owners can open `recovery_bundle`. While it is empty, a plan warns."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "recover_from" {
  description = "A copy of `recovery_bundle` that was kept elsewhere: brings the keys back once no host has them any more."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Refuses to destroy what holds data."
  type        = bool
  default     = true
  nullable    = false
}

variable "on_destroy" {
  description = "What a destroy does with data and keys: `keep` moves them aside on their host, `purge` deletes them."
  type        = string
  default     = "keep"
  nullable    = false

  validation {
    condition     = contains(["keep", "purge"], var.on_destroy)
    error_message = "It is `keep` or `purge`."
  }
}
