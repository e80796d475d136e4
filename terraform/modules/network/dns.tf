resource "azurerm_private_dns_zone" "this" {
  count = var.private_dns == null ? 0 : 1

  name                = var.private_dns.zone
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  count = var.private_dns == null ? 0 : 1

  name                 = var.name
  private_dns_zone_id  = azurerm_private_dns_zone.this[0].id
  virtual_network_id   = azurerm_virtual_network.this.id
  registration_enabled = var.private_dns.registration_enabled
  tags                 = var.tags
}

resource "azurerm_private_dns_a_record" "this" {
  for_each = var.private_dns == null ? {} : var.private_dns.records

  name                = each.key
  private_dns_zone_id = azurerm_private_dns_zone.this[0].id
  ttl                 = 300
  records             = each.value
  tags                = var.tags
}
