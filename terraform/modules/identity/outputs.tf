output "identities" {
  description = "The identity of each workload: `id` for the machine, `client_id` for a program that asks for a token, `principal_id` for role assignments."
  value = {
    for workload, identity in azurerm_user_assigned_identity.this : workload => {
      id           = identity.id
      client_id    = identity.client_id
      principal_id = identity.principal_id
    }
  }
}

output "vault_roles" {
  description = "For each workload the parameters of a role of Vault's Azure login (auth/azure/role/NAME) that takes its machines and no others."
  value = {
    for workload, identity in azurerm_user_assigned_identity.this : workload => {
      bound_service_principal_ids = [identity.principal_id]
      bound_resource_groups       = [var.resource_group.name]
    }
  }
}
