locals {
  # A rule of which one side is empty is left out: nothing is opened to nobody, or for nothing.
  inbound = { for name, subnet in var.subnets : name => merge(
    {
      for key, rule in {
        ssh  = { priority = 100, sources = var.ssh.from, ports = [tostring(var.ssh.port)], protocol = "Tcp", description = "Controllers and operators." }
        mesh = { priority = 110, sources = var.mesh.ranges, ports = subnet.ports, protocol = "Tcp", description = "What the workloads serve, to the mesh." }
      } : key => rule if length(rule.sources) > 0 && length(rule.ports) > 0
    },
    subnet.inbound,
  ) }

  outbound = { for name, subnet in var.subnets : name => merge(
    {
      for key, rule in {
        control-plane = { priority = 100, destinations = var.mesh.control_plane, ports = [tostring(var.mesh.control_plane_port)], protocol = "Tcp", description = "Configuration and certificates, by mTLS." }
        mesh          = { priority = 110, destinations = var.mesh.ranges, ports = subnet.calls, protocol = "Tcp", description = "What the workloads call in the mesh." }
        gateways      = { priority = 120, destinations = var.mesh.gateways, ports = [tostring(var.mesh.gateway_port)], protocol = "Tcp", description = "East-west gateways of clusters in other networks." }
      } : key => rule if length(rule.destinations) > 0 && length(rule.ports) > 0
    },
    subnet.outbound,
  ) }
}

module "security_group" {
  source   = "../security_group"
  for_each = var.subnets

  name                = "${var.name}-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.location
  inbound             = local.inbound[each.key]
  outbound            = local.outbound[each.key]
  tags                = var.tags
}

resource "azurerm_subnet_network_security_group_association" "this" {
  for_each = var.subnets

  subnet_id                 = azurerm_subnet.this[each.key].id
  network_security_group_id = module.security_group[each.key].id
}
