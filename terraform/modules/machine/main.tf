locals {
  # The inventory's side of the contract: what brownfield.mesh.azure reads from a machine.
  mesh_tags = { for name, machine in var.machines : name => merge(
    {
      mesh-workload    = machine.workload
      mesh-environment = var.environment
      mesh-user        = machine.user
    },
    { for key, port in { mesh-ssh-port = machine.ssh_port } : key => tostring(port) if port != 22 },
  ) }
}

resource "azurerm_network_interface" "this" {
  for_each = var.machines

  name                           = each.key
  resource_group_name            = var.resource_group_name
  location                       = var.location
  accelerated_networking_enabled = each.value.accelerated_networking
  tags                           = merge(var.tags, each.value.tags)

  # Never a public address: a machine is reached from inside, and leaves by the network's way out.
  ip_configuration {
    name                          = "primary"
    subnet_id                     = each.value.subnet_id
    private_ip_address_allocation = each.value.address == null ? "Dynamic" : "Static"
    private_ip_address            = each.value.address
  }
}

resource "azurerm_network_interface_security_group_association" "this" {
  for_each = { for name, machine in var.machines : name => machine.security_group if machine.security_group != null }

  network_interface_id      = azurerm_network_interface.this[each.key].id
  network_security_group_id = each.value.id
}

resource "azurerm_linux_virtual_machine" "this" {
  # checkov:skip=CKV_AZURE_50:Off by default (extensions_allowed), as the tests assert; the scanner does not follow defaults of a map's objects.

  for_each = var.machines

  name                  = each.key
  resource_group_name   = var.resource_group_name
  location              = var.location
  size                  = each.value.size
  zone                  = each.value.zone
  network_interface_ids = [azurerm_network_interface.this[each.key].id]

  admin_username                  = each.value.user
  disable_password_authentication = true
  secure_boot_enabled             = each.value.trusted_launch
  vtpm_enabled                    = each.value.trusted_launch
  encryption_at_host_enabled      = each.value.encryption_at_host
  allow_extension_operations      = each.value.extensions_allowed
  source_image_id                 = each.value.image_id
  custom_data = base64encode(
    each.value.cloud_init == null ? templatefile("${path.module}/cloud-init.yaml.tftpl", { ssh_port = each.value.ssh_port }) : each.value.cloud_init
  )

  tags = merge(var.tags, each.value.tags, local.mesh_tags[each.key])

  dynamic "admin_ssh_key" {
    for_each = var.ssh_public_keys

    content {
      username   = each.value.user
      public_key = admin_ssh_key.value
    }
  }

  identity {
    type         = length(each.value.identity_ids) > 0 ? "UserAssigned" : "SystemAssigned"
    identity_ids = length(each.value.identity_ids) > 0 ? each.value.identity_ids : null
  }

  dynamic "source_image_reference" {
    for_each = each.value.image_id == null ? [each.value.image] : []

    content {
      publisher = source_image_reference.value.publisher
      offer     = source_image_reference.value.offer
      sku       = source_image_reference.value.sku
      version   = source_image_reference.value.version
    }
  }

  # Without a name of its own: Azure chooses one that is free, so that a machine that was deleted by hand, and left its disk
  # behind, can be made again.
  os_disk {
    caching                = "ReadWrite"
    storage_account_type   = each.value.os_disk.type
    disk_size_gb           = each.value.os_disk.size_gb
    disk_encryption_set_id = var.disk_encryption_set_id
  }

  # Without an account of its own: Azure keeps the console's output where it manages it.
  boot_diagnostics {}

  lifecycle {
    # Both are read at the first boot only, and both would replace the machine: a new operator's key must not
    # rebuild a fleet. To have a machine made anew with them, say so: -replace.
    ignore_changes = [admin_ssh_key, custom_data]
  }

  # Reachable only once its rules are there.
  depends_on = [azurerm_network_interface_security_group_association.this]
}
