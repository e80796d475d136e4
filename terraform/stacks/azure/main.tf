locals {
  name = "${var.name}-${var.environment}"

  resource_group = one(concat(
    [for group in azurerm_resource_group.this : { id = group.id, name = group.name }],
    [for group in data.azurerm_resource_group.this : { id = group.id, name = group.name }],
  ))

  subnet_ids = merge(
    var.subnet_ids,
    merge([for network in module.network : { for name, subnet in network.subnets : name => subnet.id }]...),
  )

  workloads = merge(
    { for workload in distinct(values(var.machines)[*].workload) : workload => {} },
    var.workloads,
  )
}

resource "azurerm_resource_group" "this" {
  count = var.resource_group.create ? 1 : 0

  name     = coalesce(var.resource_group.name, local.name)
  location = var.location
  tags     = var.tags
}

data "azurerm_resource_group" "this" {
  count = var.resource_group.create ? 0 : 1

  name = var.resource_group.name
}

module "network" {
  source = "../../modules/network"
  count  = var.network == null ? 0 : 1

  name                          = local.name
  resource_group_name           = local.resource_group.name
  location                      = var.location
  tags                          = var.tags
  address_space                 = var.network.address_space
  dns_servers                   = var.network.dns_servers
  subnets                       = var.network.subnets
  ssh                           = var.network.ssh
  mesh                          = var.network.mesh
  nat_gateway                   = var.network.nat_gateway
  routes                        = var.network.routes
  bgp_route_propagation_enabled = var.network.bgp_route_propagation_enabled
  private_dns                   = var.network.private_dns
  peerings                      = var.network.peerings
  flow_logs                     = var.network.flow_logs
}

module "identity" {
  source = "../../modules/identity"

  name           = local.name
  resource_group = local.resource_group
  location       = var.location
  tags           = var.tags
  workloads      = local.workloads
  readers        = var.readers
}

module "machine" {
  source = "../../modules/machine"

  resource_group_name    = local.resource_group.name
  location               = var.location
  environment            = var.environment
  ssh_public_keys        = var.ssh_public_keys
  tags                   = var.tags
  disk_encryption_set_id = var.disk_encryption_set_id

  machines = { for name, machine in var.machines : name => merge(machine, {
    subnet_id    = local.subnet_ids[machine.subnet]
    identity_ids = [module.identity.identities[machine.workload].id]
  }) }
}
