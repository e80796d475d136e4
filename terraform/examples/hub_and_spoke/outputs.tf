output "mesh_machines" {
  description = "The machines, by name, as the inventory reads them from every stack."
  value       = module.machine.mesh_machines
}

output "egress_address" {
  description = "The public address that all spokes are seen with from outside: the firewall's."
  value       = module.egress.egress_address
}
