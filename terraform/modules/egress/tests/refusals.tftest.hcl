# Every validation refuses what it is there to refuse. The module under test has the same variables.tf and nothing else, so that no
# provider is started for what never gets to it.

variables {
  name                = "hub"
  resource_group_name = "rg"
  location            = "westeurope"
  subnet_id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/hub/subnets/AzureFirewallSubnet"
}

run "name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name = "Hub"
  }

  expect_failures = [var.name]
}

run "subnet_of_another_name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines"
  }

  expect_failures = [var.subnet_id]
}

run "zone" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    zones = ["4"]
  }

  expect_failures = [var.zones]
}

run "site_for_everybody" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    sites = { a = { sources = ["0.0.0.0/0"], hosts = ["deb.debian.org"] } }
  }

  expect_failures = [var.sites]
}

run "site_for_nobody" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    sites = { a = { sources = [], hosts = ["deb.debian.org"] } }
  }

  expect_failures = [var.sites]
}

run "site_everything" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    sites = { a = { sources = ["10.20.0.0/16"], hosts = ["*"] } }
  }

  expect_failures = [var.sites]
}

run "site_as_address_line" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    sites = { a = { sources = ["10.20.0.0/16"], hosts = ["https://deb.debian.org/"] } }
  }

  expect_failures = [var.sites]
}

run "address_everything" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    addresses = { a = { sources = ["10.20.0.0/16"], destinations = ["0.0.0.0/0"], ports = ["5432"], protocol = "TCP" } }
  }

  expect_failures = [var.addresses]
}

run "address_by_name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    addresses = { a = { sources = ["10.20.0.0/16"], destinations = ["db.example.com"], ports = ["5432"], protocol = "TCP" } }
  }

  expect_failures = [var.addresses]
}

run "address_ports_any" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    addresses = { a = { sources = ["10.20.0.0/16"], destinations = ["203.0.113.10/32"], ports = ["*"], protocol = "TCP" } }
  }

  expect_failures = [var.addresses]
}

run "address_protocol" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    addresses = { a = { sources = ["10.20.0.0/16"], destinations = ["203.0.113.10/32"], ports = ["5432"], protocol = "Any" } }
  }

  expect_failures = [var.addresses]
}
