locals {
  inbound = [for name, rule in var.inbound : {
    name         = "in-${name}"
    direction    = "Inbound"
    access       = "Allow"
    priority     = rule.priority
    protocol     = rule.protocol
    sources      = rule.sources
    destinations = ["*"]
    ports        = rule.ports
    description  = rule.description
  }]

  outbound = [for name, rule in var.outbound : {
    name         = "out-${name}"
    direction    = "Outbound"
    access       = "Allow"
    priority     = rule.priority
    protocol     = rule.protocol
    sources      = ["*"]
    destinations = rule.destinations
    ports        = rule.ports
    description  = rule.description
  }]

  # Before Azure's own defaults, which let the whole virtual network in and everything out. Azure's DNS (168.63.129.16)
  # and metadata (169.254.169.254) addresses pass: only rules with their own service tags would stop them
  # (learn.microsoft.com/azure/virtual-network/network-security-groups-overview, "Azure platform considerations").
  rest = [for direction in ["Inbound", "Outbound"] : {
    name         = "deny-rest-${lower(direction)}"
    direction    = direction
    access       = "Deny"
    priority     = 4096
    protocol     = "*"
    sources      = ["*"]
    destinations = ["*"]
    ports        = ["*"]
    description  = "Whatever no rule above allows."
  }]
}

# The rules stand inside the group, not beside it: so the group holds these rules and no other, and one that
# somebody added by hand is a drift that the next plan shows and takes away.
resource "azurerm_network_security_group" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags

  dynamic "security_rule" {
    for_each = concat(local.inbound, local.outbound, local.rest)

    content {
      name                         = security_rule.value.name
      description                  = security_rule.value.description
      direction                    = security_rule.value.direction
      access                       = security_rule.value.access
      priority                     = security_rule.value.priority
      protocol                     = security_rule.value.protocol
      source_port_range            = "*"
      source_address_prefix        = length(security_rule.value.sources) == 1 ? security_rule.value.sources[0] : null
      source_address_prefixes      = length(security_rule.value.sources) == 1 ? null : security_rule.value.sources
      destination_port_range       = length(security_rule.value.ports) == 1 ? security_rule.value.ports[0] : null
      destination_port_ranges      = length(security_rule.value.ports) == 1 ? null : security_rule.value.ports
      destination_address_prefix   = length(security_rule.value.destinations) == 1 ? security_rule.value.destinations[0] : null
      destination_address_prefixes = length(security_rule.value.destinations) == 1 ? null : security_rule.value.destinations
    }
  }
}
