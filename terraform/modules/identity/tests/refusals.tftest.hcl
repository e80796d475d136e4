# Every validation refuses what it is there to refuse. The module under test has the same variables.tf and nothing else, so that no
# provider is started for what never gets to it.

variables {
  name           = "shop-prod"
  resource_group = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg", name = "rg" }
  location       = "westeurope"
  workloads      = { shop-api = {} }
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

run "workload_name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    workloads = { shop_api = {} }
  }

  expect_failures = [var.workloads]
}

run "workload_as_owner" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    workloads = { shop-api = { roles = { a = { role = "Owner", scope = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/shop" } } } }
  }

  expect_failures = [var.workloads]
}

run "workload_that_administers_machines" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    workloads = { shop-api = { roles = { a = { role = "virtual machine contributor", scope = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/shop" } } } }
  }

  expect_failures = [var.workloads]
}

run "role_on_a_resource_group" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    workloads = { shop-api = { roles = { a = { role = "Reader", scope = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg" } } } }
  }

  expect_failures = [var.workloads]
}

run "role_on_a_subscription" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    workloads = { shop-api = { roles = { a = { role = "Reader", scope = "/subscriptions/00000000-0000-0000-0000-000000000000" } } } }
  }

  expect_failures = [var.workloads]
}

run "reader_of_another_type" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    readers = { ci = { principal_id = "11111111-1111-1111-1111-111111111111", principal_type = "Device" } }
  }

  expect_failures = [var.readers]
}

run "reader_without_an_object_id" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    readers = { ci = { principal_id = "inventory@example.com" } }
  }

  expect_failures = [var.readers]
}
