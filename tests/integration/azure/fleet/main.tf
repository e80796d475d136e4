# The smallest configuration around the module `machine`, for faults: the module itself, without
# what takes its time in the provider (private DNS, role assignments).
terraform {
  required_version = ">= 1.9"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 5.1, < 6.0"
    }
  }

  backend "azurerm" {
    use_azuread_auth = true
  }
}

provider "azurerm" {
  features {
    # A machine whose creation fails or is interrupted half way is in the state, not only in Azure.
    persist_id_on_create_before_polling_for_completion = true
  }
}

variable "machines" {
  description = "Tags by machine."
  type        = map(map(string))
  nullable    = false
}

variable "ssh_public_key" {
  description = "A key that may log in."
  type        = string
  nullable    = false
}

resource "azurerm_resource_group" "this" {
  name     = "faults"
  location = "westeurope"
}

resource "azurerm_virtual_network" "this" {
  name                = "faults"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  address_space       = ["10.20.0.0/16"]
}

resource "azurerm_subnet" "this" {
  name                            = "machines"
  resource_group_name             = azurerm_resource_group.this.name
  virtual_network_name            = azurerm_virtual_network.this.name
  address_prefixes                = ["10.20.1.0/24"]
  default_outbound_access_enabled = false
}

module "machine" {
  source = "../modules/machine"

  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  environment         = "test"
  ssh_public_keys     = [var.ssh_public_key]
  machines = { for name, tags in var.machines : name => {
    workload  = "shop-api"
    subnet_id = azurerm_subnet.this.id
    tags      = tags
  } }
}
