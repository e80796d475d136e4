mock_provider "azurerm" {}

variables {
  name                = "machines"
  resource_group_name = "rg"
  location            = "westeurope"
}

run "closed_by_default" {
  command = plan

  assert {
    condition     = length(azurerm_network_security_group.this.security_rule) == 2 && alltrue([for rule in azurerm_network_security_group.this.security_rule : rule.access == "Deny"])
    error_message = "Without rules of the user nothing is allowed."
  }

  assert {
    condition = toset([for rule in azurerm_network_security_group.this.security_rule : rule.direction
      if rule.priority == 4096 && rule.protocol == "*" && rule.source_address_prefix == "*" && rule.destination_address_prefix == "*" && rule.destination_port_range == "*"
    ]) == toset(["Inbound", "Outbound"])
    error_message = "The last rule of each direction denies everything."
  }
}

run "options" {
  command = plan

  variables {
    tags = { team = "shop" }
    inbound = {
      ssh   = { priority = 100, sources = ["10.0.9.0/26"], ports = ["22"], description = "Bastion." }
      mesh  = { priority = 110, sources = ["10.100.0.0/16", "10.20.0.0/16"], ports = ["8080", "9000-9010"] }
      probe = { priority = 120, sources = ["AzureLoadBalancer"], ports = ["8081"] }
      ping  = { priority = 130, sources = ["10.0.9.0/26"], ports = ["*"], protocol = "Icmp" }
    }
    outbound = {
      key-vault = { priority = 100, destinations = ["AzureKeyVault.WestEurope"], ports = ["443"] }
      packages  = { priority = 110, destinations = ["Internet"], ports = ["80", "443"] }
      time      = { priority = 120, destinations = ["10.0.0.4/32"], ports = ["123"], protocol = "Udp" }
    }
  }

  assert {
    condition     = length(azurerm_network_security_group.this.security_rule) == 9
    error_message = "Every rule, and the two that deny the rest."
  }

  assert {
    condition = one([for rule in azurerm_network_security_group.this.security_rule : [rule.direction, rule.access, rule.protocol, rule.source_address_prefix, rule.destination_port_range, rule.destination_address_prefix, rule.description]
      if rule.name == "in-ssh" && rule.priority == 100
    ]) == ["Inbound", "Allow", "Tcp", "10.0.9.0/26", "22", "*", "Bastion."]
    error_message = "One source and one port stand in the singular attributes."
  }

  assert {
    condition = one([for rule in azurerm_network_security_group.this.security_rule : rule.source_address_prefixes == toset(["10.100.0.0/16", "10.20.0.0/16"]) && rule.destination_port_ranges == toset(["8080", "9000-9010"])
      if rule.name == "in-mesh"
    ])
    error_message = "Several sources and ports stand in the plural attributes."
  }

  assert {
    condition = one([for rule in azurerm_network_security_group.this.security_rule : [rule.direction, rule.access, rule.source_address_prefix, rule.destination_address_prefix, rule.destination_port_range]
      if rule.name == "out-key-vault"
    ]) == ["Outbound", "Allow", "*", "AzureKeyVault.WestEurope", "443"]
    error_message = "A service tag is a destination."
  }

  assert {
    condition     = { for rule in azurerm_network_security_group.this.security_rule : rule.name => rule.protocol if contains(["in-ping", "out-time"], rule.name) } == { in-ping = "Icmp", out-time = "Udp" }
    error_message = "The protocol is the user's."
  }

  assert {
    condition     = azurerm_network_security_group.this.tags == tomap({ team = "shop" })
    error_message = "The tags are the user's."
  }
}
