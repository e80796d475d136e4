mock_provider "azurerm" {
  # IDs in their own form: the provider checks each that it is given, in a test too.
  mock_resource "azurerm_virtual_network" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net" }
  }

  mock_resource "azurerm_subnet" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines" }
  }

  mock_resource "azurerm_network_security_group" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/networkSecurityGroups/group" }
  }

  mock_resource "azurerm_public_ip" {
    defaults = {
      id         = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/publicIPAddresses/egress"
      ip_address = "203.0.113.7"
    }
  }

  mock_resource "azurerm_nat_gateway" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/natGateways/nat" }
  }

  mock_resource "azurerm_route_table" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/routeTables/table" }
  }

  mock_resource "azurerm_private_dns_zone" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/mesh.internal" }
  }
}

variables {
  name                = "shop-prod"
  resource_group_name = "rg"
  location            = "westeurope"
  address_space       = ["10.20.0.0/16"]
  subnets             = { machines = { address_prefix = "10.20.1.0/24" } }
}

run "defaults" {
  command = apply

  assert {
    condition     = alltrue([for subnet in azurerm_subnet.this : !subnet.default_outbound_access_enabled && subnet.private_endpoint_network_policies == "Enabled"])
    error_message = "No subnet has Azure's hidden way out, and private endpoints are under the rules too."
  }

  assert {
    condition     = output.inbound == { machines = [] } && output.outbound == { machines = [] }
    error_message = "Nothing is open by default."
  }

  assert {
    condition     = alltrue([for subnets in [keys(azurerm_subnet_network_security_group_association.this), keys(azurerm_subnet_nat_gateway_association.this), keys(azurerm_subnet_route_table_association.this)] : toset(subnets) == toset(keys(var.subnets))])
    error_message = "Every subnet has its security group, the NAT gateway and the route table."
  }

  assert {
    condition     = azurerm_public_ip.egress[0].allocation_method == "Static" && azurerm_public_ip.egress[0].sku == "Standard" && azurerm_public_ip.egress[0].zones == toset(["1", "2", "3"])
    error_message = "The way out has one fixed address, which outlives the loss of a zone."
  }

  assert {
    condition     = output.egress_address == azurerm_public_ip.egress[0].ip_address && output.egress_address != null
    error_message = "The address is an output, for partners' lists."
  }

  assert {
    condition     = length(azurerm_private_dns_zone.this) + length(azurerm_private_dns_zone_virtual_network_link.this) + length(azurerm_virtual_network_peering.this) + length(azurerm_virtual_network_peering.reverse) + length(azurerm_network_watcher_flow_log.this) + length(azurerm_route.this) == 0
    error_message = "Zone, peerings, flow logs and routes are made when they are asked for."
  }

  assert {
    condition     = output.private_dns_zone == null && output.subnets["machines"].address_prefix == "10.20.1.0/24" && output.subnets["machines"].id != ""
    error_message = "The outputs say what is there."
  }
}

run "mesh_and_ssh" {
  command = plan

  variables {
    ssh  = { from = ["10.0.9.0/26"], port = 2222 }
    mesh = { ranges = ["10.100.0.0/16", "10.20.0.0/16"], control_plane = ["10.100.0.10/32"], gateways = ["203.0.113.10/32"] }
    subnets = {
      api = {
        address_prefix    = "10.20.1.0/24"
        ports             = ["8080"]
        calls             = ["5432"]
        service_endpoints = ["Microsoft.KeyVault"]
        inbound           = { metrics = { priority = 200, sources = ["10.0.8.0/24"], ports = ["9100"] } }
        outbound          = { packages = { priority = 200, destinations = ["Internet"], ports = ["443"] } }
      }
      batch = { address_prefix = "10.20.2.0/24" }
    }
  }

  assert {
    condition = output.inbound["api"] == [
      "100 Tcp 10.0.9.0/26 -> 2222",
      "110 Tcp 10.100.0.0/16,10.20.0.0/16 -> 8080",
      "200 Tcp 10.0.8.0/24 -> 9100",
    ]
    error_message = "In: SSH from the named ranges only, what is served to the mesh only, and the user's own."
  }

  assert {
    condition = output.outbound["api"] == [
      "100 Tcp -> 10.100.0.10/32 15012",
      "110 Tcp -> 10.100.0.0/16,10.20.0.0/16 5432",
      "120 Tcp -> 203.0.113.10/32 15443",
      "200 Tcp -> Internet 443",
    ]
    error_message = "Out: the control plane, what is called in the mesh, its gateways, and the user's own."
  }

  assert {
    condition     = output.inbound["batch"] == ["100 Tcp 10.0.9.0/26 -> 2222"] && output.outbound["batch"] == ["100 Tcp -> 10.100.0.10/32 15012", "120 Tcp -> 203.0.113.10/32 15443"]
    error_message = "A subnet that serves nothing and calls nothing is open for nothing."
  }

  assert {
    condition     = [for endpoint in azurerm_subnet.this["api"].service_endpoint : endpoint.service] == ["Microsoft.KeyVault"] && length(azurerm_subnet.this["batch"].service_endpoint) == 0
    error_message = "Service endpoints are those of the subnet."
  }
}

run "behind_a_hub" {
  command = plan

  variables {
    nat_gateway                   = { enabled = false }
    bgp_route_propagation_enabled = false
    dns_servers                   = ["10.0.0.4"]
    routes                        = { default = { address_prefix = "0.0.0.0/0", next_hop_type = "VirtualAppliance", next_hop_in_ip_address = "10.0.1.4" } }
    peerings = {
      hub = {
        remote_virtual_network_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/hub"
        allow_forwarded_traffic   = true
        use_remote_gateways       = true
        reverse                   = { resource_group_name = "hub", virtual_network_name = "hub", allow_gateway_transit = true }
      }
      cluster = {
        remote_virtual_network_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/cluster/providers/Microsoft.Network/virtualNetworks/cluster"
      }
    }
  }

  assert {
    condition     = length(azurerm_public_ip.egress) + length(azurerm_nat_gateway.this) + length(azurerm_nat_gateway_public_ip_association.this) + length(azurerm_subnet_nat_gateway_association.this) == 0 && output.egress_address == null
    error_message = "Without a NAT gateway there is no public address at all."
  }

  assert {
    condition     = azurerm_route.this["default"].next_hop_in_ip_address == "10.0.1.4" && !azurerm_route_table.this.bgp_route_propagation_enabled && azurerm_virtual_network.this.dns_servers == tolist(["10.0.0.4"])
    error_message = "The hub's firewall is the way out, its name server answers."
  }

  assert {
    condition     = azurerm_virtual_network_peering.this["hub"].use_remote_gateways && azurerm_virtual_network_peering.this["hub"].allow_forwarded_traffic
    error_message = "The peering with the hub is as asked for."
  }

  assert {
    condition     = keys(azurerm_virtual_network_peering.reverse) == ["hub"] && azurerm_virtual_network_peering.reverse["hub"].allow_gateway_transit && azurerm_virtual_network_peering.reverse["hub"].resource_group_name == "hub"
    error_message = "The other half is made only where it is asked for."
  }

  assert {
    condition     = !azurerm_virtual_network_peering.this["cluster"].use_remote_gateways && !azurerm_virtual_network_peering.this["cluster"].allow_forwarded_traffic
    error_message = "A peering gives what is asked for, no more."
  }
}

run "names_and_flow_logs" {
  command = plan

  variables {
    nat_gateway = { zones = [], idle_timeout_in_minutes = 10 }
    private_dns = { zone = "mesh.internal", records = { istiod = ["10.100.0.10"] } }
    flow_logs = {
      network_watcher_name = "NetworkWatcher_westeurope"
      storage_account_id   = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/logs/providers/Microsoft.Storage/storageAccounts/logs"
      traffic_analytics = {
        workspace_id          = "44444444-4444-4444-4444-444444444444"
        workspace_region      = "westeurope"
        workspace_resource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/logs/providers/Microsoft.OperationalInsights/workspaces/logs"
      }
    }
  }

  assert {
    condition     = azurerm_private_dns_zone.this[0].name == "mesh.internal" && azurerm_private_dns_zone_virtual_network_link.this[0].registration_enabled && azurerm_private_dns_a_record.this["istiod"].records == toset(["10.100.0.10"])
    error_message = "The zone holds the machines' names, entered by Azure, and the given records."
  }

  assert {
    condition     = azurerm_network_watcher_flow_log.this[0].enabled && azurerm_network_watcher_flow_log.this[0].retention_policy[0].days == 90 && azurerm_network_watcher_flow_log.this[0].traffic_analytics[0].enabled
    error_message = "Flow logs are kept for 90 days, and analysed."
  }

  assert {
    condition     = length(coalesce(azurerm_public_ip.egress[0].zones, [])) == 0 && azurerm_nat_gateway.this[0].idle_timeout_in_minutes == 10
    error_message = "A region without zones can be used."
  }
}
