# Every validation refuses what it is there to refuse. The module under test has the same variables.tf and nothing else, so that no
# provider is started for what never gets to it.

variables {
  name                = "shop"
  resource_group_name = "rg"
  location            = "westeurope"
  address_space       = ["10.20.0.0/16"]
  subnets             = { machines = { address_prefix = "10.20.1.0/24" } }
}

run "name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name = "Shop_1"
  }

  expect_failures = [var.name]
}

run "address_space_empty" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    address_space = []
  }

  expect_failures = [var.address_space]
}

run "address_space_no_range" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    address_space = ["10.20.0.0"]
  }

  expect_failures = [var.address_space]
}

run "dns_server_no_address" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    dns_servers = ["dns.example.com"]
  }

  expect_failures = [var.dns_servers]
}

run "no_subnet" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    subnets = {}
  }

  expect_failures = [var.subnets]
}

run "subnet_name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    subnets = { Machines = { address_prefix = "10.20.1.0/24" } }
  }

  expect_failures = [var.subnets]
}

run "subnet_no_range" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    subnets = { machines = { address_prefix = "10.20.1.0" } }
  }

  expect_failures = [var.subnets]
}

run "subnet_rule_before_those_of_the_module" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    subnets = { machines = { address_prefix = "10.20.1.0/24", outbound = { a = { priority = 199, destinations = ["Internet"], ports = ["443"] } } } }
  }

  expect_failures = [var.subnets]
}

run "ssh_from_everywhere" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    ssh = { from = ["0.0.0.0/0"] }
  }

  expect_failures = [var.ssh]
}

run "ssh_from_a_whole_network_class" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    ssh = { from = ["10.0.0.0/8"] }
  }

  expect_failures = [var.ssh]
}

run "ssh_from_no_range" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    ssh = { from = ["bastion"] }
  }

  expect_failures = [var.ssh]
}

run "ssh_port" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    ssh = { port = 0 }
  }

  expect_failures = [var.ssh]
}

run "mesh_everywhere" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    mesh = { ranges = ["0.0.0.0/0"] }
  }

  expect_failures = [var.mesh]
}

run "mesh_control_plane_no_range" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    mesh = { control_plane = ["istiod.example.com"] }
  }

  expect_failures = [var.mesh]
}

run "mesh_gateway_no_range" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    mesh = { gateways = ["203.0.113.10"] }
  }

  expect_failures = [var.mesh]
}

run "nat_zone" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    nat_gateway = { zones = ["4"] }
  }

  expect_failures = [var.nat_gateway]
}

run "nat_timeout" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    nat_gateway = { idle_timeout_in_minutes = 3 }
  }

  expect_failures = [var.nat_gateway]
}

run "route_type" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    routes = { default = { address_prefix = "0.0.0.0/0", next_hop_type = "Firewall" } }
  }

  expect_failures = [var.routes]
}

run "route_without_appliance" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    routes = { default = { address_prefix = "0.0.0.0/0", next_hop_type = "VirtualAppliance" } }
  }

  expect_failures = [var.routes]
}

run "route_with_an_address_too_many" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    routes = { default = { address_prefix = "0.0.0.0/0", next_hop_type = "None", next_hop_in_ip_address = "10.0.1.4" } }
  }

  expect_failures = [var.routes]
}

run "dns_zone_of_one_label" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    private_dns = { zone = "mesh" }
  }

  expect_failures = [var.private_dns]
}

run "dns_record_no_address" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    private_dns = { zone = "mesh.internal", records = { istiod = ["istiod.example.com"] } }
  }

  expect_failures = [var.private_dns]
}

run "two_remote_gateways" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    peerings = { a = { remote_virtual_network_id = "/a", use_remote_gateways = true }, b = { remote_virtual_network_id = "/b", use_remote_gateways = true } }
  }

  expect_failures = [var.peerings]
}

run "remote_gateway_that_is_not_offered" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    peerings = { hub = { remote_virtual_network_id = "/a", use_remote_gateways = true, reverse = { resource_group_name = "hub", virtual_network_name = "hub" } } }
  }

  expect_failures = [var.peerings]
}

run "flow_logs_too_long" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    flow_logs = { network_watcher_name = "w", storage_account_id = "/s", retention_days = 366 }
  }

  expect_failures = [var.flow_logs]
}

run "flow_logs_negative" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    flow_logs = { network_watcher_name = "w", storage_account_id = "/s", retention_days = -1 }
  }

  expect_failures = [var.flow_logs]
}
