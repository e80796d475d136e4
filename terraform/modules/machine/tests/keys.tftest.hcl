# Adding or removing a machine touches only that one. Here: a machine that stays keeps its key, so its ID is known when the plan is
# made, and not only after apply. That it is not even updated stands in the plans, which tests/integration/terraform reads.

mock_provider "azurerm" {
  # IDs in their own form: the provider checks each that it is given, in a test too.
  mock_resource "azurerm_network_interface" {
    defaults = {
      id                 = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces/interface"
      private_ip_address = "10.20.1.4"
    }
  }

  mock_resource "azurerm_linux_virtual_machine" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/machine" }
  }

  mock_resource "azurerm_managed_disk" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Compute/disks/disk" }
  }
}

variables {
  resource_group_name = "rg"
  location            = "westeurope"
  environment         = "prod"
  ssh_public_keys     = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUB7FRmGeYvWFWzkNYVnZxwVxnDtKQKFCyQMzvTQ0Bc ops"]
}

run "two" {
  variables {
    machines = {
      shop-api-1 = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { data = { lun = 0, size_gb = 8 } } }
      shop-api-3 = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { data = { lun = 0, size_gb = 8 } } }
    }
  }
}

run "one_added_in_between" {
  command = plan

  variables {
    ssh_public_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUB7FRmGeYvWFWzkNYVnZxwVxnDtKQKFCyQMzvTQ0Bc ops", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG6XgYpIBXmDSVAoTp7i5yjKcZVyRjB2GrpDqHnPa1vB another"]
    machines = {
      shop-api-1 = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { data = { lun = 0, size_gb = 8 } } }
      shop-api-2 = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { data = { lun = 0, size_gb = 8 } } }
      shop-api-3 = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { data = { lun = 0, size_gb = 8 } } }
    }
  }

  assert {
    condition     = keys(output.instances) == ["shop-api-1", "shop-api-2", "shop-api-3"] && output.instances["shop-api-1"] != "" && output.instances["shop-api-3"] != ""
    error_message = "A machine was replaced because another was added, or because of a new key."
  }
}

run "first_one_removed" {
  command = plan

  variables {
    machines = {
      shop-api-3 = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { data = { lun = 0, size_gb = 8 } } }
    }
  }

  assert {
    condition     = keys(output.instances) == ["shop-api-3"] && output.instances["shop-api-3"] != ""
    error_message = "A machine was replaced because another was removed."
  }
}
