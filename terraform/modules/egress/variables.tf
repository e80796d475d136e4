variable "name" {
  description = "Name of the firewall and its policy."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", var.name))
    error_message = "`name` has up to 40 lower-case letters, digits and inner dashes, for example hub."
  }
}

variable "resource_group_name" {
  description = "Resource group that the firewall is made in."
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

variable "subnet_id" {
  description = "The hub's subnet AzureFirewallSubnet (its name), of /26 or wider."
  type        = string
  nullable    = false

  validation {
    condition     = endswith(var.subnet_id, "/subnets/AzureFirewallSubnet")
    error_message = "`subnet_id` is the ID of a subnet that is named AzureFirewallSubnet: Azure puts a firewall into no other."
  }
}

variable "zones" {
  description = "Availability zones of firewall and address; [] in regions without zones."
  type        = set(string)
  default     = ["1", "2", "3"]
  nullable    = false

  validation {
    condition     = alltrue([for zone in var.zones : contains(["1", "2", "3"], zone)])
    error_message = "`zones` holds \"1\", \"2\" and \"3\", or nothing in a region without zones."
  }
}

variable "sites" {
  description = "Sites that may be called by HTTPS, by a name of your own: from which ranges (`sources`), by host name (`hosts`, with * for the first label only)."
  type = map(object({
    sources = list(string)
    hosts   = list(string)
    port    = optional(number, 443)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for site in values(var.sites) : length(site.sources) > 0 && alltrue([for source in site.sources : can(cidrhost(source, 0)) && try(tonumber(split("/", source)[1]), 0) >= 8])])
    error_message = "The `sources` of a site are ranges of /8 or narrower, for example [\"10.20.0.0/16\"]."
  }

  validation {
    condition     = alltrue([for site in values(var.sites) : length(site.hosts) > 0 && alltrue([for host in site.hosts : can(regex("^([*][.])?([a-z0-9-]+[.])+[a-z]{2,}$", host))])])
    error_message = "The `hosts` of a site are host names, for example [\"deb.debian.org\", \"*.vault.azure.net\"]; not * alone."
  }
}

variable "addresses" {
  description = "What may be called by address and port, by a name of your own: other protocols, and partners without a name."
  type = map(object({
    sources      = list(string)
    destinations = list(string)
    ports        = list(string)
    protocol     = optional(string, "TCP")
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([for rule in values(var.addresses) : length(rule.sources) > 0 && length(rule.destinations) > 0 && alltrue([
      for range in concat(rule.sources, rule.destinations) : can(cidrhost(range, 0)) && try(tonumber(split("/", range)[1]), 0) >= 8
    ])])
    error_message = "The `sources` and `destinations` of a rule are ranges of /8 or narrower, for example [\"203.0.113.10/32\"]."
  }

  validation {
    condition     = alltrue([for rule in values(var.addresses) : length(rule.ports) > 0 && alltrue([for port in rule.ports : can(regex("^[0-9]{1,5}(-[0-9]{1,5})?$", port))])])
    error_message = "The `ports` of a rule are numbers or ranges, for example [\"5432\"]."
  }

  validation {
    condition     = alltrue([for rule in values(var.addresses) : contains(["TCP", "UDP"], rule.protocol)])
    error_message = "The `protocol` of a rule is TCP or UDP."
  }
}
