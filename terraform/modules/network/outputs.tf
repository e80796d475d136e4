output "virtual_network" {
  description = "The virtual network."
  value = {
    id            = azurerm_virtual_network.this.id
    name          = azurerm_virtual_network.this.name
    address_space = var.address_space
  }
}

output "subnets" {
  description = "The subnets, by name."
  value = {
    for name, subnet in azurerm_subnet.this : name => {
      id                = subnet.id
      address_prefix    = var.subnets[name].address_prefix
      security_group_id = module.security_group[name].id
    }
  }

  # A machine that is put into a subnet finds its rules and its way out in place.
  depends_on = [
    azurerm_subnet_network_security_group_association.this,
    azurerm_subnet_nat_gateway_association.this,
    azurerm_subnet_route_table_association.this,
    azurerm_nat_gateway_public_ip_association.this,
  ]
}

output "egress_address" {
  description = "The public address that machines are seen with from outside, or null without a NAT gateway."
  value       = one(azurerm_public_ip.egress[*].ip_address)
}

output "route_table_id" {
  description = "Resource ID of the route table of all subnets."
  value       = azurerm_route_table.this.id
}

output "private_dns_zone" {
  description = "Resource ID and name of the private DNS zone, or null."
  value       = one([for zone in azurerm_private_dns_zone.this : { id = zone.id, name = zone.name }])
}

output "inbound" {
  description = "What may come into each subnet, for people and tests: priority, protocol, sources, ports."
  value = { for name, rules in local.inbound : name => [
    for line in sort([for rule in values(rules) : format("%04d %s %s -> %s", rule.priority, rule.protocol, join(",", rule.sources), join(",", rule.ports))]) : trimprefix(line, "0")
  ] }
}

output "outbound" {
  description = "What may go out of each subnet, for people and tests: priority, protocol, destinations, ports."
  value = { for name, rules in local.outbound : name => [
    for line in sort([for rule in values(rules) : format("%04d %s -> %s %s", rule.priority, rule.protocol, join(",", rule.destinations), join(",", rule.ports))]) : trimprefix(line, "0")
  ] }
}
