# Every validation refuses what it is there to refuse. The module under test has the same variables.tf and nothing else, so that no
# provider is started for what never gets to it.

variables {
  name                = "group"
  resource_group_name = "rg"
  location            = "westeurope"
}

run "name_that_azure_refuses" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name = "-group"
  }

  expect_failures = [var.name]
}

run "inbound_name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { "A b" = { priority = 200, sources = ["10.1.0.0/16"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_priority_of_the_last_rule" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 4096, sources = ["10.1.0.0/16"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_priority_too_small" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 99, sources = ["10.1.0.0/16"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_priority_not_whole" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 100.5, sources = ["10.1.0.0/16"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_priority_twice" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 200, sources = ["10.1.0.0/16"], ports = ["443"], protocol = "Tcp", description = "" }, b = { priority = 200, sources = ["10.2.0.0/16"], ports = ["80"] } }
  }

  expect_failures = [var.inbound]
}

run "inbound_protocol" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 200, sources = ["10.1.0.0/16"], ports = ["443"], protocol = "*", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_ports_any" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 200, sources = ["10.1.0.0/16"], ports = ["*"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_ports_none" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 200, sources = ["10.1.0.0/16"], ports = [], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_ports_too_high" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 200, sources = ["10.1.0.0/16"], ports = ["1-65536"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_icmp_with_ports" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 200, sources = ["10.1.0.0/16"], ports = ["443"], protocol = "Icmp", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_no_sources" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 200, sources = [], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_sources_everything" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 200, sources = ["0.0.0.0/0"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_sources_half_of_everything" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 200, sources = ["0.0.0.0/1", "128.0.0.0/1"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_sources_star" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 200, sources = ["*"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_sources_tag_among_ranges" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 200, sources = ["AzureKeyVault", "10.1.0.0/16"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_sources_without_prefix" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 200, sources = ["10.1.0.4"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_description_too_long" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 200, sources = ["10.1.0.0/16"], ports = ["443"], protocol = "Tcp", description = format("%0141d", 0) } }
  }

  expect_failures = [var.inbound]
}

run "outbound_name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { "A b" = { priority = 200, destinations = ["10.1.0.0/16"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.outbound]
}

run "outbound_priority_of_the_last_rule" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 4096, destinations = ["10.1.0.0/16"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.outbound]
}

run "outbound_priority_too_small" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 99, destinations = ["10.1.0.0/16"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.outbound]
}

run "outbound_priority_not_whole" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 100.5, destinations = ["10.1.0.0/16"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.outbound]
}

run "outbound_priority_twice" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 200, destinations = ["10.1.0.0/16"], ports = ["443"], protocol = "Tcp", description = "" }, b = { priority = 200, destinations = ["10.2.0.0/16"], ports = ["80"] } }
  }

  expect_failures = [var.outbound]
}

run "outbound_protocol" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 200, destinations = ["10.1.0.0/16"], ports = ["443"], protocol = "*", description = "" } }
  }

  expect_failures = [var.outbound]
}

run "outbound_ports_any" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 200, destinations = ["10.1.0.0/16"], ports = ["*"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.outbound]
}

run "outbound_ports_none" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 200, destinations = ["10.1.0.0/16"], ports = [], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.outbound]
}

run "outbound_ports_too_high" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 200, destinations = ["10.1.0.0/16"], ports = ["1-65536"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.outbound]
}

run "outbound_icmp_with_ports" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 200, destinations = ["10.1.0.0/16"], ports = ["443"], protocol = "Icmp", description = "" } }
  }

  expect_failures = [var.outbound]
}

run "outbound_no_destinations" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 200, destinations = [], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.outbound]
}

run "outbound_destinations_everything" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 200, destinations = ["0.0.0.0/0"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.outbound]
}

run "outbound_destinations_half_of_everything" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 200, destinations = ["0.0.0.0/1", "128.0.0.0/1"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.outbound]
}

run "outbound_destinations_star" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 200, destinations = ["*"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.outbound]
}

run "outbound_destinations_tag_among_ranges" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 200, destinations = ["AzureKeyVault", "10.1.0.0/16"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.outbound]
}

run "outbound_destinations_without_prefix" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 200, destinations = ["10.1.0.4"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.outbound]
}

run "outbound_description_too_long" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    outbound = { a = { priority = 200, destinations = ["10.1.0.0/16"], ports = ["443"], protocol = "Tcp", description = format("%0141d", 0) } }
  }

  expect_failures = [var.outbound]
}

run "inbound_from_the_internet" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 200, sources = ["Internet"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.inbound]
}

run "inbound_from_every_peered_network" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    inbound = { a = { priority = 200, sources = ["VirtualNetwork"], ports = ["443"], protocol = "Tcp", description = "" } }
  }

  expect_failures = [var.inbound]
}
