variable "name" {
  description = "Beginning of the names of the identities and of the role, for example shop-prod."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", var.name))
    error_message = "`name` has up to 40 lower-case letters, digits and inner dashes, for example shop-prod."
  }
}

variable "resource_group" {
  description = "Resource group of the identities; its machines are what `readers` may list."
  type = object({
    id   = string
    name = string
  })
  nullable = false
}

variable "location" {
  description = "Azure region, for example westeurope."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of the identities."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "workloads" {
  description = <<-EOT
    The mesh workloads, by name: each has one identity for all of its machines, which outlives them.
    `roles`: what it may do in Azure, by a name of your own: a built-in role at the scope of one resource, such as
    { db-password = { role = "Key Vault Secrets User", scope = "/subscriptions/…/vaults/shop/secrets/db-password" } }. The join itself needs none.
  EOT
  type = map(object({
    roles = optional(map(object({
      role  = string
      scope = string
    })), {})
  }))
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.workloads) : can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", name))])
    error_message = "A workload's name is a lower-case letter, then letters, digits and inner dashes, for example shop-api."
  }

  validation {
    condition = alltrue(flatten([for workload in values(var.workloads) : [for role in values(workload.roles) :
      !contains(["owner", "contributor", "user access administrator", "role based access control administrator", "key vault administrator", "virtual machine contributor", "network contributor"], lower(role.role))
    ]]))
    error_message = "A workload does not get a role that administers: write one that does just what it needs, for example Key Vault Secrets User, AcrPull or Storage Blob Data Reader."
  }

  validation {
    condition = alltrue(flatten([for workload in values(var.workloads) : [for role in values(workload.roles) :
      can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[^/]+/[^/]+/[^/]+(/.*)?$", role.scope))
    ]]))
    error_message = "The `scope` of a workload's role is the resource ID of one resource (/subscriptions/…/resourceGroups/…/providers/…), not a resource group or a subscription."
  }
}

variable "readers" {
  description = <<-EOT
    Who may list the machines of the resource group and their addresses, and nothing else: the service principal that runs the inventory, and
    that of Vault, whose Azure login looks a machine up. By a name of your own, with the object ID.
  EOT
  type = map(object({
    principal_id   = string
    principal_type = optional(string, "ServicePrincipal")
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for reader in values(var.readers) : contains(["User", "Group", "ServicePrincipal"], reader.principal_type)])
    error_message = "The `principal_type` of a reader is User, Group or ServicePrincipal."
  }

  validation {
    condition     = alltrue([for reader in values(var.readers) : can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", reader.principal_id))])
    error_message = "The `principal_id` of a reader is an object ID, for example 11111111-2222-3333-4444-555555555555 (for an application: that of its service principal, not the client ID)."
  }
}
