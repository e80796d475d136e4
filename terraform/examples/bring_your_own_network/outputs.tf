output "mesh_machines" {
  description = "The machines, by name, as the inventory reads them from every stack."
  value       = module.machine.mesh_machines
}
