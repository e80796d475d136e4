# Network, way out and resource group are somebody else's. This adds machines to their subnet, each interface with a security
# group of ours, so that the machines are closed whatever the subnet's own rules are (Azure asks both groups).

data "azurerm_resource_group" "this" {
  name = var.resource_group_name
}

data "azurerm_subnet" "machines" {
  name                 = var.subnet.name
  virtual_network_name = var.subnet.virtual_network_name
  resource_group_name  = var.subnet.resource_group_name
}

module "security_group" {
  source = "../../modules/security_group"

  name                = "shop-api"
  resource_group_name = data.azurerm_resource_group.this.name
  location            = var.location

  inbound = {
    ssh  = { priority = 100, sources = [var.controller], ports = ["22"] }
    mesh = { priority = 110, sources = [var.cluster], ports = ["8080"] }
  }

  outbound = {
    control-plane = { priority = 100, destinations = [var.control_plane], ports = ["15012"] }
    mesh          = { priority = 110, destinations = [var.cluster], ports = ["8080"] }
  }
}

module "identity" {
  source = "../../modules/identity"

  name           = "shop-dev"
  resource_group = { id = data.azurerm_resource_group.this.id, name = data.azurerm_resource_group.this.name }
  location       = var.location
  workloads      = { shop-api = {} }
}

module "machine" {
  source = "../../modules/machine"

  resource_group_name = data.azurerm_resource_group.this.name
  location            = var.location
  environment         = "dev"
  ssh_public_keys     = [var.ssh_public_key]

  machines = {
    shop-api-1 = {
      workload       = "shop-api"
      subnet_id      = data.azurerm_subnet.machines.id
      identity_ids   = [module.identity.identities["shop-api"].id]
      security_group = { id = module.security_group.id }
    }
  }
}
