output "mesh_machines" {
  description = "The machines, by name, as the inventory reads them from every stack."
  value       = module.machine.mesh_machines
}

output "egress_address" {
  description = "The public address that the machine is seen with from outside."
  value       = module.network.egress_address
}
