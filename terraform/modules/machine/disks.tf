locals {
  data_disks = merge([for name, machine in var.machines : {
    for key, disk in machine.data_disks : "${name}/${key}" => merge(disk, { machine = name, name = "${name}-${key}", zone = machine.zone, tags = machine.tags })
  }]...)
}

resource "azurerm_managed_disk" "this" {
  for_each = local.data_disks

  name                   = each.value.name
  resource_group_name    = var.resource_group_name
  location               = var.location
  zone                   = endswith(each.value.type, "_ZRS") ? null : each.value.zone
  storage_account_type   = each.value.type
  create_option          = "Empty"
  disk_size_gb           = each.value.size_gb
  disk_encryption_set_id = var.disk_encryption_set_id
  tags                   = merge(var.tags, each.value.tags)

  # Nobody copies a disk out by a signed address.
  network_access_policy         = "DenyAll"
  public_network_access_enabled = false
}

resource "azurerm_virtual_machine_data_disk_attachment" "this" {
  for_each = local.data_disks

  virtual_machine_id = azurerm_linux_virtual_machine.this[each.value.machine].id
  managed_disk_id    = azurerm_managed_disk.this[each.key].id
  lun                = each.value.lun
  caching            = each.value.caching
}
