resource "azurerm_virtual_network_peering" "this" {
  for_each = var.peerings

  name                      = each.key
  resource_group_name       = var.resource_group_name
  virtual_network_name      = azurerm_virtual_network.this.name
  remote_virtual_network_id = each.value.remote_virtual_network_id
  allow_forwarded_traffic   = each.value.allow_forwarded_traffic
  use_remote_gateways       = each.value.use_remote_gateways

  # The remote half first: Azure refuses use_remote_gateways while the other side does not offer them.
  depends_on = [azurerm_virtual_network_peering.reverse]
}

resource "azurerm_virtual_network_peering" "reverse" {
  for_each = { for name, peering in var.peerings : name => peering.reverse if peering.reverse != null }

  name                      = var.name
  resource_group_name       = each.value.resource_group_name
  virtual_network_name      = each.value.virtual_network_name
  remote_virtual_network_id = azurerm_virtual_network.this.id
  allow_forwarded_traffic   = each.value.allow_forwarded_traffic
  allow_gateway_transit     = each.value.allow_gateway_transit
}
