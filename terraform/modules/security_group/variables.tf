variable "name" {
  description = "Name of the network security group."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,78}[A-Za-z0-9_]$", var.name))
    error_message = "`name` has 2 to 80 letters, digits, dots, dashes and underscores, for example shop-prod-machines."
  }
}

variable "resource_group_name" {
  description = "Resource group that the security group is made in."
  type        = string
  nullable    = false
}

variable "location" {
  description = "Azure region, for example westeurope."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of the security group."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "inbound" {
  description = <<-EOT
    What may come in, by name; everything else is denied.
    `priority` is written out, so that a rule added in between renumbers no other. `sources` are ranges in CIDR notation, or one service tag alone.
  EOT
  type = map(object({
    priority    = number
    sources     = list(string)
    ports       = list(string)
    protocol    = optional(string, "Tcp")
    description = optional(string, "")
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.inbound) : can(regex("^[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?$", name))])
    error_message = "The name of an inbound rule has up to 60 lower-case letters, digits and inner dashes, for example ssh."
  }

  validation {
    condition     = alltrue([for rule in values(var.inbound) : rule.priority >= 100 && rule.priority <= 4095 && floor(rule.priority) == rule.priority])
    error_message = "The `priority` of an inbound rule is a whole number from 100 to 4095; 4096 is the rule that denies the rest."
  }

  validation {
    condition     = length(distinct([for rule in values(var.inbound) : rule.priority])) == length(var.inbound)
    error_message = "Two inbound rules have the same `priority`: give each its own."
  }

  validation {
    condition     = alltrue([for rule in values(var.inbound) : contains(["Tcp", "Udp", "Icmp"], rule.protocol)])
    error_message = "The `protocol` of an inbound rule is Tcp, Udp or Icmp."
  }

  validation {
    condition = alltrue([for rule in values(var.inbound) : length(rule.ports) > 0 && (
      rule.protocol == "Icmp"
      ? rule.ports == tolist(["*"])
      : alltrue([for port in rule.ports : can(regex("^[0-9]{1,5}(-[0-9]{1,5})?$", port)) && alltrue([for number in split("-", port) : try(tonumber(number) <= 65535, false)])])
    )])
    error_message = "The `ports` of an inbound rule are numbers or ranges such as [\"8080\", \"9000-9010\"]; only with protocol Icmp they are [\"*\"]."
  }

  validation {
    condition = alltrue([for rule in values(var.inbound) : length(rule.sources) > 0 && (
      alltrue([for source in rule.sources : can(cidrhost(source, 0)) && try(tonumber(split("/", source)[1]), 0) >= 8])
      || (can(regex("^[A-Z][A-Za-z]+([.][A-Za-z0-9]+)?$", join(",", rule.sources))) && !contains(["Internet", "VirtualNetwork"], join(",", rule.sources)))
    )])
    error_message = "The `sources` of an inbound rule are ranges of /8 or narrower, such as [\"10.1.0.0/16\", \"10.2.0.4/32\"], or one service tag alone. Not the Internet, and not VirtualNetwork, which holds every peered network: write the ranges."
  }

  validation {
    condition     = alltrue([for rule in values(var.inbound) : length(rule.description) <= 140])
    error_message = "The `description` of an inbound rule has up to 140 characters."
  }
}

variable "outbound" {
  description = <<-EOT
    What may go out, by name; everything else is denied.
    `destinations` are ranges in CIDR notation, or one service tag alone, such as AzureKeyVault or Internet.
  EOT
  type = map(object({
    priority     = number
    destinations = list(string)
    ports        = list(string)
    protocol     = optional(string, "Tcp")
    description  = optional(string, "")
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.outbound) : can(regex("^[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?$", name))])
    error_message = "The name of an outbound rule has up to 60 lower-case letters, digits and inner dashes, for example key-vault."
  }

  validation {
    condition     = alltrue([for rule in values(var.outbound) : rule.priority >= 100 && rule.priority <= 4095 && floor(rule.priority) == rule.priority])
    error_message = "The `priority` of an outbound rule is a whole number from 100 to 4095; 4096 is the rule that denies the rest."
  }

  validation {
    condition     = length(distinct([for rule in values(var.outbound) : rule.priority])) == length(var.outbound)
    error_message = "Two outbound rules have the same `priority`: give each its own."
  }

  validation {
    condition     = alltrue([for rule in values(var.outbound) : contains(["Tcp", "Udp", "Icmp"], rule.protocol)])
    error_message = "The `protocol` of an outbound rule is Tcp, Udp or Icmp."
  }

  validation {
    condition = alltrue([for rule in values(var.outbound) : length(rule.ports) > 0 && (
      rule.protocol == "Icmp"
      ? rule.ports == tolist(["*"])
      : alltrue([for port in rule.ports : can(regex("^[0-9]{1,5}(-[0-9]{1,5})?$", port)) && alltrue([for number in split("-", port) : try(tonumber(number) <= 65535, false)])])
    )])
    error_message = "The `ports` of an outbound rule are numbers or ranges such as [\"443\"]; only with protocol Icmp they are [\"*\"]."
  }

  validation {
    condition = alltrue([for rule in values(var.outbound) : length(rule.destinations) > 0 && (
      alltrue([for destination in rule.destinations : can(cidrhost(destination, 0)) && try(tonumber(split("/", destination)[1]), 0) >= 8])
      || can(regex("^[A-Z][A-Za-z]+([.][A-Za-z0-9]+)?$", join(",", rule.destinations)))
    )])
    error_message = "The `destinations` of an outbound rule are ranges of /8 or narrower, such as [\"10.1.0.0/16\"], or one service tag alone, such as [\"AzureKeyVault\"]. For any public address write [\"Internet\"]."
  }

  validation {
    condition     = alltrue([for rule in values(var.outbound) : length(rule.description) <= 140])
    error_message = "The `description` of an outbound rule has up to 140 characters."
  }
}
