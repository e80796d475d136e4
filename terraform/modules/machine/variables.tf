variable "resource_group_name" {
  description = "Resource group that the machines are made in."
  type        = string
  nullable    = false
}

variable "location" {
  description = "Azure region, for example westeurope."
  type        = string
  nullable    = false
}

variable "environment" {
  description = "Environment of the machines, for example prod: a group of the inventory, and the tag mesh-environment."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$", var.environment))
    error_message = "`environment` has up to 32 characters: a lower-case letter, then letters, digits and inner dashes, for example prod."
  }
}

variable "ssh_public_keys" {
  description = "Public SSH keys that may log in from the first boot on. Later changes are Ansible's: they do not touch a machine that is there."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.ssh_public_keys) > 0 && alltrue([for key in var.ssh_public_keys : can(regex("^(ssh-ed25519|ssh-rsa) [A-Za-z0-9+/]+=*( .*)?$", key))])
    error_message = "`ssh_public_keys` holds one key at least, each one line that begins with ssh-ed25519 or ssh-rsa (Azure takes no others), for example file(\"~/.ssh/id_ed25519.pub\") without its line end: use trimspace()."
  }
}

variable "tags" {
  description = "Tags of everything that takes tags. Names that begin with mesh- are kept for the inventory."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.tags) : !startswith(lower(name), "mesh-")])
    error_message = "`tags` must not begin with mesh-: those are written by this module and read by the inventory."
  }
}

variable "disk_encryption_set_id" {
  description = "Disk encryption set with a key of your own for all disks; null for Azure's own keys. Disks are encrypted either way."
  type        = string
  default     = null
}

variable "machines" {
  description = <<-EOT
    The machines, by name, which is the host's name in the inventory, on the machine and in Azure.
    `workload`: the mesh workload that it runs. `address`: a fixed address of the subnet, by default Azure chooses one.
    `image`: by default Debian 12; or `image_id`. `identity_ids`: user-assigned identities; without any the machine gets one of its own.
    `security_group`: one for this machine's interface, for a subnet without one of ours. `cloud_init`: in place of the module's own, which it replaces.
    `trusted_launch`, `encryption_at_host`: turn off only for an image or a subscription that cannot. `extensions_allowed`: whether Azure may run programs on the machine.
  EOT
  type = map(object({
    workload  = string
    subnet_id = string
    address   = optional(string)
    size      = optional(string, "Standard_D2s_v5")
    zone      = optional(string)
    user      = optional(string, "azureuser")
    ssh_port  = optional(number, 22)
    image = optional(object({
      publisher = string
      offer     = string
      sku       = string
      version   = optional(string, "latest")
    }), { publisher = "Debian", offer = "debian-12", sku = "12-gen2" })
    image_id = optional(string)
    os_disk = optional(object({
      type    = optional(string, "Premium_LRS")
      size_gb = optional(number)
    }), {})
    data_disks = optional(map(object({
      lun     = number
      size_gb = number
      type    = optional(string, "Premium_LRS")
      caching = optional(string, "None")
    })), {})
    identity_ids           = optional(list(string), [])
    security_group         = optional(object({ id = string }))
    accelerated_networking = optional(bool, true)
    trusted_launch         = optional(bool, true)
    encryption_at_host     = optional(bool, true)
    extensions_allowed     = optional(bool, false)
    cloud_init             = optional(string)
    tags                   = optional(map(string), {})
  }))
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.machines) : can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", name))])
    error_message = "A machine's name has up to 63 characters: a lower-case letter, then letters, digits and inner dashes, for example shop-api-1."
  }

  validation {
    condition     = alltrue([for machine in values(var.machines) : can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", machine.workload))])
    error_message = "`workload` names the mesh workload: a lower-case letter, then letters, digits and inner dashes, for example shop-api."
  }

  validation {
    condition     = alltrue([for machine in values(var.machines) : !contains(["all", "ungrouped", "mesh-machines"], machine.workload)])
    error_message = "`workload` is also a group of the inventory, which has all, ungrouped and mesh_machines already: give it another name."
  }

  validation {
    condition     = alltrue([for machine in values(var.machines) : machine.address == null || can(cidrhost("${machine.address}/32", 0))])
    error_message = "The `address` of a machine is an address of its subnet, for example 10.20.1.10."
  }

  validation {
    condition     = alltrue([for machine in values(var.machines) : machine.zone == null || contains(["1", "2", "3"], coalesce(machine.zone, "1"))])
    error_message = "The `zone` of a machine is \"1\", \"2\" or \"3\"; leave it out in a region without zones."
  }

  validation {
    condition = alltrue([for machine in values(var.machines) :
      can(regex("^[a-z_][a-z0-9_-]{0,31}$", machine.user)) && !contains(["root", "admin", "administrator", "guest", "user", "test"], machine.user)
    ])
    error_message = "The `user` of a machine is a Linux user's name that Azure takes, for example azureuser; not root, admin, administrator, guest, user or test."
  }

  validation {
    condition     = alltrue([for machine in values(var.machines) : machine.ssh_port >= 1 && machine.ssh_port <= 65535])
    error_message = "The `ssh_port` of a machine is a port from 1 to 65535."
  }

  validation {
    condition     = alltrue([for machine in values(var.machines) : machine.ssh_port == 22 || machine.cloud_init == null])
    error_message = "A machine has `ssh_port` or `cloud_init`, not both: a cloud_init of your own sets the port itself, and the module could not know it."
  }

  validation {
    condition     = alltrue([for machine in values(var.machines) : machine.cloud_init == null || startswith(coalesce(machine.cloud_init, "-"), "#cloud-config\n")])
    error_message = "The `cloud_init` of a machine begins with the line #cloud-config."
  }

  validation {
    condition     = alltrue([for machine in values(var.machines) : contains(["Standard_LRS", "StandardSSD_LRS", "StandardSSD_ZRS", "Premium_LRS", "Premium_ZRS"], machine.os_disk.type)])
    error_message = "The `os_disk.type` of a machine is Standard_LRS, StandardSSD_LRS, StandardSSD_ZRS, Premium_LRS or Premium_ZRS."
  }

  validation {
    condition = alltrue(flatten([for machine in values(var.machines) : [for name, disk in machine.data_disks :
      can(regex("^[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?$", name)) && contains(["None", "ReadOnly", "ReadWrite"], disk.caching) && disk.size_gb >= 1 && disk.lun >= 0 && disk.lun <= 63
    ]]))
    error_message = "A data disk has a name of up to 16 lower-case letters, digits and inner dashes, `lun` 0 to 63, `size_gb` 1 or more, and `caching` None, ReadOnly or ReadWrite."
  }

  validation {
    condition     = alltrue([for machine in values(var.machines) : length(distinct(values(machine.data_disks)[*].lun)) == length(machine.data_disks)])
    error_message = "Two data disks of a machine have the same `lun`: give each its own."
  }

  validation {
    condition     = alltrue(flatten([for machine in values(var.machines) : [for name in keys(machine.tags) : !startswith(lower(name), "mesh-")]]))
    error_message = "The `tags` of a machine must not begin with mesh-: those are written by this module and read by the inventory."
  }
}
