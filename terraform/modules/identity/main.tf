locals {
  roles = merge([for workload, description in var.workloads : {
    for key, role in description.roles : "${workload}/${key}" => merge(role, { workload = workload })
  }]...)
}

# User-assigned, one for each workload: a machine that is replaced keeps its workload's identity, so bindings to it
# (Key Vault, Vault roles) are made once and last.
resource "azurerm_user_assigned_identity" "this" {
  for_each = var.workloads

  name                = "${var.name}-${each.key}"
  resource_group_name = var.resource_group.name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_role_assignment" "workload" {
  for_each = local.roles

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = azurerm_user_assigned_identity.this[each.value.workload].principal_id
  principal_type       = "ServicePrincipal"
  description          = "Mesh workload ${each.value.workload}"

  # The identity is seconds old: Entra ID may not know it everywhere yet.
  skip_service_principal_aad_check = true
}

# What the inventory and Vault's Azure login call, no more. The built-in role Reader would show every resource of the
# group; Virtual Machine Contributor could run commands as root on all machines.
resource "azurerm_role_definition" "reader" {
  count = length(var.readers) > 0 ? 1 : 0

  name        = "${var.name} mesh machine reader"
  scope       = var.resource_group.id
  description = "List machines, scale sets and their network interfaces."

  permissions {
    actions = [
      "Microsoft.Compute/virtualMachines/read",
      "Microsoft.Compute/virtualMachines/instanceView/read",
      "Microsoft.Compute/virtualMachineScaleSets/read",
      "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
      "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/instanceView/read",
      "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces/read",
      "Microsoft.Network/networkInterfaces/read",
    ]
  }

  assignable_scopes = [var.resource_group.id]
}

resource "azurerm_role_assignment" "reader" {
  for_each = var.readers

  scope              = var.resource_group.id
  role_definition_id = azurerm_role_definition.reader[0].role_definition_resource_id
  principal_id       = each.value.principal_id
  principal_type     = each.value.principal_type
  description        = "Mesh inventory"
}
