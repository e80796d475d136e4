# Adding or removing a machine touches only that one: what the others were made as is what they are. The values compared are made
# up anew with every creation, so a machine that was replaced would show.

mock_provider "azurerm" {
  source = "../../tests/mocks"
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
  variables {
    ssh_public_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUB7FRmGeYvWFWzkNYVnZxwVxnDtKQKFCyQMzvTQ0Bc ops", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG6XgYpIBXmDSVAoTp7i5yjKcZVyRjB2GrpDqHnPa1vB another"]
    machines = {
      shop-api-1 = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { data = { lun = 0, size_gb = 8 } } }
      shop-api-2 = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { data = { lun = 0, size_gb = 8 } } }
      shop-api-3 = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { data = { lun = 0, size_gb = 8 } } }
    }
  }

  assert {
    condition     = alltrue([for name in ["shop-api-1", "shop-api-3"] : output.instances[name] == run.two.instances[name]])
    error_message = "A machine was replaced because another was added, or because of a new key."
  }
}

run "first_one_removed" {
  variables {
    machines = {
      shop-api-2 = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { data = { lun = 0, size_gb = 8 } } }
      shop-api-3 = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { data = { lun = 0, size_gb = 8 } } }
    }
  }

  assert {
    condition     = keys(output.mesh_machines) == ["shop-api-2", "shop-api-3"] && alltrue([for name in ["shop-api-2", "shop-api-3"] : output.instances[name] == run.one_added_in_between.instances[name]])
    error_message = "A machine was replaced because another was removed."
  }
}
