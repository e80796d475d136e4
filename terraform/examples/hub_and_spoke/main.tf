# Two spokes, no way out of their own: all that leaves passes the hub's firewall, which knows the few names that may be called.
# The hub stands here whole, so that the example can be run; in practice its owner has it, and gives its ID and the firewall's address.

locals {
  spokes = {
    shop     = { range = "10.21.0.0/16", subnet = "10.21.1.0/24", ports = ["8080"], calls = ["5432"] }
    payments = { range = "10.22.0.0/16", subnet = "10.22.1.0/24", ports = ["5432"], calls = [] }
  }

  machines = {
    shop-api-1    = { spoke = "shop", workload = "shop-api" }
    payments-db-1 = { spoke = "payments", workload = "payments-db" }
  }
}

resource "azurerm_resource_group" "this" {
  name     = "mesh-hub-and-spoke"
  location = var.location
}

resource "azurerm_virtual_network" "hub" {
  name                = "hub"
  resource_group_name = azurerm_resource_group.this.name
  location            = var.location
  address_space       = ["10.0.0.0/16"]
}

# The name that Azure asks for; a firewall's subnet takes no security group.
resource "azurerm_subnet" "firewall" {
  name                            = "AzureFirewallSubnet"
  resource_group_name             = azurerm_resource_group.this.name
  virtual_network_name            = azurerm_virtual_network.hub.name
  address_prefixes                = ["10.0.1.0/26"]
  default_outbound_access_enabled = false
}

module "egress" {
  source = "../../modules/egress"

  name                = "hub"
  resource_group_name = azurerm_resource_group.this.name
  location            = var.location
  subnet_id           = azurerm_subnet.firewall.id

  sites = {
    packages = { sources = values(local.spokes)[*].range, hosts = ["deb.debian.org", "security.debian.org"] }
  }

  # The cluster's network is peered with the hub by its owner, and the spokes are not with each other: both ways pass here too.
  addresses = {
    control-plane = { sources = values(local.spokes)[*].range, destinations = [var.control_plane], ports = ["15012"] }
    shop          = { sources = [var.cluster], destinations = [local.spokes.shop.subnet], ports = local.spokes.shop.ports }
    payments      = { sources = [local.spokes.shop.subnet], destinations = [local.spokes.payments.subnet], ports = local.spokes.payments.ports }
  }
}

module "spoke" {
  source   = "../../modules/network"
  for_each = local.spokes

  name                = each.key
  resource_group_name = azurerm_resource_group.this.name
  location            = var.location
  address_space       = [each.value.range]
  nat_gateway         = { enabled = false }
  ssh                 = { from = [var.controller] }

  mesh = {
    ranges        = concat([var.cluster], values(local.spokes)[*].range)
    control_plane = [var.control_plane]
  }

  subnets = {
    machines = {
      address_prefix = each.value.subnet
      ports          = each.value.ports
      calls          = each.value.calls
      # The firewall decides which names; here it is only "through it, by HTTPS".
      outbound = { sites = { priority = 200, destinations = ["Internet"], ports = ["443"] } }
    }
  }

  routes = {
    default = { address_prefix = "0.0.0.0/0", next_hop_type = "VirtualAppliance", next_hop_in_ip_address = module.egress.address }
  }

  peerings = {
    hub = {
      remote_virtual_network_id = azurerm_virtual_network.hub.id
      allow_forwarded_traffic   = true
      reverse = {
        resource_group_name     = azurerm_resource_group.this.name
        virtual_network_name    = azurerm_virtual_network.hub.name
        allow_forwarded_traffic = true
      }
    }
  }
}

module "machine" {
  source = "../../modules/machine"

  resource_group_name = azurerm_resource_group.this.name
  location            = var.location
  environment         = "dev"
  ssh_public_keys     = [var.ssh_public_key]

  machines = { for name, machine in local.machines : name => {
    workload  = machine.workload
    subnet_id = module.spoke[machine.spoke].subnets["machines"].id
  } }
}
