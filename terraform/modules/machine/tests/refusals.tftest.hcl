# Every validation refuses what it is there to refuse. The module under test has the same variables.tf and nothing else, so that no
# provider is started for what never gets to it.

variables {
  resource_group_name = "rg"
  location            = "westeurope"
  environment         = "prod"
  ssh_public_keys     = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUB7FRmGeYvWFWzkNYVnZxwVxnDtKQKFCyQMzvTQ0Bc ops"]
  machines            = {}
}

run "environment" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    environment = "Prod 1"
  }

  expect_failures = [var.environment]
}

run "no_key" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    ssh_public_keys = []
  }

  expect_failures = [var.ssh_public_keys]
}

run "password_in_place_of_a_key" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    ssh_public_keys = ["secret"]
  }

  expect_failures = [var.ssh_public_keys]
}

run "key_of_a_kind_that_azure_refuses" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    ssh_public_keys = ["ecdsa-sha2-nistp256 AAAA"]
  }

  expect_failures = [var.ssh_public_keys]
}

run "key_with_its_line_end" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    ssh_public_keys = ["ssh-ed25519 AAAA\n"]
  }

  expect_failures = [var.ssh_public_keys]
}

run "tags_of_the_inventory" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    tags = { mesh-workload = "other" }
  }

  expect_failures = [var.tags]
}

run "machine_name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { "Shop_1" = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines" } }
  }

  expect_failures = [var.machines]
}

run "workload" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop_api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines" } }
  }

  expect_failures = [var.machines]
}

run "workload_that_the_inventory_has_already" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "all", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines" } }
  }

  expect_failures = [var.machines]
}

run "address" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", address = "10.20.1.300" } }
  }

  expect_failures = [var.machines]
}

run "zone" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", zone = "westeurope-1" } }
  }

  expect_failures = [var.machines]
}

run "user_root" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", user = "root" } }
  }

  expect_failures = [var.machines]
}

run "user_of_no_linux" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", user = "Azure User" } }
  }

  expect_failures = [var.machines]
}

run "ssh_port" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", ssh_port = 70000 } }
  }

  expect_failures = [var.machines]
}

run "ssh_port_with_own_cloud_init" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", ssh_port = 2222, cloud_init = "#cloud-config\n" } }
  }

  expect_failures = [var.machines]
}

run "cloud_init_of_another_kind" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", cloud_init = "#!/bin/sh\n" } }
  }

  expect_failures = [var.machines]
}

run "os_disk_type" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", os_disk = { type = "UltraSSD_LRS" } } }
  }

  expect_failures = [var.machines]
}

run "data_disk_name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { "Data 1" = { lun = 0, size_gb = 8 } } } }
  }

  expect_failures = [var.machines]
}

run "data_disk_lun" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { data = { lun = 64, size_gb = 8 } } } }
  }

  expect_failures = [var.machines]
}

run "data_disk_size" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { data = { lun = 0, size_gb = 0 } } } }
  }

  expect_failures = [var.machines]
}

run "data_disk_caching" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { data = { lun = 0, size_gb = 8, caching = "Write" } } } }
  }

  expect_failures = [var.machines]
}

run "data_disks_with_one_lun" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", data_disks = { data = { lun = 0, size_gb = 8 }, log = { lun = 0, size_gb = 8 } } } }
  }

  expect_failures = [var.machines]
}

run "machine_tags_of_the_inventory" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines", tags = { Mesh-User = "root" } } }
  }

  expect_failures = [var.machines]
}
