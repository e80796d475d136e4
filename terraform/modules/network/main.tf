resource "azurerm_virtual_network" "this" {
  # checkov:skip=CKV_AZURE_183:Azure's own name server by default, which the private DNS zone needs; dns_servers sets others.

  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  address_space       = var.address_space
  dns_servers         = var.dns_servers
  tags                = var.tags
}

resource "azurerm_subnet" "this" {
  for_each = var.subnets

  name                 = each.key
  resource_group_name  = var.resource_group_name
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [each.value.address_prefix]

  # Without a way out that somebody decided on, there is none.
  default_outbound_access_enabled = false

  # Security groups and routes hold for private endpoints too.
  private_endpoint_network_policies = "Enabled"

  dynamic "service_endpoint" {
    for_each = each.value.service_endpoints

    content {
      service = service_endpoint.value
    }
  }
}
