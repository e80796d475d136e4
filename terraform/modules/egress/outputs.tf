output "address" {
  description = "The firewall's address in the hub: the next hop of the spokes' default route."
  value       = azurerm_firewall.this.ip_configuration[0].private_ip_address
}

output "egress_address" {
  description = "The public address that machines are seen with from outside, for partners' lists."
  value       = azurerm_public_ip.this.ip_address
}
