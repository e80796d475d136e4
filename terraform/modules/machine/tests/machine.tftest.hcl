mock_provider "azurerm" {
  # IDs in their own form: the provider checks each that it is given, in a test too.
  mock_resource "azurerm_network_interface" {
    defaults = {
      id                 = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces/interface"
      private_ip_address = "10.20.1.4"
    }
  }

  mock_resource "azurerm_linux_virtual_machine" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/machine" }
  }

  mock_resource "azurerm_managed_disk" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Compute/disks/disk" }
  }
}

variables {
  resource_group_name = "rg"
  location            = "westeurope"
  environment         = "prod"
  ssh_public_keys     = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUB7FRmGeYvWFWzkNYVnZxwVxnDtKQKFCyQMzvTQ0Bc ops"]
  machines = {
    shop-api-1 = { workload = "shop-api", subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines" }
  }
}

run "defaults" {
  command = apply

  assert {
    condition     = alltrue(flatten([for interface in azurerm_network_interface.this : [for address in interface.ip_configuration : address.public_ip_address_id == null || address.public_ip_address_id == ""]]))
    error_message = "No machine has a public address."
  }

  assert {
    condition     = azurerm_linux_virtual_machine.this["shop-api-1"].disable_password_authentication && azurerm_linux_virtual_machine.this["shop-api-1"].admin_password == null && length(azurerm_linux_virtual_machine.this["shop-api-1"].admin_ssh_key) == 1
    error_message = "SSH keys only: no password."
  }

  assert {
    condition     = azurerm_linux_virtual_machine.this["shop-api-1"].secure_boot_enabled && azurerm_linux_virtual_machine.this["shop-api-1"].vtpm_enabled
    error_message = "Trusted launch."
  }

  assert {
    condition     = azurerm_linux_virtual_machine.this["shop-api-1"].encryption_at_host_enabled
    error_message = "Encryption at host."
  }

  assert {
    condition     = !azurerm_linux_virtual_machine.this["shop-api-1"].allow_extension_operations
    error_message = "Nobody runs programs on the machine through Azure."
  }

  assert {
    condition     = azurerm_linux_virtual_machine.this["shop-api-1"].identity[0].type == "SystemAssigned"
    error_message = "A managed identity, always."
  }

  assert {
    condition     = length(azurerm_linux_virtual_machine.this["shop-api-1"].boot_diagnostics) == 1
    error_message = "Boot diagnostics, in Azure's own account."
  }

  assert {
    condition = azurerm_linux_virtual_machine.this["shop-api-1"].tags == tomap({
      mesh-workload    = "shop-api"
      mesh-environment = "prod"
      mesh-user        = "azureuser"
    })
    error_message = "The tags are what the inventory reads; the usual SSH port is left out."
  }

  assert {
    condition     = yamldecode(base64decode(azurerm_linux_virtual_machine.this["shop-api-1"].custom_data)) == { ssh_pwauth = false, disable_root = true }
    error_message = "cloud-init does the least."
  }

  assert {
    condition = jsonencode(output.mesh_machines) == jsonencode({
      shop-api-1 = {
        address     = "10.20.1.4"
        user        = "azureuser"
        ssh_port    = 22
        workload    = "shop-api"
        environment = "prod"
        location    = "westeurope"
        zone        = null
        resource_id = azurerm_linux_virtual_machine.this["shop-api-1"].id
        tags        = {}
      }
    })
    error_message = "The output is the inventory's contract."
  }

  assert {
    condition     = length(azurerm_managed_disk.this) + length(azurerm_network_interface_security_group_association.this) == 0
    error_message = "Disks and interface rules are made when they are asked for."
  }
}

run "options" {
  command = plan

  variables {
    tags                   = { team = "shop", cost = "1" }
    disk_encryption_set_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Compute/diskEncryptionSets/own"
    machines = {
      payments-db-1 = {
        workload               = "payments-db"
        subnet_id              = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines"
        address                = "10.20.1.10"
        size                   = "Standard_E4s_v5"
        zone                   = "2"
        user                   = "ops"
        ssh_port               = 2222
        image                  = { publisher = "Canonical", offer = "ubuntu-24_04-lts", sku = "server", version = "24.04.202601010" }
        os_disk                = { type = "StandardSSD_LRS", size_gb = 64 }
        data_disks             = { data = { lun = 0, size_gb = 128 }, log = { lun = 1, size_gb = 32, type = "Premium_ZRS", caching = "ReadOnly" } }
        identity_ids           = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/payments-db"]
        security_group         = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/networkSecurityGroups/own" }
        accelerated_networking = false
        trusted_launch         = false
        encryption_at_host     = false
        extensions_allowed     = true
        tags                   = { cost = "2" }
      }
      legacy-1 = {
        workload   = "legacy"
        subnet_id  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/net/subnets/machines"
        image_id   = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Compute/images/legacy"
        cloud_init = "#cloud-config\npackages: [python3]\n"
      }
    }
  }

  assert {
    condition     = azurerm_network_interface.this["payments-db-1"].ip_configuration[0].private_ip_address == "10.20.1.10" && azurerm_network_interface.this["payments-db-1"].ip_configuration[0].private_ip_address_allocation == "Static" && !azurerm_network_interface.this["payments-db-1"].accelerated_networking_enabled
    error_message = "A fixed address where one is given."
  }

  assert {
    condition     = azurerm_linux_virtual_machine.this["payments-db-1"].size == "Standard_E4s_v5" && azurerm_linux_virtual_machine.this["payments-db-1"].zone == "2" && azurerm_linux_virtual_machine.this["payments-db-1"].source_image_reference[0].offer == "ubuntu-24_04-lts"
    error_message = "Size, zone and image are the machine's."
  }

  assert {
    condition     = !azurerm_linux_virtual_machine.this["payments-db-1"].secure_boot_enabled && !azurerm_linux_virtual_machine.this["payments-db-1"].vtpm_enabled && !azurerm_linux_virtual_machine.this["payments-db-1"].encryption_at_host_enabled && azurerm_linux_virtual_machine.this["payments-db-1"].allow_extension_operations
    error_message = "What an old image or subscription cannot do can be turned off, for that machine."
  }

  assert {
    condition     = azurerm_linux_virtual_machine.this["legacy-1"].secure_boot_enabled && azurerm_linux_virtual_machine.this["legacy-1"].encryption_at_host_enabled
    error_message = "... and stays on for the others."
  }

  assert {
    condition     = azurerm_linux_virtual_machine.this["payments-db-1"].identity[0].type == "UserAssigned" && length(azurerm_linux_virtual_machine.this["payments-db-1"].identity[0].identity_ids) == 1
    error_message = "Given identities take the place of the machine's own."
  }

  assert {
    condition     = azurerm_linux_virtual_machine.this["payments-db-1"].os_disk[0].storage_account_type == "StandardSSD_LRS" && azurerm_linux_virtual_machine.this["payments-db-1"].os_disk[0].disk_size_gb == 64 && azurerm_linux_virtual_machine.this["payments-db-1"].os_disk[0].disk_encryption_set_id == var.disk_encryption_set_id
    error_message = "The system disk is as asked for, with the given key."
  }

  assert {
    condition     = jsonencode({ for key, disk in azurerm_managed_disk.this : key => [disk.name, disk.zone, tostring(disk.disk_size_gb), disk.storage_account_type] }) == jsonencode({ "payments-db-1/data" = ["payments-db-1-data", "2", "128", "Premium_LRS"], "payments-db-1/log" = ["payments-db-1-log", null, "32", "Premium_ZRS"] })
    error_message = "Data disks lie in the machine's zone, or in all."
  }

  assert {
    condition     = alltrue([for disk in azurerm_managed_disk.this : disk.network_access_policy == "DenyAll" && !disk.public_network_access_enabled && disk.disk_encryption_set_id == var.disk_encryption_set_id])
    error_message = "Data disks cannot be exported, and have the given key."
  }

  assert {
    condition     = { for key, attachment in azurerm_virtual_machine_data_disk_attachment.this : key => [tostring(attachment.lun), attachment.caching] } == { "payments-db-1/data" = ["0", "None"], "payments-db-1/log" = ["1", "ReadOnly"] }
    error_message = "Data disks are attached as asked for."
  }

  assert {
    condition     = keys(azurerm_network_interface_security_group_association.this) == ["payments-db-1"]
    error_message = "Only the machine that was given a security group of its own has one."
  }

  assert {
    condition = azurerm_linux_virtual_machine.this["payments-db-1"].tags == tomap({
      team             = "shop"
      cost             = "2"
      mesh-workload    = "payments-db"
      mesh-environment = "prod"
      mesh-user        = "ops"
      mesh-ssh-port    = "2222"
    })
    error_message = "The machine's tags win over the common ones; user and port are told."
  }

  assert {
    condition     = one(yamldecode(base64decode(azurerm_linux_virtual_machine.this["payments-db-1"].custom_data)).write_files).content == "Port 2222\n"
    error_message = "sshd listens where the inventory will look."
  }

  assert {
    condition     = yamldecode(base64decode(azurerm_linux_virtual_machine.this["legacy-1"].custom_data)) == { packages = ["python3"] } && length(azurerm_linux_virtual_machine.this["legacy-1"].source_image_reference) == 0
    error_message = "An own image and an own cloud-init take the place of the module's."
  }

  assert {
    condition     = output.mesh_machines["payments-db-1"].ssh_port == 2222 && output.mesh_machines["payments-db-1"].zone == "2" && output.mesh_machines["payments-db-1"].tags == tomap({ team = "shop", cost = "2" })
    error_message = "The output says the same as the tags."
  }
}
