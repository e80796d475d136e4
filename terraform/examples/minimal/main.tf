# One machine in a network of its own: reached by SSH from one range, open to the mesh at one port, out by one fixed address.

resource "azurerm_resource_group" "this" {
  name     = "shop-dev"
  location = var.location
}

module "network" {
  source = "../../modules/network"

  name                = "shop-dev"
  resource_group_name = azurerm_resource_group.this.name
  location            = var.location
  address_space       = ["10.20.0.0/16"]
  subnets             = { machines = { address_prefix = "10.20.1.0/24", ports = ["8080"] } }
  ssh                 = { from = [var.controller] }
  mesh                = { ranges = [var.cluster], control_plane = [var.control_plane] }
}

module "machine" {
  source = "../../modules/machine"

  resource_group_name = azurerm_resource_group.this.name
  location            = var.location
  environment         = "dev"
  ssh_public_keys     = [var.ssh_public_key]

  machines = {
    shop-api-1 = { workload = "shop-api", subnet_id = module.network.subnets["machines"].id }
  }
}
