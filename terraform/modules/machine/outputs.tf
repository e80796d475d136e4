output "mesh_machines" {
  description = "The machines, by name, as the inventory reads them from every stack."
  value = {
    for name, machine in var.machines : name => {
      address     = azurerm_network_interface.this[name].private_ip_address
      user        = machine.user
      ssh_port    = machine.ssh_port
      workload    = machine.workload
      environment = var.environment
      location    = var.location
      zone        = machine.zone
      resource_id = azurerm_linux_virtual_machine.this[name].id
      tags        = merge(var.tags, machine.tags)
    }
  }
}

output "principal_ids" {
  description = "Principal of the identity that each machine has of its own, by name; null where it has its workload's."
  value       = { for name, machine in azurerm_linux_virtual_machine.this : name => one([for identity in machine.identity : identity.principal_id if identity.type == "SystemAssigned"]) }
}

output "instances" {
  description = "Azure's own ID of each machine (vmId), by name: another one when a machine was made anew under the same name. Vault's Azure login can be bound to it."
  value       = { for name, machine in azurerm_linux_virtual_machine.this : name => machine.virtual_machine_id }
}
