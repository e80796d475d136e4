output "mesh_machines" {
  description = "The machines, by name, as the inventory reads them from every stack."
  value       = module.machine.mesh_machines
}

output "egress_address" {
  description = "The public address that machines are seen with from outside; null without a network or a NAT gateway of this stack."
  value       = one(module.network[*].egress_address)
}

output "virtual_network" {
  description = "The virtual network of this stack, for the other half of a peering; null without one."
  value       = one(module.network[*].virtual_network)
}

output "identities" {
  description = "The identity of each workload."
  value       = module.identity.identities
}

output "vault_roles" {
  description = "For each workload the parameters of a role of Vault's Azure login."
  value       = module.identity.vault_roles
}
