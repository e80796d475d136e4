mock_provider "azurerm" {
  # IDs in their own form: the provider checks each that it is given, in a test too.
  mock_resource "azurerm_virtual_network" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net" }
  }

  mock_resource "azurerm_subnet" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/AzureFirewallSubnet" }
  }

  mock_resource "azurerm_network_security_group" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/networkSecurityGroups/group" }
  }

  mock_resource "azurerm_public_ip" {
    defaults = {
      id         = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/publicIPAddresses/egress"
      ip_address = "203.0.113.7"
    }
  }

  mock_resource "azurerm_nat_gateway" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/natGateways/nat" }
  }

  mock_resource "azurerm_route_table" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/routeTables/table" }
  }

  mock_resource "azurerm_firewall_policy" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/firewallPolicies/policy" }
  }

  mock_resource "azurerm_network_interface" {
    defaults = {
      id                 = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces/interface"
      private_ip_address = "10.20.1.4"
    }
  }

  mock_resource "azurerm_linux_virtual_machine" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/machine" }
  }
}

variables {
  ssh_public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUB7FRmGeYvWFWzkNYVnZxwVxnDtKQKFCyQMzvTQ0Bc ops"
}

run "example" {
  command = plan

  assert {
    condition     = keys(output.mesh_machines) == ["payments-db-1", "shop-api-1"]
    error_message = "A machine in each spoke."
  }

  assert {
    condition     = alltrue([for spoke in module.spoke : spoke.egress_address == null])
    error_message = "No spoke has a way out of its own."
  }

  assert {
    condition     = module.spoke["payments"].inbound["machines"] == ["100 Tcp 10.0.9.0/26 -> 22", "110 Tcp 10.100.0.0/16,10.22.0.0/16,10.21.0.0/16 -> 5432"]
    error_message = "The other spoke may call the database, as far as the spoke's own rules go."
  }
}
