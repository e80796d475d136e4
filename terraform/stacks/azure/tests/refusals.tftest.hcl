# Every validation refuses what it is there to refuse. The module under test has the same variables.tf and nothing else, so that no
# provider is started for what never gets to it.

variables {
  name            = "shop"
  environment     = "prod"
  location        = "westeurope"
  ssh_public_keys = ["ssh-ed25519 AAAA"]
}

run "name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name = "Shop"
  }

  expect_failures = [var.name]
}

run "environment" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    environment = "Prod"
  }

  expect_failures = [var.environment]
}

run "location_as_shown_in_the_portal" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    location = "West Europe"
  }

  expect_failures = [var.location]
}

run "given_resource_group_without_a_name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    resource_group = { create = false }
  }

  expect_failures = [var.resource_group]
}

run "subnet_no_id" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    subnet_ids = { given = "machines" }
  }

  expect_failures = [var.subnet_ids]
}

run "subnet_name_twice" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    network    = { address_space = ["10.20.0.0/16"], subnets = { machines = { address_prefix = "10.20.1.0/24" } } }
    subnet_ids = { machines = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines" }
  }

  expect_failures = [var.subnet_ids]
}

run "machine_in_an_unknown_subnet" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    machines = { a = { workload = "shop-api", subnet = "other" } }
  }

  expect_failures = [var.machines]
}
