mock_provider "azurerm" {
  # IDs in their own form: the provider checks each that it is given, in a test too.
  mock_resource "azurerm_public_ip" {
    defaults = {
      id         = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/publicIPAddresses/egress"
      ip_address = "203.0.113.7"
    }
  }

  mock_resource "azurerm_firewall_policy" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/firewallPolicies/policy" }
  }
}

variables {
  name                = "hub"
  resource_group_name = "rg"
  location            = "westeurope"
  subnet_id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/hub/subnets/AzureFirewallSubnet"
}

run "defaults" {
  command = plan

  assert {
    condition     = length(azurerm_firewall_policy_rule_collection_group.this.application_rule_collection) + length(azurerm_firewall_policy_rule_collection_group.this.network_rule_collection) == 0
    error_message = "Nothing passes by default."
  }

  assert {
    condition     = azurerm_firewall_policy.this.threat_intelligence_mode == "Deny" && azurerm_public_ip.this.allocation_method == "Static" && azurerm_firewall.this.zones == toset(["1", "2", "3"])
    error_message = "Known bad addresses are denied, the address is fixed, all zones are used."
  }
}

run "options" {
  command = apply

  variables {
    zones     = []
    sites     = { packages = { sources = ["10.20.0.0/16"], hosts = ["deb.debian.org", "*.vault.azure.net"], port = 8443 } }
    addresses = { partner = { sources = ["10.20.1.0/24"], destinations = ["203.0.113.10/32"], ports = ["5432"] } }
  }

  override_resource {
    target = azurerm_firewall.this
    values = { ip_configuration = { private_ip_address = "10.0.1.4" } }
  }

  assert {
    condition     = azurerm_firewall_policy_rule_collection_group.this.application_rule_collection[0].action == "Allow" && azurerm_firewall_policy_rule_collection_group.this.application_rule_collection[0].rule[0].destination_fqdns == tolist(["deb.debian.org", "*.vault.azure.net"]) && azurerm_firewall_policy_rule_collection_group.this.application_rule_collection[0].rule[0].protocols[0].type == "Https" && azurerm_firewall_policy_rule_collection_group.this.application_rule_collection[0].rule[0].protocols[0].port == 8443
    error_message = "Sites are allowed by name, by HTTPS only."
  }

  assert {
    condition     = azurerm_firewall_policy_rule_collection_group.this.network_rule_collection[0].rule[0].destination_ports == tolist(["5432"]) && azurerm_firewall_policy_rule_collection_group.this.network_rule_collection[0].rule[0].protocols == tolist(["TCP"])
    error_message = "Addresses are allowed with their ports."
  }

  assert {
    condition     = output.address == "10.0.1.4" && output.egress_address == "203.0.113.7"
    error_message = "The next hop of the spokes and the address for partners are outputs."
  }
}
