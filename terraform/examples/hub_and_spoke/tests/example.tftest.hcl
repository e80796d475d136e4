mock_provider "azurerm" {
  source = "../../tests/mocks"
}

variables {
  ssh_public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUB7FRmGeYvWFWzkNYVnZxwVxnDtKQKFCyQMzvTQ0Bc ops"
}

# Azure puts a firewall into a subnet of this name only, and the module insists on it.
override_resource {
  target = azurerm_subnet.firewall
  values = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/hub/subnets/AzureFirewallSubnet" }
}

override_resource {
  target = module.egress.azurerm_firewall.this
  values = { ip_configuration = { private_ip_address = "10.0.1.4" } }
}

run "example" {
  assert {
    condition     = keys(output.mesh_machines) == ["payments-db-1", "shop-api-1"] && output.egress_address == "203.0.113.7"
    error_message = "A machine in each spoke, and one address for all of them."
  }

  assert {
    condition     = alltrue([for spoke in module.spoke : spoke.egress_address == null])
    error_message = "No spoke has a way out of its own."
  }
}
