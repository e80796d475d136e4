variable "name" {
  description = "Name of the virtual network, and beginning of the names of what belongs to it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", var.name))
    error_message = "`name` has up to 40 lower-case letters, digits and inner dashes, for example shop-prod."
  }
}

variable "resource_group_name" {
  description = "Resource group that the network is made in."
  type        = string
  nullable    = false
}

variable "location" {
  description = "Azure region, for example westeurope."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of everything that takes tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "address_space" {
  description = "Ranges of the virtual network, for example [\"10.20.0.0/16\"]. They must not overlap with the cluster's."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.address_space) > 0 && alltrue([for range in var.address_space : can(cidrhost(range, 0))])
    error_message = "`address_space` holds one range at least, each in CIDR notation, for example [\"10.20.0.0/16\"]."
  }
}

variable "dns_servers" {
  description = "Addresses of the name servers that machines ask; empty for Azure's own."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for server in var.dns_servers : can(cidrhost("${server}/32", 0))])
    error_message = "`dns_servers` holds addresses, for example [\"10.0.0.4\"]."
  }
}

variable "subnets" {
  description = <<-EOT
    The subnets, by name, each with a security group of its own that is closed but for `ssh`, `mesh` and what stands here.
    `ports`: what the workloads there serve, to `mesh.ranges`. `calls`: the ports that they call in `mesh.ranges`.
    `inbound` and `outbound`: further rules as in the module security_group, with priorities of 200 and above.
  EOT
  type = map(object({
    address_prefix    = string
    ports             = optional(list(string), [])
    calls             = optional(list(string), [])
    service_endpoints = optional(set(string), [])
    inbound = optional(map(object({
      priority    = number
      sources     = list(string)
      ports       = list(string)
      protocol    = optional(string, "Tcp")
      description = optional(string, "")
    })), {})
    outbound = optional(map(object({
      priority     = number
      destinations = list(string)
      ports        = list(string)
      protocol     = optional(string, "Tcp")
      description  = optional(string, "")
    })), {})
  }))
  nullable = false

  validation {
    condition     = length(var.subnets) > 0
    error_message = "`subnets` has one subnet at least, for example { machines = { address_prefix = \"10.20.1.0/24\" } }."
  }

  validation {
    condition     = alltrue([for name in keys(var.subnets) : can(regex("^[a-z0-9]([a-z0-9-]{0,37}[a-z0-9])?$", name))])
    error_message = "The name of a subnet has up to 39 lower-case letters, digits and inner dashes, for example machines."
  }

  validation {
    condition     = alltrue([for subnet in values(var.subnets) : can(cidrhost(subnet.address_prefix, 0))])
    error_message = "The `address_prefix` of a subnet is a range in CIDR notation, for example 10.20.1.0/24."
  }

  validation {
    condition = alltrue([for subnet in values(var.subnets) : alltrue([
      for rule in concat(values(subnet.inbound)[*].priority, values(subnet.outbound)[*].priority) : rule >= 200
    ])])
    error_message = "Further rules of a subnet have a `priority` of 200 or above; below stand those of `ssh` and `mesh`."
  }
}

variable "ssh" {
  description = "Who may connect by SSH, `from` which ranges (the controller's, or the range of an AzureBastionSubnet), to which `port`. Nobody by default."
  type = object({
    from = optional(list(string), [])
    port = optional(number, 22)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for range in var.ssh.from : can(cidrhost(range, 0)) && try(tonumber(split("/", range)[1]), 0) >= 16])
    error_message = "`ssh.from` holds ranges of /16 or narrower, for example [\"10.0.9.0/26\"]. SSH is never open to everybody: use Bastion, a VPN or a jump host."
  }

  validation {
    condition     = var.ssh.port >= 1 && var.ssh.port <= 65535
    error_message = "`ssh.port` is a port from 1 to 65535."
  }
}

variable "mesh" {
  description = <<-EOT
    Where the mesh is.
    `ranges`: those who call the machines and are called by them: the cluster's pods, and this network's own range when its machines call each other.
    `control_plane`: addresses of istiod, or of the gateway before it, reached at `control_plane_port`.
    `gateways`: addresses of east-west gateways, reached at `gateway_port`, for a cluster in another network (in Istio's sense).
  EOT
  type = object({
    ranges             = optional(list(string), [])
    control_plane      = optional(list(string), [])
    control_plane_port = optional(number, 15012)
    gateways           = optional(list(string), [])
    gateway_port       = optional(number, 15443)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for range in concat(var.mesh.ranges, var.mesh.control_plane, var.mesh.gateways) : can(cidrhost(range, 0)) && try(tonumber(split("/", range)[1]), 0) >= 8
    ])
    error_message = "`mesh.ranges`, `mesh.control_plane` and `mesh.gateways` hold ranges of /8 or narrower in CIDR notation, for example [\"10.100.0.0/16\"], or [\"203.0.113.10/32\"] for one address."
  }
}

variable "nat_gateway" {
  description = <<-EOT
    The way out: a NAT gateway with one fixed public address, which partners can put on their lists. Nothing comes in by it.
    Set `enabled = false` where a firewall of the hub is the way out (`routes`). `zones` are those of the address; [] in regions without zones.
  EOT
  type = object({
    enabled                 = optional(bool, true)
    zones                   = optional(set(string), ["1", "2", "3"])
    idle_timeout_in_minutes = optional(number, 4)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for zone in var.nat_gateway.zones : contains(["1", "2", "3"], zone)])
    error_message = "`nat_gateway.zones` holds \"1\", \"2\" and \"3\", or nothing in a region without zones."
  }

  validation {
    condition     = var.nat_gateway.idle_timeout_in_minutes >= 4 && var.nat_gateway.idle_timeout_in_minutes <= 120
    error_message = "`nat_gateway.idle_timeout_in_minutes` is 4 to 120."
  }
}

variable "routes" {
  description = "Routes of all subnets, by name, for example { default = { address_prefix = \"0.0.0.0/0\", next_hop_type = \"VirtualAppliance\", next_hop_in_ip_address = \"10.0.1.4\" } }."
  type = map(object({
    address_prefix         = string
    next_hop_type          = string
    next_hop_in_ip_address = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for route in values(var.routes) : contains(["VirtualNetworkGateway", "VnetLocal", "Internet", "VirtualAppliance", "None"], route.next_hop_type)])
    error_message = "The `next_hop_type` of a route is VirtualNetworkGateway, VnetLocal, Internet, VirtualAppliance or None."
  }

  validation {
    condition     = alltrue([for route in values(var.routes) : (route.next_hop_type == "VirtualAppliance") == (route.next_hop_in_ip_address != null)])
    error_message = "A route has `next_hop_in_ip_address` (the firewall's address) with next_hop_type VirtualAppliance, and with no other."
  }
}

variable "bgp_route_propagation_enabled" {
  description = "Whether the subnets learn the routes of a VPN or ExpressRoute gateway."
  type        = bool
  default     = true
  nullable    = false
}

variable "private_dns" {
  description = <<-EOT
    A private DNS zone for the machines' names and the mesh's own, linked to the network; null for none.
    `registration_enabled`: machines of the network are entered by Azure. `records`: further A records, such as { istiod = ["10.100.0.10"] }.
  EOT
  type = object({
    zone                 = string
    registration_enabled = optional(bool, true)
    records              = optional(map(list(string)), {})
  })
  default = null

  validation {
    condition     = var.private_dns == null || can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]{2,}$", var.private_dns.zone))
    error_message = "`private_dns.zone` is a domain name of two labels or more, for example mesh.internal."
  }

  validation {
    condition     = var.private_dns == null || alltrue(flatten([for addresses in values(try(var.private_dns.records, {})) : [for address in addresses : can(cidrhost("${address}/32", 0))]]))
    error_message = "`private_dns.records` holds lists of addresses by name, for example { istiod = [\"10.100.0.10\"] }."
  }
}

variable "peerings" {
  description = <<-EOT
    Peerings, by name, to the cluster's network or a hub.
    `reverse`: make the other half too, in the remote network, which must be of the same subscription; without it its owner does.
  EOT
  type = map(object({
    remote_virtual_network_id = string
    allow_forwarded_traffic   = optional(bool, false)
    use_remote_gateways       = optional(bool, false)
    reverse = optional(object({
      resource_group_name     = string
      virtual_network_name    = string
      allow_forwarded_traffic = optional(bool, false)
      allow_gateway_transit   = optional(bool, false)
    }))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length([for peering in values(var.peerings) : peering if peering.use_remote_gateways]) <= 1
    error_message = "Azure allows `use_remote_gateways` for one peering of a network only."
  }

  validation {
    condition     = alltrue([for peering in values(var.peerings) : !(peering.use_remote_gateways && peering.reverse != null) || try(peering.reverse.allow_gateway_transit, false)])
    error_message = "A peering with `use_remote_gateways` and `reverse` needs reverse.allow_gateway_transit = true."
  }
}

variable "flow_logs" {
  description = "Flow logs of the virtual network, written to a storage account by the region's network watcher; null for none. `retention_days` of 0 keeps them for ever."
  type = object({
    network_watcher_name                = string
    network_watcher_resource_group_name = optional(string, "NetworkWatcherRG")
    storage_account_id                  = string
    retention_days                      = optional(number, 90)
    traffic_analytics = optional(object({
      workspace_id          = string
      workspace_region      = string
      workspace_resource_id = string
    }))
  })
  default = null

  validation {
    condition     = try(var.flow_logs.retention_days, 0) >= 0 && try(var.flow_logs.retention_days, 0) <= 365
    error_message = "`flow_logs.retention_days` is 0 (for ever) to 365."
  }
}
