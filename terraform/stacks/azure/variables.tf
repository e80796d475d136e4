variable "name" {
  description = "What this deployment is called; with the environment it begins the names of network, identities and resource group."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,16}[a-z0-9]$", var.name))
    error_message = "`name` has 2 to 18 lower-case letters, digits and inner dashes, for example shop."
  }
}

variable "environment" {
  description = "Environment, for example dev or prod: a group of the inventory."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.environment))
    error_message = "`environment` has up to 20 characters: a lower-case letter, then letters, digits and inner dashes, for example prod."
  }
}

variable "location" {
  description = "Azure region, for example westeurope."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]+$", var.location))
    error_message = "`location` is a region's short name, for example westeurope (`az account list-locations --query \"[].name\"`)."
  }
}

variable "tags" {
  description = "Tags of everything that takes tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "resource_group" {
  description = "The resource group that everything lies in: made by this stack, or with `create = false` one that is there. Its name is NAME-ENVIRONMENT by default."
  type = object({
    name   = optional(string)
    create = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.resource_group.create || var.resource_group.name != null
    error_message = "With `create = false` the resource group's `name` must be given."
  }
}

variable "network" {
  description = "The network that this stack makes, with the inputs of the module network; null where machines go into subnets that are there (`subnet_ids`)."
  type = object({
    address_space = list(string)
    dns_servers   = optional(list(string))
    subnets = map(object({
      address_prefix    = string
      ports             = optional(list(string))
      calls             = optional(list(string))
      service_endpoints = optional(set(string))
      inbound = optional(map(object({
        priority    = number
        sources     = list(string)
        ports       = list(string)
        protocol    = optional(string)
        description = optional(string)
      })))
      outbound = optional(map(object({
        priority     = number
        destinations = list(string)
        ports        = list(string)
        protocol     = optional(string)
        description  = optional(string)
      })))
    }))
    ssh = optional(object({
      from = optional(list(string))
      port = optional(number)
    }))
    mesh = optional(object({
      ranges             = optional(list(string))
      control_plane      = optional(list(string))
      control_plane_port = optional(number)
      gateways           = optional(list(string))
      gateway_port       = optional(number)
    }))
    nat_gateway = optional(object({
      enabled                 = optional(bool)
      zones                   = optional(set(string))
      idle_timeout_in_minutes = optional(number)
    }))
    routes = optional(map(object({
      address_prefix         = string
      next_hop_type          = string
      next_hop_in_ip_address = optional(string)
    })))
    bgp_route_propagation_enabled = optional(bool)
    private_dns = optional(object({
      zone                 = string
      registration_enabled = optional(bool)
      records              = optional(map(list(string)))
    }))
    peerings = optional(map(object({
      remote_virtual_network_id = string
      allow_forwarded_traffic   = optional(bool)
      use_remote_gateways       = optional(bool)
      reverse = optional(object({
        resource_group_name     = string
        virtual_network_name    = string
        allow_forwarded_traffic = optional(bool)
        allow_gateway_transit   = optional(bool)
      }))
    })))
    flow_logs = optional(object({
      network_watcher_name                = string
      network_watcher_resource_group_name = optional(string)
      storage_account_id                  = string
      retention_days                      = optional(number)
      traffic_analytics = optional(object({
        workspace_id          = string
        workspace_region      = string
        workspace_resource_id = string
      }))
    }))
  })
  default = null
}

variable "subnet_ids" {
  description = "Subnets that are there, by a name of your own, for machines to go into."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for id in values(var.subnet_ids) : can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+/subnets/[^/]+$", id))])
    error_message = "`subnet_ids` holds resource IDs of subnets: /subscriptions/…/resourceGroups/…/providers/Microsoft.Network/virtualNetworks/…/subnets/…"
  }

  validation {
    condition     = length(setintersection(keys(var.subnet_ids), keys(try(var.network.subnets, {})))) == 0
    error_message = "A name in `subnet_ids` is also one of network.subnets: give each subnet its own."
  }
}

variable "workloads" {
  description = "What the identities of workloads may do, by the workload's name, with the input `workloads` of the module identity. A workload that is not listed has an identity without roles."
  type = map(object({
    roles = optional(map(object({
      role  = string
      scope = string
    })))
  }))
  default  = {}
  nullable = false
}

variable "readers" {
  description = "Who may list the machines, with the input `readers` of the module identity."
  type = map(object({
    principal_id   = string
    principal_type = optional(string)
  }))
  default  = {}
  nullable = false
}

variable "ssh_public_keys" {
  description = "Public SSH keys that may log in from a machine's first boot on."
  type        = set(string)
  nullable    = false
}

variable "disk_encryption_set_id" {
  description = "Disk encryption set with a key of your own for all disks; null for Azure's own keys."
  type        = string
  default     = null
}

variable "machines" {
  description = "The machines, by name, with the inputs of the module machine; `subnet` names one of network.subnets or of `subnet_ids`."
  type = map(object({
    workload = string
    subnet   = string
    address  = optional(string)
    size     = optional(string)
    zone     = optional(string)
    user     = optional(string)
    ssh_port = optional(number)
    image    = optional(object({ publisher = string, offer = string, sku = string, version = optional(string) }))
    image_id = optional(string)
    os_disk  = optional(object({ type = optional(string), size_gb = optional(number) }))
    data_disks = optional(map(object({
      lun     = number
      size_gb = number
      type    = optional(string)
      caching = optional(string)
    })))
    security_group         = optional(object({ id = string }))
    accelerated_networking = optional(bool)
    trusted_launch         = optional(bool)
    encryption_at_host     = optional(bool)
    extensions_allowed     = optional(bool)
    cloud_init             = optional(string)
    tags                   = optional(map(string))
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([for machine in values(var.machines) :
      contains(concat(keys(var.subnet_ids), keys(try(var.network.subnets, {}))), machine.subnet)
    ])
    error_message = "The `subnet` of a machine is a name in network.subnets or in `subnet_ids`."
  }
}
