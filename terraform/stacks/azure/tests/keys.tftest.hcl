# Adding or removing a machine touches only that one, and its workload's identity when it was the only one of it: see
# modules/machine/tests/keys.tftest.hcl.

mock_provider "azurerm" {
  # IDs in their own form: the provider checks each that it is given, in a test too.
  mock_resource "azurerm_resource_group" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg" }
  }

  mock_resource "azurerm_virtual_network" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net" }
  }

  mock_resource "azurerm_subnet" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines" }
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

  mock_resource "azurerm_network_interface" {
    defaults = {
      id                 = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces/interface"
      private_ip_address = "10.20.1.4"
    }
  }

  mock_resource "azurerm_linux_virtual_machine" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/machine" }
  }

  mock_resource "azurerm_user_assigned_identity" {
    defaults = {
      id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/identity"
      principal_id = "11111111-1111-1111-1111-111111111111"
    }
  }

  mock_resource "azurerm_role_definition" {
    defaults = {
      id                          = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Authorization/roleDefinitions/33333333-3333-3333-3333-333333333333|/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg"
      role_definition_resource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Authorization/roleDefinitions/33333333-3333-3333-3333-333333333333"
    }
  }

  mock_data "azurerm_resource_group" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg" }
  }
}

variables {
  name            = "shop"
  environment     = "prod"
  location        = "westeurope"
  ssh_public_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUB7FRmGeYvWFWzkNYVnZxwVxnDtKQKFCyQMzvTQ0Bc ops"]
  network = {
    address_space = ["10.20.0.0/16"]
    subnets       = { machines = { address_prefix = "10.20.1.0/24", ports = ["8080"] } }
  }
}

run "two" {
  variables {
    machines = {
      shop-api-1 = { workload = "shop-api", subnet = "machines" }
      shop-api-3 = { workload = "shop-api", subnet = "machines" }
    }
  }
}

run "one_of_another_workload_added" {
  command = plan

  variables {
    machines = {
      cart-1     = { workload = "cart", subnet = "machines" }
      shop-api-1 = { workload = "shop-api", subnet = "machines" }
      shop-api-3 = { workload = "shop-api", subnet = "machines" }
    }
  }

  assert {
    condition     = keys(output.mesh_machines) == ["cart-1", "shop-api-1", "shop-api-3"] && output.mesh_machines["shop-api-1"].resource_id != "" && output.mesh_machines["shop-api-3"].resource_id != ""
    error_message = "A machine was replaced because another was added."
  }
}

run "one_removed" {
  command = plan

  variables {
    machines = {
      shop-api-3 = { workload = "shop-api", subnet = "machines" }
    }
  }

  assert {
    condition     = keys(output.mesh_machines) == ["shop-api-3"] && output.mesh_machines["shop-api-3"].resource_id != ""
    error_message = "A machine was replaced because another was removed."
  }
}
