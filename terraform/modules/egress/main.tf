resource "azurerm_public_ip" "this" {
  name                = "${var.name}-egress"
  resource_group_name = var.resource_group_name
  location            = var.location
  allocation_method   = "Static"
  sku                 = "Standard"
  zones               = var.zones
  tags                = var.tags
}

resource "azurerm_firewall_policy" "this" {
  # checkov:skip=CKV_AZURE_220:Intrusion detection needs the Premium tier, which costs more than twice as much; mTLS hides from it what the mesh says.

  name                     = var.name
  resource_group_name      = var.resource_group_name
  location                 = var.location
  sku                      = "Standard"
  threat_intelligence_mode = "Deny"
  tags                     = var.tags
}

# A firewall denies what no rule allows, so the allow-list is all there is. A collection without rules is none.
resource "azurerm_firewall_policy_rule_collection_group" "this" {
  name               = "allow-list"
  firewall_policy_id = azurerm_firewall_policy.this.id
  priority           = 100

  dynamic "network_rule_collection" {
    for_each = length(var.addresses) > 0 ? ["addresses"] : []

    content {
      name     = network_rule_collection.value
      action   = "Allow"
      priority = 100

      dynamic "rule" {
        for_each = var.addresses

        content {
          name                  = rule.key
          protocols             = [rule.value.protocol]
          source_addresses      = rule.value.sources
          destination_addresses = rule.value.destinations
          destination_ports     = rule.value.ports
        }
      }
    }
  }

  dynamic "application_rule_collection" {
    for_each = length(var.sites) > 0 ? ["sites"] : []

    content {
      name     = application_rule_collection.value
      action   = "Allow"
      priority = 200

      dynamic "rule" {
        for_each = var.sites

        content {
          name              = rule.key
          source_addresses  = rule.value.sources
          destination_fqdns = rule.value.hosts

          protocols {
            type = "Https"
            port = rule.value.port
          }
        }
      }
    }
  }
}

resource "azurerm_firewall" "this" {
  # checkov:skip=CKV_AZURE_216:The policy says it (threat_intelligence_mode); a firewall with a policy has no mode of its own.

  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  sku_name            = "AZFW_VNet"
  sku_tier            = "Standard"
  firewall_policy_id  = azurerm_firewall_policy.this.id
  zones               = var.zones
  tags                = var.tags

  ip_configuration {
    name                 = "egress"
    subnet_id            = var.subnet_id
    public_ip_address_id = azurerm_public_ip.this.id
  }

  # The rules first: a firewall that is up before them would cut off what is there already.
  depends_on = [azurerm_firewall_policy_rule_collection_group.this]
}
