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
}

run "defaults" {
  command = plan

  assert {
    condition     = azurerm_resource_group.this[0].name == "shop-prod" && length(data.azurerm_resource_group.this) == 0
    error_message = "The stack makes its resource group."
  }

  assert {
    condition     = output.mesh_machines == {} && output.identities == {} && output.virtual_network == null && output.egress_address == null
    error_message = "Without a network and machines there is nothing else."
  }
}

run "own_network" {
  command = plan

  variables {
    network = {
      address_space = ["10.20.0.0/16"]
      subnets       = { machines = { address_prefix = "10.20.1.0/24", ports = ["8080"] } }
      ssh           = { from = ["10.0.9.0/26"] }
      mesh          = { ranges = ["10.100.0.0/16"], control_plane = ["10.100.0.10/32"] }
    }
    workloads = {
      payments-db = { roles = { password = { role = "Key Vault Secrets User", scope = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/vault/providers/Microsoft.KeyVault/vaults/shop/secrets/password" } } }
    }
    readers = { inventory = { principal_id = "55555555-5555-5555-5555-555555555555" } }
    machines = {
      shop-api-1    = { workload = "shop-api", subnet = "machines", zone = "1", tags = { tier = "front" } }
      shop-api-2    = { workload = "shop-api", subnet = "machines", zone = "2" }
      payments-db-1 = { workload = "payments-db", subnet = "machines", user = "ops", ssh_port = 2222 }
    }
  }

  assert {
    condition     = { for name, machine in output.mesh_machines : name => "${machine.user}:${machine.ssh_port} ${machine.workload} ${machine.environment}" } == { shop-api-1 = "azureuser:22 shop-api prod", shop-api-2 = "azureuser:22 shop-api prod", payments-db-1 = "ops:2222 payments-db prod" }
    error_message = "The machines are what the inventory reads; what was left out has the module's default."
  }

  assert {
    condition     = output.mesh_machines["shop-api-1"].zone == "1" && output.mesh_machines["shop-api-1"].tags == tomap({ tier = "front" }) && output.mesh_machines["payments-db-1"].zone == null
    error_message = "Zone and tags are the machine's."
  }

  assert {
    condition     = toset(keys(output.identities)) == toset(["shop-api", "payments-db"]) && toset(keys(output.vault_roles)) == toset(["shop-api", "payments-db"])
    error_message = "Each workload has an identity, and what Vault needs to know of it."
  }

  assert {
    condition     = output.virtual_network.name == "shop-prod" && length(module.network) == 1
    error_message = "The network is the stack's."
  }

  assert {
    condition     = length(module.machine.principal_ids) == 3 && alltrue([for principal in values(module.machine.principal_ids) : principal == null])
    error_message = "A machine has its workload's identity and no other."
  }
}

run "network_that_is_there" {
  command = plan

  variables {
    resource_group = { name = "given", create = false }
    subnet_ids     = { given = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/network/providers/Microsoft.Network/virtualNetworks/network/subnets/machines" }
    machines       = { shop-api-1 = { workload = "shop-api", subnet = "given" } }
  }

  assert {
    condition     = length(azurerm_resource_group.this) == 0 && length(module.network) == 0
    error_message = "What is there is not made."
  }

  assert {
    condition     = keys(output.mesh_machines) == ["shop-api-1"] && output.egress_address == null
    error_message = "The machine goes into the given subnet."
  }
}
