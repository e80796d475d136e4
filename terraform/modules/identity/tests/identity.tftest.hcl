mock_provider "azurerm" {
  # IDs in their own form: the provider checks each that it is given, in a test too.
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
}

variables {
  name           = "shop-prod"
  resource_group = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg", name = "rg" }
  location       = "westeurope"
  workloads      = { shop-api = {}, payments-db = {} }
}

run "defaults" {
  command = apply

  assert {
    condition     = { for name, identity in azurerm_user_assigned_identity.this : name => identity.name } == { shop-api = "shop-prod-shop-api", payments-db = "shop-prod-payments-db" }
    error_message = "Each workload has its own identity."
  }

  assert {
    condition     = length(azurerm_role_assignment.workload) + length(azurerm_role_assignment.reader) + length(azurerm_role_definition.reader) == 0
    error_message = "Nobody gets a role that was not asked for."
  }

  assert {
    condition     = output.vault_roles["shop-api"].bound_service_principal_ids == [output.identities["shop-api"].principal_id] && output.vault_roles["shop-api"].bound_resource_groups == ["rg"]
    error_message = "Vault lets in the workload's identity from this resource group."
  }
}

run "roles_and_readers" {
  command = apply

  variables {
    tags = { team = "shop" }
    workloads = {
      shop-api = {}
      payments-db = {
        roles = {
          password = { role = "Key Vault Secrets User", scope = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/vault/providers/Microsoft.KeyVault/vaults/shop/secrets/password" }
        }
      }
    }
    readers = {
      inventory = { principal_id = "55555555-5555-5555-5555-555555555555" }
      operators = { principal_id = "66666666-6666-6666-6666-666666666666", principal_type = "Group" }
    }
  }

  assert {
    condition     = keys(azurerm_role_assignment.workload) == ["payments-db/password"] && azurerm_role_assignment.workload["payments-db/password"].role_definition_name == "Key Vault Secrets User" && azurerm_role_assignment.workload["payments-db/password"].principal_type == "ServicePrincipal"
    error_message = "The workload has the role that was asked for, at its resource."
  }

  assert {
    condition     = alltrue([for permission in azurerm_role_definition.reader[0].permissions : alltrue([for action in permission.actions : endswith(action, "/read") && !strcontains(action, "*")])])
    error_message = "Readers read, and only what is named."
  }

  assert {
    condition     = alltrue([for permission in azurerm_role_definition.reader[0].permissions : length(coalesce(permission.data_actions, [])) == 0]) && azurerm_role_definition.reader[0].scope == var.resource_group.id
    error_message = "Readers see this resource group only, and no data."
  }

  assert {
    condition     = { for name, assignment in azurerm_role_assignment.reader : name => [assignment.principal_type, assignment.scope] } == { inventory = ["ServicePrincipal", var.resource_group.id], operators = ["Group", var.resource_group.id] }
    error_message = "Each reader has its assignment."
  }
}
